package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Warm pulls of many tags through HAProxy: with one node behind it and with three, of some tags and of ten times as many. */
final class ClusterThroughput {
    private static final int PULLERS = 16;
    private static final String REPOSITORY = "/v2/tags/manifests/t";

    private ClusterThroughput() {}

    /** The configuration of all nodes, for {@link Sources#tags}. */
    static String config(Path git) {
        return """
                kiln {
                  repositories = [
                    { name = tags, source.url = "%s/tags.git", platforms = ["linux/amd64"], builder = files }
                  ]
                  builders.files { type = jib }
                  worker.slots = 4
                }
                """.formatted(git);
    }

    /** Has every tag built. */
    static void buildAll(Server balancer, int tags) throws IOException, InterruptedException {
        ExecutorService threads = Executors.newFixedThreadPool(PULLERS);
        try {
            List<Future<?>> pulls = new ArrayList<>();
            for (int i = 0; i < tags; i++) {
                String path = REPOSITORY + i;
                pulls.add(threads.submit(() -> {
                    Images.pullUntilAnswered(balancer, path);
                    return null;
                }));
            }
            for (Future<?> pull : pulls) {
                pull.get();
            }
        } catch (ExecutionException e) {
            throw new IOException("could not have all tags built", e.getCause());
        } finally {
            threads.shutdownNow();
        }
    }

    /**
     * HAProxy with the shipped configuration before some nodes alone: the others are down for ever.
     *
     * @param addresses of one to three nodes, {@code host:port}
     * @param nodes their processes
     */
    static Server balancer(
            String name, Options options, Path directory, List<String> addresses, List<ProcessHandle> nodes)
            throws IOException, InterruptedException {
        int port = Servers.freePort();
        List<String> command = new ArrayList<>(List.of("env", "KILN_BIND=127.0.0.1:" + port));
        for (int i = 0; i < Cluster.REGISTRIES.size(); i++) {
            String address = i < addresses.size() ? addresses.get(i) : "127.0.0.1:" + Servers.freePort();
            command.add("KILN_REGISTRY_" + (i + 1) + "=" + address);
        }
        Path config = options.tryCluster().resolveSibling("haproxy.cfg");
        command.addAll(List.of(Command.find("haproxy"), "-db", "-f", config.toString()));
        return Server.start("haproxy", port, Files.createDirectories(directory), command)
                .counting(name, nodes);
    }

    /** Puts what {@code balancer} answers for that many tags, and to its own health checks, where nginx finds it as files. */
    static void save(Server balancer, int tags, Path www) throws IOException, InterruptedException {
        for (int i = 0; i < tags; i++) {
            Images.save(balancer, REPOSITORY + i, www);
        }
        Files.writeString(Files.createDirectories(www.resolve("health")).resolve("ready"), "");
    }

    /** A program for wrk that pulls that many tags, one after the other, over and over. */
    static Path pulls(Path directory, int tags) throws IOException {
        return Files.writeString(directory.resolve("pull-" + tags + ".lua"), """
                local requests = {}
                local next = 0
                init = function(args)
                  for i = 0, %1$d - 1 do requests[i] = wrk.format(nil, "%2$s" .. i) end
                end
                request = function()
                  next = (next + 1) %% %1$d
                  return requests[next]
                end
                """.formatted(tags, REPOSITORY));
    }
}
