package dev.kiln.load;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** What several servers did in one scenario, one sample of each a round. */
final class Comparison {
    private final String title;
    private final String unit;
    private final double scale;
    private final Map<String, List<Sample>> samples = new LinkedHashMap<>();

    /**
     * A comparison without samples.
     *
     * @param unit of what is shown a second
     * @param scale how many of what is counted make one of the unit
     */
    Comparison(String title, String unit, double scale) {
        this.title = title;
        this.unit = unit;
        this.scale = scale;
    }

    void add(String server, Sample sample) {
        samples.computeIfAbsent(server, name -> new ArrayList<>()).add(sample);
    }

    String title() {
        return title;
    }

    String unit() {
        return unit;
    }

    /** Which of them the others are compared with: the first that was measured. */
    String subject() {
        return samples.keySet().iterator().next();
    }

    Iterable<String> servers() {
        return samples.keySet();
    }

    double perSecond(String server) {
        return median(samples.get(server), Sample::perSecond) / scale;
    }

    double perCpuSecond(String server) {
        return median(samples.get(server), Sample::perCpuSecond) / scale;
    }

    /** The median of the rounds' ratios: what slows the whole machine down in a round does so on both sides. */
    double ratio(String server, String other) {
        return ratio(server, other, Sample::perSecond);
    }

    /** The same of what they do in a CPU second of their own: fair when the machine is shared. */
    double cpuRatio(String server, String other) {
        return ratio(server, other, Sample::perCpuSecond);
    }

    private double ratio(String server, String other, ToDoubleFunction<Sample> figure) {
        List<Double> ratios = new ArrayList<>();
        for (int i = 0; i < samples.get(server).size(); i++) {
            ratios.add(figure.applyAsDouble(samples.get(server).get(i))
                    / figure.applyAsDouble(samples.get(other).get(i)));
        }
        return median(ratios);
    }

    private static double median(List<Sample> samples, ToDoubleFunction<Sample> figure) {
        return median(samples.stream().mapToDouble(figure).boxed().toList());
    }

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int middle = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
    }
}
