package dev.kiln.load;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * How long it takes from the death of a node until all goes on. Every pull is of a repository of its own, so that what it
 * needs (the source, the tag, the revision, the build) is spread over all nodes, and no node's cache holds it.
 */
final class Recovery {
    static final int REPOSITORIES = 40;
    /** Of the shipped configuration: akka.cluster.split-brain-resolver.stable-after. */
    static final double STABLE_AFTER = 20;

    /** Of the configuration here. */
    static final double LEASE = 60;
    /** A builder's start, on a machine that does nothing else. */
    static final double RESTART = 20;

    private static final String REVISION = "org.opencontainers.image.revision\":\"";
    private static final int REVISION_LENGTH = 40;
    private static final int CALM_MILLIS = 20_000;
    private static final long PATIENCE_SECONDS = 240;

    private final Cluster cluster;
    private final ExecutorService threads = Executors.newCachedThreadPool();

    Recovery(Cluster cluster) {
        this.cluster = cluster;
    }

    /** For {@link Sources#create} of {@code small} and {@code slow}. */
    static String config(Path git) {
        return """
                kiln {
                  repositories = [
                    { name = "app-*", source { url = "%1$s/small.git", refresh = 1s }, platforms = ["linux/amd64"], builder = small }
                    { name = slow, source.url = "%1$s/slow.git", platforms = ["linux/amd64"], builder = slow }
                  ]
                  builders {
                    small { type = command, command = ["sh", "build.sh"], environment { LAYER_BYTES = "1000" } }
                    slow { type = command, command = ["sh", "build.sh"], environment { LAYER_BYTES = "1000", BUILD_SECONDS = "600" } }
                  }
                  worker { platforms = ["*"], slots = 4 }
                  cache { max-life = 1s, partial-life = 1s }
                  queue.lease = %2$.0fs
                }
                """.formatted(git, LEASE);
    }

    /** Seconds from the kill of a registry node to the first answer, for pulls that did not need it and for those that did. */
    record Pulls(List<Double> others, List<Double> owned) {}

    private record Pulled(boolean owned, double seconds) {}

    /**
     * Has every tag built, and pulled through each node: as after some minutes of any other load, nodes know the owners then.
     * One that does not asks the oldest node.
     */
    void buildAll() throws IOException, InterruptedException {
        each(i -> {
            Images.pullUntilAnswered(cluster.balancer(), path(i));
            for (String node : Cluster.REGISTRIES) {
                Images.pull(node, URI.create("http://" + cluster.address(node) + path(i)));
            }
            return null;
        });
    }

    private static String path(int i) {
        return "/v2/app-" + i + "/manifests/main";
    }

    Pulls killOldest() throws IOException, InterruptedException {
        String oldest = cluster.oldest();
        String revision = revision(Images.text(cluster.balancer(), path(0)));
        List<Boolean> owned = new ArrayList<>();
        for (int i = 0; i < REPOSITORIES; i++) {
            String name = "app-" + i;
            owned.add(cluster.owns(oldest, "Source", name)
                    || cluster.owns(oldest, "Tag", name + ":main")
                    || cluster.owns(oldest, "Tag", name + ":" + revision)
                    || cluster.owns(oldest, "Build", name + "@" + revision + "@linux/amd64"));
        }
        // what nodes answer without asking is a second old at most, by the configuration here
        cluster.balancer().pause(3000);
        long killed = cluster.kill(oldest);
        List<Pulled> all = each(i -> new Pulled(owned.get(i), untilAnswered(path(i), killed)));
        return new Pulls(
                all.stream()
                        .filter(pulled -> !pulled.owned())
                        .map(Pulled::seconds)
                        .toList(),
                all.stream().filter(Pulled::owned).map(Pulled::seconds).toList());
    }

    private static String revision(String index) {
        int start = index.indexOf(REVISION) + REVISION.length();
        return index.substring(start, start + REVISION_LENGTH);
    }

    private double untilAnswered(String path, long since) throws IOException, InterruptedException {
        Images.pullUntilAnswered(cluster.balancer(), path);
        return (System.nanoTime() - since) / 1e9;
    }

    /** Seconds from the kill of a builder to the next attempt of the build that it ran. */
    double killBuilder() throws IOException, InterruptedException {
        // nodes that have just begun to build use all there is of a small machine
        cluster.balancer().pause(CALM_MILLIS);
        Future<String> pull = threads.submit(() -> Images.text(cluster.balancer(), "/v2/slow/manifests/main"));
        String builder = builderOf(1);
        long killed = cluster.kill(builder);
        while (!attempt(2)) {
            pauseSince(killed, "the build of a killed builder was not resumed");
        }
        double seconds = (System.nanoTime() - killed) / 1e9;
        pull.cancel(true);
        return seconds;
    }

    /** The builder that runs the attempt, as soon as one does. */
    private String builderOf(int attempt) throws IOException, InterruptedException {
        long begun = System.nanoTime();
        while (true) {
            if (attempt(attempt)) {
                String builds = builds();
                for (String name : Cluster.BUILDERS) {
                    if (builds.contains("\"worker\":\"" + cluster.nodeName(name) + "\"")) {
                        return name;
                    }
                }
            }
            pauseSince(begun, "no builder runs the build");
        }
    }

    private void pauseSince(long begun, String otherwise) throws IOException, InterruptedException {
        if (System.nanoTime() - begun > PATIENCE_SECONDS * 1_000_000_000L) {
            throw new IOException(otherwise);
        }
        cluster.balancer().pause(100);
    }

    private boolean attempt(int number) throws IOException, InterruptedException {
        String builds = builds();
        return builds.contains("\"phase\":\"running\"") && builds.contains("\"attempt\":" + number);
    }

    private String builds() throws IOException, InterruptedException {
        return Images.text(cluster.balancer(), "/api/v1/builds?repository=slow");
    }

    private interface Task<A> {
        A of(int i) throws IOException, InterruptedException;
    }

    private <A> List<A> each(Task<A> task) throws IOException, InterruptedException {
        List<Future<A>> running = new ArrayList<>();
        for (int i = 0; i < REPOSITORIES; i++) {
            int number = i;
            running.add(threads.submit(() -> task.of(number)));
        }
        List<A> results = new ArrayList<>();
        for (Future<A> one : running) {
            try {
                results.add(one.get());
            } catch (ExecutionException e) {
                throw new IOException("a pull failed", e.getCause());
            }
        }
        return results;
    }

    void close() {
        threads.shutdownNow();
    }
}
