package dev.kiln.boot.cli;

/**
 * Text of a server or a build, made safe for a terminal: without escape sequences, other control characters (but line feed and
 * tab) and the marks that turn the direction of writing. A carriage return, which would let a line overwrite itself, becomes
 * a line feed. Takes text in pieces, which may be cut anywhere. Not thread-safe.
 */
final class TerminalText {
    private static final char ESC = '\u001b';
    private static final char BEL = '\u0007';
    private static final char C1_CSI = '\u009b';

    private enum State {
        TEXT,
        AFTER_RETURN,
        ESCAPE,
        /** {@code ESC [ … final}: colours, cursor. */
        CONTROL,
        /** {@code ESC ] … BEL} and its like: titles, links, the clipboard. */
        STRING,
        STRING_ESCAPE
    }

    private State state = State.TEXT;

    /** One line, without line feeds and tabs, of at most {@code max} characters. */
    static String line(String text, int max) {
        String line =
                new TerminalText().clean(text).replaceAll("[\\n\\t ]+", " ").strip();
        return line.length() <= max ? line : line.substring(0, max - 1) + "…";
    }

    /** What of the next piece may be shown. */
    String clean(CharSequence piece) {
        StringBuilder shown = new StringBuilder(piece.length());
        for (int i = 0; i < piece.length(); i++) {
            next(piece.charAt(i), shown);
        }
        return shown.toString();
    }

    private void next(char c, StringBuilder shown) {
        switch (state) {
            case TEXT -> text(c, shown);
            case AFTER_RETURN -> {
                state = State.TEXT;
                if (c != '\n') {
                    text(c, shown);
                }
            }
            case ESCAPE -> {
                if (c == '[') {
                    state = State.CONTROL;
                } else if (c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_') {
                    state = State.STRING;
                } else if (c < 0x20 || c > 0x2f) {
                    // 0x20 to 0x2f only announce that one more follows
                    state = c == ESC ? State.ESCAPE : State.TEXT;
                }
            }
            case CONTROL -> {
                if (c == '\n' || c == ESC) {
                    // cut off: what follows is text again
                    state = State.TEXT;
                    text(c, shown);
                } else if (c >= 0x40) {
                    state = State.TEXT;
                }
            }
            case STRING -> {
                if (c == '\n') {
                    state = State.TEXT;
                    text(c, shown);
                } else if (c == BEL) {
                    state = State.TEXT;
                } else if (c == ESC) {
                    state = State.STRING_ESCAPE;
                }
            }
            case STRING_ESCAPE -> {
                state = State.ESCAPE;
                if (c == '\\') {
                    state = State.TEXT;
                } else {
                    next(c, shown);
                }
            }
        }
    }

    private void text(char c, StringBuilder shown) {
        if (c == ESC) {
            state = State.ESCAPE;
        } else if (c == C1_CSI) {
            state = State.CONTROL;
        } else if (c == '\r') {
            state = State.AFTER_RETURN;
            shown.append('\n');
        } else if (c == '\n' || c == '\t' || !(Character.isISOControl(c) || turnsDirection(c))) {
            shown.append(c);
        }
    }

    private static boolean turnsDirection(char c) {
        return (c >= '\u202a' && c <= '\u202e') || (c >= '\u2066' && c <= '\u2069');
    }
}
