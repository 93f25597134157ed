package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Digest;
import dev.kiln.testing.JournalReader;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Everything that may happen to a cluster happens to it while clients pull: cold, warm and by digest. Afterwards all that was
 * seen is checked. {@code -Dkiln.seed=N} repeats a run's faults, {@code -Dkiln.faults=N} says how many chance adds.
 */
class ClusterFaultsIT {
    @TempDir
    Path directory;

    @Test
    void aFewFaults() throws Exception {
        faults(
                Integer.getInteger("kiln.faults", 0),
                List.of(Fault.KILL_QUEUE, Fault.CUT_BUILDER, Fault.PAUSE_SHORTLY, Fault.CUT_OFF_REGISTRY));
    }

    @Test
    @Tag("long")
    void manyFaults() throws Exception {
        faults(Integer.getInteger("kiln.faults", 80), List.of(Fault.values()));
    }

    private enum Fault {
        KILL_REGISTRY,
        KILL_QUEUE,
        KILL_BUILDER,
        PAUSE_SHORTLY,
        PAUSE_LONG,
        RESTART_DATABASE,
        CUT_FROM_DATABASE_SHORTLY,
        CUT_FROM_DATABASE,
        CUT_REGISTRIES,
        CUT_OFF_REGISTRY,
        CUT_BUILDER,
        CUT_BUILDER_FROM_ONE,
        CUT_BUILDERS,
        PAUSE_BUILDER
    }

    /** @param sure what happens first, in any order; then, {@code number} times, what chance decides */
    private void faults(int number, List<Fault> sure) throws Exception {
        long seed = Long.getLong("kiln.seed", System.nanoTime());
        System.out.println("faults in a cluster with -Dkiln.seed=" + seed);
        Random random = new Random(seed);
        ExecutorService threads = Executors.newCachedThreadPool();
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
        try (ClusterLab lab = new ClusterLab(directory, 3, 2 * ClusterLab.PLATFORMS.size())) {
            lab.start();
            List<Fault> plan = new ArrayList<>(sure);
            Collections.shuffle(plan, random);
            while (plan.size() < sure.size() + number) {
                plan.add(Fault.values()[random.nextInt(Fault.values().length)]);
            }
            // Before the first look-up, whose answer stays fresh for a while.
            Queue<String> longBuilds = new ArrayDeque<>();
            for (int i = 0; i < plan.size(); i++) {
                longBuilds.add(lab.longBranch("long" + i));
            }
            Load load = new Load(lab, 3, threads, timer, seed);
            load.start(20 + 10 * plan.size());
            for (Fault fault : plan) {
                pass(timer, Duration.ofMillis(500 + random.nextInt(4000)));
                apply(fault, lab, longBuilds.remove(), random, timer);
            }
            load.stop();
            lab.nodes.forEach(lab::awaitReady);
            lab.awaitIdle();
            check(lab, load);
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("with -Dkiln.seed=" + seed + ": " + e.getMessage(), e);
        } finally {
            threads.shutdownNow();
            timer.shutdownNow();
        }
    }

    /** @param longBuild a revision that nobody has asked for, whose builds take longer than leases */
    private static void apply(
            Fault fault, ClusterLab lab, String longBuild, Random random, ScheduledExecutorService timer) {
        int registry = random.nextInt(lab.registryNodes().size());
        int other = (registry + 1 + random.nextInt(2)) % 3;
        ClusterNode node = lab.nodes.get(registry);
        List<ClusterNode> builders = new ArrayList<>(lab.builderNodes());
        Collections.shuffle(builders, random);
        ClusterNode builder = builders.get(0);
        System.out.println(Instant.now() + " " + fault);
        switch (fault) {
            case KILL_QUEUE -> {
                ClusterNode queues = lab.queuesNode();
                queues.kill();
                lab.awaitReady(queues);
            }
            case KILL_REGISTRY -> {
                node.kill();
                lab.awaitReady(node);
            }
            case KILL_BUILDER -> lab.begin(longBuild).builder().kill();
            case PAUSE_SHORTLY -> pause(node, Duration.ofMillis(1500), timer);
            case PAUSE_LONG -> {
                pause(node, Duration.ofSeconds(25), timer);
                lab.awaitReady(node);
            }
            case RESTART_DATABASE -> {
                lab.postgres.stop();
                lab.postgres.start();
            }
            case CUT_FROM_DATABASE_SHORTLY -> {
                lab.hosts.cutFromDatabase(registry);
                pass(timer, Duration.ofSeconds(1 + random.nextInt(15)));
                lab.hosts.mendToDatabase(registry);
            }
            case CUT_FROM_DATABASE -> {
                ClusterNode queues = lab.queuesNode();
                lab.cutFromDatabaseUntilItLeaves(queues);
                lab.hosts.mendToDatabase(lab.nodes.indexOf(queues));
                lab.awaitReady(queues);
            }
            case CUT_REGISTRIES -> cut(lab, registry, other, random, timer);
            case CUT_OFF_REGISTRY -> {
                List<Integer> others =
                        IntStream.range(0, 3).filter(i -> i != registry).boxed().toList();
                others.forEach(i -> lab.hosts.cut(registry, i));
                pass(timer, forLessOrMoreThanTheClusterBears(random));
                others.forEach(i -> lab.hosts.mend(registry, i));
                lab.registryNodes().forEach(lab::awaitReady);
            }
            case CUT_BUILDER -> {
                ClusterLab.Running running = lab.begin(longBuild);
                int host = lab.nodes.indexOf(running.builder());
                IntStream.range(0, 3).forEach(i -> lab.hosts.cut(host, i));
                lab.awaitElsewhere(running);
                IntStream.range(0, 3).forEach(i -> lab.hosts.mend(host, i));
            }
            case CUT_BUILDER_FROM_ONE -> cut(lab, lab.nodes.indexOf(builder), registry, random, timer);
            case CUT_BUILDERS ->
                cut(lab, lab.nodes.indexOf(builder), lab.nodes.indexOf(builders.get(1)), random, timer);
            case PAUSE_BUILDER -> {
                ClusterLab.Running running = lab.begin(longBuild);
                running.builder().freeze();
                try {
                    lab.awaitElsewhere(running);
                } finally {
                    running.builder().thaw();
                }
            }
        }
    }

    private static Duration forLessOrMoreThanTheClusterBears(Random random) {
        return Duration.ofSeconds(random.nextBoolean() ? 3 : 25);
    }

    private static void cut(ClusterLab lab, int one, int other, Random random, ScheduledExecutorService timer) {
        lab.hosts.cut(one, other);
        pass(timer, forLessOrMoreThanTheClusterBears(random));
        lab.hosts.mend(one, other);
        lab.registryNodes().forEach(lab::awaitReady);
    }

    private static void pause(ClusterNode node, Duration time, ScheduledExecutorService timer) {
        node.freeze();
        try {
            pass(timer, time);
        } finally {
            node.thaw();
        }
    }

    /** A fault lasts as long as it lasts: nothing is decided by it. */
    private static void pass(ScheduledExecutorService timer, Duration time) {
        CountDownLatch over = new CountDownLatch(1);
        timer.schedule(over::countDown, time.toMillis(), TimeUnit.MILLISECONDS);
        try {
            over.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static void check(ClusterLab lab, Load load) throws InterruptedException {
        Map<Digest, Optional<String>> afterwards = load.client.readAgain();
        JournalReader journal = lab.journal();
        List<String> queued = new ArrayList<>();
        lab.queue()
                .path("entries")
                .forEach(entry -> queued.add(entry.path("key").asText()));
        List<History.Run> runs = lab.runs();
        History history = new History(
                List.copyOf(load.pulls),
                load.client.indexes(),
                afterwards,
                runs,
                // a worker that was cut off right after its grant may go on for a term
                ClusterLab.LEASE,
                journal.builds(),
                journal.tags(),
                journal.queue(),
                lab.reported(journal.builds().keySet()),
                lab.composed(journal.tags().keySet()),
                queued);
        System.out.println(load.pulls.size() + " pulls, " + journal.builds().size() + " builds, " + runs.size()
                + " attempts that ran, " + journal.rows() + " events, " + afterwards.size() + " digests; lives: "
                + lab.nodes.stream().map(node -> node + " " + node.lives()).collect(Collectors.joining(", ")));
        assertThat(HistoryCheck.violations(history)).isEmpty();
    }
}
