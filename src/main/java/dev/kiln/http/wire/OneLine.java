package dev.kiln.http.wire;

/** Anybody's words made fit for one line of printable ASCII, so that they can stand in a header or a reason phrase. */
public final class OneLine {
    private OneLine() {}

    /** At most {@code max} characters; runs of white space and control characters become one blank, the rest {@code ?}. */
    public static String of(String text, int max) {
        StringBuilder line = new StringBuilder(Math.min(text.length(), max + 1));
        for (int i = 0; i < text.length() && line.length() <= max; i++) {
            char c = text.charAt(i);
            if (c <= ' ' || c == 0x7f) {
                if (!line.isEmpty() && line.charAt(line.length() - 1) != ' ') {
                    line.append(' ');
                }
            } else {
                line.append(c < 0x7f ? c : '?');
            }
        }
        if (line.length() > max) {
            line.setLength(Math.max(0, max - 3));
            line.append("...");
        }
        return line.toString().strip();
    }

    /** A value of the {@code Warning} header (RFC 7234, 5.5) that says {@code line}. */
    public static String warning(String line) {
        return "299 - \"" + line.replace("\\", "\\\\").replace("\"", "\\\"") + "\"";
    }
}
