package dev.kiln.load;

import dev.kiln.load.Images.Image;
import dev.kiln.load.Options.Scenario;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Runs Kiln, docker-registry and nginx side by side on loopback with the same image, measures them in turn, and prints how
 * they compare; then a cluster, as it is shipped. Needs what README.md lists.
 */
public final class LoadTests {
    private static final int BLOB_CONNECTIONS = 4;
    private static final int SMALL_CONNECTIONS = 16;
    private static final long LAYER_BYTES = 64_000_000;
    private static final long SMALL_BYTES = 4_000;
    private static final long HUGE_BYTES = 1_000_000_000;
    private static final int WARM_UP_SLICE = 2;
    private static final int SETTLE_SLICE = 15;
    private static final int SETTLES_WITHIN_MINUTES = 8;
    /** Over the best slice so far. */
    private static final double FASTER = 1.02;
    /** So many slices that are not: compilers come late, and in steps, to what is done rarely. */
    private static final int SETTLED_AFTER = 3;

    private static final String THREE_NODES = "three nodes";
    private static final String ONE_NODE = "one node";

    private static final PrintStream OUT = System.out;

    private static final Set<Scenario> SINGLE =
            EnumSet.of(Scenario.MANIFEST, Scenario.BLOB, Scenario.PUSH, Scenario.FIRST, Scenario.HUGE);

    private final Options options;
    private final Path work;
    private final Path git;
    private final Report report = new Report();
    private final List<Server> running = new CopyOnWriteArrayList<>();

    private LoadTests(Options options, Path work) {
        this.options = options;
        this.work = work;
        this.git = work.resolve("git");
    }

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
        LoadTests tests = new LoadTests(options, work);
        // However this ends, with a signal too: no server and no file stays behind.
        Runtime.getRuntime().addShutdownHook(new Thread(tests::cleanUp));
        tests.measure();
        String table = tests.report.toString();
        OUT.println(table);
        Files.createDirectories(options.output());
        Files.writeString(options.output().resolve("load-tests.txt"), table);
        Files.writeString(
                options.output().resolve("load-tests.svg"),
                Plot.svg(tests.report.comparisons(), tests.report.verdicts()));
        return !(options.check() && tests.report.missed());
    }

    private void measure() throws IOException, InterruptedException {
        if (options.scenarios().stream().anyMatch(SINGLE::contains)) {
            oneNode();
        }
        if (options.scenarios().contains(Scenario.CLUSTER)) {
            throughput();
        }
        if (options.scenarios().contains(Scenario.RECOVERY)) {
            recovery();
        }
    }

    private void oneNode() throws IOException, InterruptedException {
        for (String name : List.of("small", "large", "huge")) {
            Sources.create(git, name);
        }
        Server kiln = running(Servers.kiln(options, work.resolve("kiln"), git));
        List<Server> servers = List.of(
                kiln,
                running(Servers.dockerRegistry(work.resolve("registry"))),
                running(Servers.nginx(work.resolve("nginx"))));
        if (options.scenarios().contains(Scenario.MANIFEST)) {
            manifests(servers);
        }
        if (options.scenarios().contains(Scenario.BLOB)) {
            blobs(servers);
        }
        if (options.scenarios().contains(Scenario.PUSH)) {
            pushes(servers.subList(0, 2));
        }
        if (options.scenarios().contains(Scenario.FIRST)) {
            firstPull(kiln);
        }
        if (options.scenarios().contains(Scenario.HUGE)) {
            huge(kiln);
        }
    }

    private void throughput() throws IOException, InterruptedException {
        Sources.tags(git, options.tags());
        int few = Math.max(1, options.tags() / 10);
        Path directory = Files.createDirectories(work.resolve("throughput"));
        try (Cluster cluster = Cluster.start(
                options, directory.resolve("cluster"), ClusterThroughput.config(git), List.of("--java", "-Xmx512m"))) {
            running(cluster.balancer());
            Server three = cluster.balancer().counting(THREE_NODES, cluster.processes(Cluster.REGISTRIES));
            OUT.printf("building %d tags in a cluster%n", options.tags());
            ClusterThroughput.buildAll(three, options.tags());
            Path fewPulls = ClusterThroughput.pulls(directory, few);
            double kept = compareNodes(cluster, three, directory, fewPulls);
            report.atLeast(1, kept, "warm pulls per CPU-second, three nodes over one");
            double keptByNginx = compareNginx(three, directory.resolve("nginx"), few, fewPulls);
            report.atLeast(0.9, kept / keptByNginx, "the same, of what it is with nginx for nodes");
            compareTags(three, few, fewPulls, ClusterThroughput.pulls(directory, options.tags()));
        }
    }

    private double compareNodes(Cluster cluster, Server three, Path directory, Path pulls)
            throws IOException, InterruptedException {
        List<String> first = Cluster.REGISTRIES.subList(0, 1);
        Server one = running(ClusterThroughput.balancer(
                ONE_NODE, options, directory.resolve("one"), cluster.addresses(first), cluster.processes(first)));
        settle(three, pulls);
        settle(one, pulls);
        double kept = threeOverOne("warm pulls through HAProxy", three, one, pulls);
        one.close();

        // What of that is the nodes' own: without a load balancer between, and with clients of its own for each.
        Comparison comparison = new Comparison("the same without HAProxy", "pulls", 1);
        rounds(comparison.title(), List.of(three, one), server -> {
            List<String> addresses = cluster.addresses(
                    Cluster.REGISTRIES.subList(0, server.counted().size()));
            comparison.add(server.name(), Manifests.measure(server, addresses, pulls, options.seconds()));
        });
        report.add(comparison);
        return kept;
    }

    /** What of that any server would lose: the same answers as files of nginx, behind the same load balancer. */
    private double compareNginx(Server balancer, Path directory, int tags, Path pulls)
            throws IOException, InterruptedException {
        List<Server> nodes = new ArrayList<>();
        for (String node : Cluster.REGISTRIES) {
            Path home = directory.resolve(node);
            nodes.add(running(Servers.nginx(home)));
            ClusterThroughput.save(balancer, tags, home.resolve("www"));
        }
        List<String> addresses =
                nodes.stream().map(nginx -> "127.0.0.1:" + nginx.port()).toList();
        List<ProcessHandle> processes =
                nodes.stream().map(nginx -> nginx.process().toHandle()).toList();
        Server three = running(
                ClusterThroughput.balancer(THREE_NODES, options, directory.resolve("three"), addresses, processes));
        Server one = running(ClusterThroughput.balancer(
                ONE_NODE, options, directory.resolve("one"), addresses.subList(0, 1), processes.subList(0, 1)));
        double kept = threeOverOne("the same with nginx for nodes", three, one, pulls);
        Stream.of(three, one).forEach(Server::close);
        nodes.forEach(Server::close);
        return kept;
    }

    /** @return the pulls that a CPU second of all three serves, over those that one of the one does */
    private double threeOverOne(String title, Server three, Server one, Path pulls)
            throws IOException, InterruptedException {
        Comparison comparison = new Comparison(title, "pulls", 1);
        rounds(
                title,
                List.of(three, one),
                server -> comparison.add(server.name(), Manifests.measure(server, pulls, options.seconds())));
        report.add(comparison);
        return comparison.cpuRatio(three.name(), one.name());
    }

    private void compareTags(Server three, int few, Path fewPulls, Path manyPulls)
            throws IOException, InterruptedException {
        Comparison comparison = new Comparison("warm pulls, three nodes", "pulls", 1);
        Server many = three.counting(options.tags() + " tags", three.counted());
        Server some = three.counting(few + " tags", three.counted());
        settle(many, manyPulls);
        rounds(
                comparison.title(),
                List.of(many, some),
                server -> comparison.add(
                        server.name(),
                        Manifests.measure(
                                server, server.name().equals(many.name()) ? manyPulls : fewPulls, options.seconds())));
        report.add(comparison);
        report.atLeast(
                0.9, comparison.ratio(many.name(), some.name()), "warm pulls per second, of ten times as many tags");
    }

    private void recovery() throws IOException, InterruptedException {
        Sources.create(git, "small");
        Sources.create(git, "slow");
        recovery("away", List.of("--once"));
        recovery("restarted", List.of());
    }

    /** @param then what becomes of a node that was killed */
    private void recovery(String then, List<String> more) throws IOException, InterruptedException {
        Path directory = Files.createDirectories(work.resolve("recovery-" + then));
        List<String> script = new ArrayList<>(Cluster.shardsInTheLog(directory));
        script.addAll(more);
        try (Cluster cluster = Cluster.start(options, directory.resolve("cluster"), Recovery.config(git), script)) {
            running(cluster.balancer());
            Recovery recovery = new Recovery(cluster);
            recovery.buildAll();
            double builder = recovery.killBuilder();
            OUT.printf("recovery, %s: the build of a killed builder was resumed after %.1f s%n", then, builder);
            Recovery.Pulls pulls = recovery.killOldest();
            recovery.close();
            OUT.printf("recovery, %s: pulls were answered after %s and %s s%n", then, pulls.others(), pulls.owned());
            boolean away = then.equals("away");
            String node = away ? "a registry node is gone" : "a registry node is killed, and started again";
            report.note(
                    "%s: %d tags that it did not own are answered after %.1f s (half of them) to %.1f s,",
                    node, pulls.others().size(), Comparison.median(pulls.others()), Collections.max(pulls.others()));
            report.note(
                    "  %d that it owned after %.1f s to %.1f s",
                    pulls.owned().size(), Comparison.median(pulls.owned()), Collections.max(pulls.owned()));
            report.atMost(
                    Cluster.TWO_HEALTH_CHECKS, Collections.max(pulls.others()), node + ", seconds to all other tags");
            report.atMost(
                    Recovery.STABLE_AFTER + 5, Collections.max(pulls.owned()), node + ", seconds to its own tags");
            report.atMost(
                    away ? Recovery.LEASE + 5 : Recovery.RESTART,
                    builder,
                    (away ? "a builder is gone" : "a builder is killed, and started again")
                            + ", seconds to the resumed build");
        }
    }

    private Server running(Server server) {
        running.add(server);
        return server;
    }

    private void cleanUp() {
        running.forEach(Server::close);
        try {
            Command.run(Path.of("/"), "rm", "-rf", work.toString());
        } catch (IOException e) {
            System.err.println("could not remove " + work + ": " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void manifests(List<Server> servers) throws IOException, InterruptedException {
        Image image = share(servers, "small");
        compare("manifest by tag", servers, "/v2/small/manifests/main", image.indexDigest());
        compare("manifest by digest", servers, "/v2/small/manifests/" + image.indexDigest(), image.indexDigest());
    }

    private void compare(String title, List<Server> servers, String path, String digest)
            throws IOException, InterruptedException {
        Comparison comparison = new Comparison(title, "requests", 1);
        for (Server server : servers) {
            Images.verify(server, path, digest);
            warmUp(server, slice -> Manifests.measure(slice, path, WARM_UP_SLICE));
        }
        rounds(
                title,
                servers,
                server -> comparison.add(server.name(), Manifests.measure(server, path, options.seconds())));
        report.add(comparison);
        report.atLeast(12, comparison.ratio("kiln", "docker-registry"), title + ", requests/s of docker-registry");
        report.atLeast(0.4, comparison.ratio("kiln", "nginx"), title + ", requests/s of nginx");
    }

    private void blobs(List<Server> servers) throws IOException, InterruptedException {
        Image image = share(servers, "large");
        String path = "/v2/large/blobs/" + image.layerDigest();
        String title = "256 MB blob, " + BLOB_CONNECTIONS + " connections";
        Comparison comparison = new Comparison(title, "MB", 1e6);
        for (Server server : servers) {
            Images.verify(server, path, image.layerDigest());
            warmUp(server, slice -> Blobs.measure(slice, path, BLOB_CONNECTIONS, WARM_UP_SLICE));
        }
        Server kiln = servers.get(0);
        kiln.forgetPeak();
        double before = kiln.residentBytes();
        rounds(
                title,
                servers,
                server -> comparison.add(
                        server.name(), Blobs.measure(server, path, BLOB_CONNECTIONS, options.seconds())));
        report.add(comparison);
        report.note(
                "kiln's resident memory, %d connections: %.0f MB before, %.0f MB at most",
                BLOB_CONNECTIONS, before / 1e6, kiln.peakBytes() / 1e6);
        report.atLeast(0.6, comparison.ratio("kiln", "docker-registry"), title + ", bytes/s of docker-registry");
        flatMemory(kiln, path);
    }

    private void flatMemory(Server kiln, String path) throws IOException, InterruptedException {
        double few = peak(kiln, path, 5);
        double many = peak(kiln, path, 50);
        report.note(
                "kiln's resident memory: %.0f MB at most with 5 connections, %.0f MB with 50", few / 1e6, many / 1e6);
        report.atMost(1.2, many / few, "256 MB blob, peak memory with 50 connections over that with 5");
    }

    private void pushes(List<Server> servers) throws IOException, InterruptedException {
        push("push of 64 MB layers, " + BLOB_CONNECTIONS + " connections", servers, LAYER_BYTES, BLOB_CONNECTIONS, 0.6);
        push("push of 4 kB layers, " + SMALL_CONNECTIONS + " connections", servers, SMALL_BYTES, SMALL_CONNECTIONS, 1);
        Pushes huge = new Pushes(servers.get(0), "pushed/huge", HUGE_BYTES);
        double few = peak(huge, servers.get(0), 5);
        double many = peak(huge, servers.get(0), 50);
        report.note(
                "kiln's resident memory: %.0f MB at most with 5 pushers of 1 GB layers, %.0f MB with 50",
                few / 1e6, many / 1e6);
        report.atMost(1.2, many / few, "push of 1 GB layers, peak memory with 50 pushers over that with 5");
    }

    private void push(String title, List<Server> servers, long size, int connections, double target)
            throws IOException, InterruptedException {
        boolean large = size >= LAYER_BYTES;
        Comparison comparison = large ? new Comparison(title, "MB", 1e6) : new Comparison(title, "layers", 1);
        for (Server server : servers) {
            warmUp(server, slice -> new Pushes(slice, "pushed/app", size).measure(connections, WARM_UP_SLICE, large));
        }
        rounds(
                title,
                servers,
                server -> comparison.add(
                        server.name(),
                        new Pushes(server, "pushed/app", size).measure(connections, options.seconds(), large)));
        report.add(comparison);
        report.atLeast(target, comparison.ratio("kiln", "docker-registry"), title + ", of docker-registry");
    }

    private double peak(Pushes pushes, Server server, int connections) throws IOException, InterruptedException {
        server.forgetPeak();
        pushes.measure(connections, options.seconds(), true);
        return server.peakBytes();
    }

    private double peak(Server server, String path, int connections) throws IOException, InterruptedException {
        server.forgetPeak();
        Blobs.measure(server, path, connections, options.seconds());
        return server.peakBytes();
    }

    private void firstPull(Server kiln) throws IOException, InterruptedException {
        FirstPull scenario = new FirstPull(work.resolve("first"), git);
        List<Double> pulls = new ArrayList<>();
        List<Double> byHand = new ArrayList<>();
        List<Double> ratios = new ArrayList<>();
        for (int round = 0; round <= options.rounds(); round++) {
            FirstPull.Times times = scenario.measure(kiln, round);
            OUT.printf(
                    "first pull: %.2f s, by hand %.2f s%s%n",
                    times.pull(), times.byHand(), round == 0 ? " (warm-up)" : "");
            if (round > 0) {
                pulls.add(times.pull());
                byHand.add(times.byHand());
                ratios.add(times.pull() / times.byHand());
            }
        }
        report.note(
                "first pull of a build of about %d s: %.2f s; git clone, build and copy by hand: %.2f s",
                Sources.SLOW_SECONDS, Comparison.median(pulls), Comparison.median(byHand));
        report.atMost(1.3, Comparison.median(ratios), "first pull, time of clone, build and copy by hand");
    }

    private void huge(Server kiln) throws IOException, InterruptedException {
        kiln.forgetPeak();
        double before = kiln.residentBytes();
        long start = System.nanoTime();
        Image image = Images.pull(kiln, "huge");
        double built = (System.nanoTime() - start) / 1e9;
        long bytes = Images.verify(kiln, "/v2/huge/blobs/" + image.layerDigest(), image.layerDigest());
        double pulled = (System.nanoTime() - start) / 1e9 - built;
        report.note(
                "a layer of %.2f GB with a heap of 512 MB: built and taken in in %.1f s, pulled and hashed in %.1f s",
                bytes / 1e9, built, pulled);
        report.note("  kiln's resident memory: %.0f MB before, %.0f MB at most", before / 1e6, kiln.peakBytes() / 1e6);
        report.atMost(1.2, kiln.peakBytes() / before, "a layer of 2 GB, peak memory over that before");
    }

    /** Has Kiln build the image, and gives its bytes to the others. */
    private Image share(List<Server> servers, String name) throws IOException, InterruptedException {
        Server kiln = servers.get(0);
        Image image = Images.pull(kiln, name);
        Command.run(
                work,
                "skopeo",
                "copy",
                "--quiet",
                "--all",
                "--preserve-digests",
                "--src-tls-verify=false",
                "--dest-tls-verify=false",
                "docker://127.0.0.1:" + kiln.port() + "/" + name + ":main",
                "docker://127.0.0.1:" + servers.get(1).port() + "/" + name + ":main");
        Path www = work.resolve("nginx/www");
        String repository = "/v2/" + name;
        Images.save(kiln, repository + "/manifests/main", www);
        Images.save(kiln, repository + "/manifests/" + image.indexDigest(), www);
        Images.save(kiln, repository + "/blobs/" + image.layerDigest(), www);
        return image;
    }

    /** Until the server has had so much CPU time: where others use the machine too, a compiler needs longer to get it. */
    private void warmUp(Server server, Measurement load) throws IOException, InterruptedException {
        // Each of its processes compiles for itself.
        int seconds = options.warmUp() * server.counted().size();
        double until = server.cpuSeconds() + seconds;
        long deadline = System.nanoTime() + 4L * seconds * 1_000_000_000L;
        while (server.cpuSeconds() < until && System.nanoTime() < deadline) {
            load.of(server);
        }
    }

    /** Until it gets no faster: at a cluster, compilers work for minutes. */
    private void settle(Server server, Path pulls) throws IOException, InterruptedException {
        warmUp(server, slice -> Manifests.measure(slice, pulls, WARM_UP_SLICE));
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(SETTLES_WITHIN_MINUTES);
        double best = 0;
        int notFaster = 0;
        while (notFaster < SETTLED_AFTER && System.nanoTime() < deadline) {
            double now = Manifests.measure(server, pulls, SETTLE_SLICE).perSecond();
            notFaster = now > FASTER * best ? 0 : notFaster + 1;
            best = Math.max(best, now);
        }
        OUT.printf("%s settled at %.0f pulls/s%n", server.name(), best);
    }

    private interface Measurement {
        void of(Server server) throws IOException, InterruptedException;
    }

    /** All servers once a round, each time another one first. */
    private void rounds(String title, List<Server> servers, Measurement measurement)
            throws IOException, InterruptedException {
        List<Server> order = new ArrayList<>(servers);
        for (int round = 1; round <= options.rounds(); round++) {
            OUT.printf("%s: round %d of %d%n", title, round, options.rounds());
            for (Server server : order) {
                measurement.of(server);
            }
            Collections.rotate(order, 1);
        }
    }
}
