package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A cluster as it is shipped: how it scales, and how it recovers. */
final class Clusters {
    private static final int SETTLE_SLICE = 15;
    private static final int SETTLES_WITHIN_MINUTES = 8;
    /** Over the best slice so far. */
    private static final double FASTER = 1.02;
    /** So many slices that are not: compilers come late, and in steps, to what is done rarely. */
    private static final int SETTLED_AFTER = 3;

    private static final String THREE_NODES = "three nodes";
    private static final String ONE_NODE = "one node";

    private final Bench bench;
    private final Options options;
    private final Path work;
    private final Path git;
    private final Report report;

    Clusters(Bench bench) {
        this.bench = bench;
        this.options = bench.options();
        this.work = bench.work();
        this.git = bench.git();
        this.report = bench.report();
    }

    void throughput() throws IOException, InterruptedException {
        Sources.tags(git, options.tags());
        int few = Math.max(1, options.tags() / 10);
        Path directory = Files.createDirectories(work.resolve("throughput"));
        try (Cluster cluster = Cluster.start(
                options, directory.resolve("cluster"), ClusterThroughput.config(git), List.of("--java", "-Xmx512m"))) {
            bench.running(cluster.balancer());
            Server three = cluster.balancer().counting(THREE_NODES, cluster.processes(Cluster.REGISTRIES));
            bench.say("building %d tags in a cluster%n", options.tags());
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
        Server one = bench.running(ClusterThroughput.balancer(
                ONE_NODE, options, directory.resolve("one"), cluster.addresses(first), cluster.processes(first)));
        settle(three, pulls);
        settle(one, pulls);
        double kept = threeOverOne("warm pulls through HAProxy", three, one, pulls);
        one.close();

        // What of that is the nodes' own: without a load balancer between, and with clients of its own for each.
        Comparison comparison = new Comparison("the same without HAProxy", "pulls", 1);
        bench.rounds(comparison.title(), List.of(three, one), server -> {
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
            nodes.add(bench.running(Servers.nginx(home)));
            ClusterThroughput.save(balancer, tags, home.resolve("www"));
        }
        List<String> addresses =
                nodes.stream().map(nginx -> "127.0.0.1:" + nginx.port()).toList();
        List<ProcessHandle> processes =
                nodes.stream().map(nginx -> nginx.process().toHandle()).toList();
        Server three = bench.running(
                ClusterThroughput.balancer(THREE_NODES, options, directory.resolve("three"), addresses, processes));
        Server one = bench.running(ClusterThroughput.balancer(
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
        bench.rounds(
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
        bench.rounds(
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

    void recovery() throws IOException, InterruptedException {
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
            bench.running(cluster.balancer());
            Recovery recovery = new Recovery(cluster);
            recovery.buildAll();
            double builder = recovery.killBuilder();
            bench.say("recovery, %s: the build of a killed builder was resumed after %.1f s%n", then, builder);
            Recovery.Pulls pulls = recovery.killOldest();
            recovery.close();
            bench.say("recovery, %s: pulls were answered after %s and %s s%n", then, pulls.others(), pulls.owned());
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

    /** Until it gets no faster: at a cluster, compilers work for minutes. */
    private void settle(Server server, Path pulls) throws IOException, InterruptedException {
        bench.warmUp(server, slice -> Manifests.measure(slice, pulls, Bench.WARM_UP_SLICE));
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(SETTLES_WITHIN_MINUTES);
        double best = 0;
        int notFaster = 0;
        while (notFaster < SETTLED_AFTER && System.nanoTime() < deadline) {
            double now = Manifests.measure(server, pulls, SETTLE_SLICE).perSecond();
            notFaster = now > FASTER * best ? 0 : notFaster + 1;
            best = Math.max(best, now);
        }
        bench.say("%s settled at %.0f pulls/s%n", server.name(), best);
    }
}
