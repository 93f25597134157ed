package dev.kiln.load;

import dev.kiln.load.Options.Scenario;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Runs Kiln, docker-registry and nginx side by side on loopback with the same image, measures them in turn, and prints how
 * they compare; then a cluster, as it is shipped. Needs what README.md lists.
 */
public final class LoadTests {
    private LoadTests() {}

    /** Exits with 0 when all was measured, 1 when it was not (with --check: or a target was missed), 2 for a wrong command line. */
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Options options;
        try {
            options = Options.parse(arguments);
        } catch (IllegalArgumentException e) {
            System.err.println(e.getMessage() + "\n" + Options.USAGE);
            System.exit(2);
            return;
        }
        System.exit(run(options) ? 0 : 1);
    }

    private static boolean run(Options options) throws IOException, InterruptedException {
        // Builders run as users of their own and have to get through.
        Path work = Files.createTempDirectory(
                "kiln-load-", PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        Bench bench = new Bench(options, work);
        // However this ends, with a signal too: no server and no file stays behind.
        Runtime.getRuntime().addShutdownHook(new Thread(bench::cleanUp));
        measure(bench);
        String table = bench.report().toString();
        bench.say("%s%n", table);
        Files.createDirectories(options.output());
        Files.writeString(options.output().resolve("load-tests.txt"), table);
        Files.writeString(
                options.output().resolve("load-tests.svg"),
                Plot.svg(bench.report().comparisons(), bench.report().verdicts()));
        return !(options.check() && bench.report().missed());
    }

    private static void measure(Bench bench) throws IOException, InterruptedException {
        Set<Scenario> scenarios = bench.options().scenarios();
        if (scenarios.stream().anyMatch(OneNode.SCENARIOS::contains)) {
            new OneNode(bench).measure();
        }
        Clusters clusters = new Clusters(bench);
        if (scenarios.contains(Scenario.CLUSTER)) {
            clusters.throughput();
        }
        if (scenarios.contains(Scenario.RECOVERY)) {
            clusters.recovery();
        }
    }
}
