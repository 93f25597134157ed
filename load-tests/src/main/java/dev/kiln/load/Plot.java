package dev.kiln.load;

import java.util.List;
import java.util.Locale;

/** The comparisons as bars, and each figure beside its bound, in an SVG of nothing but rectangles and text. */
final class Plot {
    private static final int WIDTH = 760;
    private static final int LEFT = 130;
    private static final int BAR = 18;
    private static final int LONGEST = 460;
    /** Where a figure's bound is: what is twice that and more is as long as bars get. */
    private static final int BOUND = LONGEST / 2;

    private static final String OURS = "#c2410c";
    private static final String THEIRS = "#94a3b8";

    private Plot() {}

    static String svg(List<Comparison> comparisons, List<Report.Verdict> verdicts) {
        StringBuilder body = new StringBuilder();
        int y = 10;
        for (Comparison comparison : comparisons) {
            y += 24;
            body.append(text(10, y, "bold", comparison.title()));
            y = bars(body, comparison, y, comparison.unit() + "/s", true);
            y = bars(body, comparison, y, comparison.unit() + " per CPU second", false);
            y += 16;
        }
        y = bounds(body, verdicts, y + 24);
        return String.format(
                Locale.ROOT,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\""
                        + " font-size=\"12\">%n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>%n%s</svg>%n",
                WIDTH,
                y + 10,
                body);
    }

    private static int bars(StringBuilder body, Comparison comparison, int top, String unit, boolean perSecond) {
        int y = top + 20;
        body.append(text(10, y, "normal", unit));
        double largest = 0;
        for (String server : comparison.servers()) {
            largest = Math.max(largest, value(comparison, server, perSecond));
        }
        for (String server : comparison.servers()) {
            double value = value(comparison, server, perSecond);
            y += BAR + 4;
            String colour = server.equals(comparison.subject()) ? OURS : THEIRS;
            body.append(text(10, y, "normal", "  " + server))
                    .append(bar(LEFT, y, LONGEST * value / largest, colour))
                    .append(text(
                            LEFT + LONGEST * value / largest + 6,
                            y,
                            "normal",
                            String.format(Locale.ROOT, "%.1f", value)));
        }
        return y + 4;
    }

    private static int bounds(StringBuilder body, List<Report.Verdict> verdicts, int top) {
        body.append(text(10, top, "bold", "Figures beside their bounds (the line)"));
        int y = top;
        for (Report.Verdict verdict : verdicts) {
            y += BAR + 4;
            body.append(text(10, y, "normal", verdict.what()));
            y += BAR + 4;
            double length = Math.min(LONGEST, BOUND * verdict.value() / verdict.target());
            body.append(bar(LEFT, y, length, verdict.met() ? OURS : THEIRS))
                    .append(bar(LEFT + BOUND, y, 2, "black"))
                    .append(text(
                            LEFT + Math.max(length, BOUND) + 6,
                            y,
                            "normal",
                            String.format(
                                    Locale.ROOT,
                                    "%.2f, %s: %s",
                                    verdict.value(),
                                    verdict.bound(),
                                    verdict.met() ? "met" : "missed")));
        }
        return y + 4;
    }

    private static String bar(int x, int y, double length, String colour) {
        return String.format(
                Locale.ROOT,
                "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
                x,
                y - BAR + 5,
                length,
                BAR,
                colour);
    }

    private static double value(Comparison comparison, String server, boolean perSecond) {
        return perSecond ? comparison.perSecond(server) : comparison.perCpuSecond(server);
    }

    private static String text(double x, int y, String weight, String text) {
        return String.format(
                Locale.ROOT, "<text x=\"%.0f\" y=\"%d\" font-weight=\"%s\">%s</text>%n", x, y, weight, text);
    }
}
