package dev.kiln.load;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What people read in the end: a table, the targets, and whether each is met. */
final class Report {
    private final List<Comparison> comparisons = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    private final List<String> verdicts = new ArrayList<>();
    private boolean missed;

    void add(Comparison comparison) {
        comparisons.add(comparison);
    }

    /** A line of its own, in the words of {@link String#format}. */
    void note(String format, Object... arguments) {
        notes.add(String.format(Locale.ROOT, format, arguments));
    }

    void atLeast(double target, double value, String what) {
        verdict(value >= target, what, value, "at least", target);
    }

    void atMost(double target, double value, String what) {
        verdict(value <= target, what, value, "at most", target);
    }

    private void verdict(boolean met, String what, double value, String bound, double target) {
        missed |= !met;
        verdicts.add(String.format(
                Locale.ROOT, "%s  %-68s %6.2f  (%s %s)", met ? "PASS" : "FAIL", what, value, bound, target));
    }

    boolean missed() {
        return missed;
    }

    List<Comparison> comparisons() {
        return List.copyOf(comparisons);
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        for (Comparison comparison : comparisons) {
            text.append(String.format(
                    Locale.ROOT,
                    "%n%-34s %14s %14s %16s %12s%n",
                    comparison.title(),
                    comparison.unit() + "/s",
                    "/CPU-second",
                    comparison.subject() + " is x",
                    "by CPU x"));
            for (String server : comparison.servers()) {
                text.append(String.format(
                        Locale.ROOT,
                        "  %-32s %14.1f %14.1f %16.2f %12.2f%n",
                        server,
                        comparison.perSecond(server),
                        comparison.perCpuSecond(server),
                        comparison.ratio(comparison.subject(), server),
                        comparison.cpuRatio(comparison.subject(), server)));
            }
        }
        text.append(String.format("%n"));
        notes.forEach(note -> text.append(note).append(String.format("%n")));
        text.append(String.format("%n"));
        verdicts.forEach(verdict -> text.append(verdict).append(String.format("%n")));
        return text.toString();
    }
}
