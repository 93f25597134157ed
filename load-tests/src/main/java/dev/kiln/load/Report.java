package dev.kiln.load;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** What people read in the end: a table, the targets, and whether each is met. */
final class Report {
    private final List<Comparison> comparisons = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();
    private final List<Verdict> verdicts = new ArrayList<>();

    /** A figure beside the bound that it should keep. */
    record Verdict(String what, double value, boolean atLeast, double target) {
        boolean met() {
            return atLeast ? value >= target : value <= target;
        }

        String bound() {
            return (atLeast ? "at least " : "at most ") + target;
        }
    }

    void add(Comparison comparison) {
        comparisons.add(comparison);
    }

    /** A line of its own, in the words of {@link String#format}. */
    void note(String format, Object... arguments) {
        notes.add(String.format(Locale.ROOT, format, arguments));
    }

    void atLeast(double target, double value, String what) {
        verdicts.add(new Verdict(what, value, true, target));
    }

    void atMost(double target, double value, String what) {
        verdicts.add(new Verdict(what, value, false, target));
    }

    boolean missed() {
        return !verdicts.stream().allMatch(Verdict::met);
    }

    List<Verdict> verdicts() {
        return List.copyOf(verdicts);
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
        for (Verdict verdict : verdicts) {
            text.append(String.format(
                    Locale.ROOT,
                    "%s  %-68s %6.2f  (%s)%n",
                    verdict.met() ? "PASS" : "FAIL",
                    verdict.what(),
                    verdict.value(),
                    verdict.bound()));
        }
        return text.toString();
    }
}
