package dev.kiln.boot.cli;

import java.io.PrintWriter;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Lines that change. On a terminal they are painted over in place; elsewhere, where every line stays for ever, a line is printed
 * when its {@code key} part says something new.
 */
final class Progress {
    private static final String UP_AND_CLEAR = "\u001b[1A\u001b[2K";

    private final PrintWriter out;
    private final boolean terminal;
    private final Map<String, String> printed = new HashMap<>();
    private int painted;

    /** @param terminal whether {@code out} understands cursor movement */
    Progress(PrintWriter out, boolean terminal) {
        this.out = out;
        this.terminal = terminal;
    }

    /**
     * A line of the display.
     *
     * @param name what it is about
     * @param key what of it is news when it changes
     * @param text all of it
     */
    record Line(String name, String key, String text) {}

    void show(List<Line> lines) {
        if (terminal) {
            out.print(UP_AND_CLEAR.repeat(painted));
            lines.forEach(line -> out.println(line.name() + "  " + line.text()));
            painted = lines.size();
        } else {
            for (Line line : lines) {
                if (!line.key().equals(printed.put(line.name(), line.key()))) {
                    out.println(line.name() + "  " + line.text());
                }
            }
        }
        out.flush();
    }
}
