package dev.kiln.load;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * The command line.
 *
 * @param jar Kiln
 * @param tryCluster the script that runs a whole installation
 * @param output the folder for the table and the plot
 * @param rounds how often each server is measured in each scenario
 * @param seconds of one measurement
 * @param warmUp CPU seconds each server is given before the first measurement of a scenario
 * @param tags how many a cluster is asked for, beside a tenth of them
 * @param jvm Java options for Kiln, in addition to {@link Servers#KILN_JVM}
 * @param check whether a missed target is a failure
 */
record Options(
        Path jar,
        Path tryCluster,
        Path output,
        int rounds,
        int seconds,
        int warmUp,
        int tags,
        Set<Scenario> scenarios,
        List<String> jvm,
        boolean check) {
    enum Scenario {
        MANIFEST,
        BLOB,
        PUSH,
        FIRST,
        HUGE,
        CLUSTER,
        RECOVERY
    }

    static final String USAGE = """
            usage: load-tests/run [options]
              --rounds N      how often each server is measured in each scenario (5)
              --seconds N     of one measurement (5)
              --warm-up N     CPU seconds of each server before the first measurement of a scenario (15)
              --tags N        that a cluster is asked for, beside a tenth of them (1000)
              --short         3 rounds of 2 seconds after 6 of warm-up, 200 tags: about nine minutes
              --long          10 rounds of 10 seconds after 30 of warm-up, and the 2 GB layer
              --only LIST     of manifest, blob, push, first, huge, cluster, recovery, separated by commas
                              (all but huge)
              --jvm ARG       a Java option for Kiln; may be repeated
              --jar FILE      Kiln (target/kiln.jar)
              --try-cluster FILE  what runs a cluster (cluster-config/try-cluster)
              --output DIR    for table and plot (load-tests/target)
              --check         exit with 1 when a target is missed""";

    /** @throws IllegalArgumentException saying what is wrong */
    static Options parse(String[] arguments) {
        Path jar = Path.of("target/kiln.jar");
        Path tryCluster = Path.of("cluster-config/try-cluster");
        Path output = Path.of("load-tests/target");
        int rounds = 5;
        int seconds = 5;
        int warmUp = 15;
        int tags = 1000;
        Set<Scenario> scenarios = EnumSet.complementOf(EnumSet.of(Scenario.HUGE));
        List<String> jvm = new ArrayList<>();
        boolean check = false;
        Iterator<String> rest = List.of(arguments).iterator();
        while (rest.hasNext()) {
            String option = rest.next();
            switch (option) {
                case "--rounds" -> rounds = number(option, rest);
                case "--seconds" -> seconds = number(option, rest);
                case "--warm-up" -> warmUp = number(option, rest);
                case "--tags" -> tags = number(option, rest);
                case "--short" -> {
                    rounds = 3;
                    seconds = 2;
                    warmUp = 6;
                    tags = 200;
                }
                case "--long" -> {
                    rounds = 10;
                    seconds = 10;
                    warmUp = 30;
                    scenarios = EnumSet.allOf(Scenario.class);
                }
                case "--only" -> scenarios = scenarios(value(option, rest));
                case "--jvm" -> jvm.add(value(option, rest));
                case "--jar" -> jar = Path.of(value(option, rest));
                case "--try-cluster" -> tryCluster = Path.of(value(option, rest));
                case "--output" -> output = Path.of(value(option, rest));
                case "--check" -> check = true;
                default -> throw new IllegalArgumentException("unknown option " + option);
            }
        }
        return new Options(
                jar.toAbsolutePath(),
                tryCluster.toAbsolutePath(),
                output,
                rounds,
                seconds,
                warmUp,
                tags,
                scenarios,
                List.copyOf(jvm),
                check);
    }

    private static String value(String option, Iterator<String> rest) {
        if (!rest.hasNext()) {
            throw new IllegalArgumentException(option + " needs a value");
        }
        return rest.next();
    }

    private static int number(String option, Iterator<String> rest) {
        String text = value(option, rest);
        if (!text.matches("[1-9][0-9]{0,3}")) {
            throw new IllegalArgumentException(option + " needs a number from 1 to 9999, not " + text);
        }
        return Integer.parseInt(text);
    }

    private static Set<Scenario> scenarios(String list) {
        Set<Scenario> scenarios = EnumSet.noneOf(Scenario.class);
        for (String name : list.split(",", -1)) {
            scenarios.add(Scenario.valueOf(name.toUpperCase(Locale.ROOT)));
        }
        return scenarios;
    }
}
