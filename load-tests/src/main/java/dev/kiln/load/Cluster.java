package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A whole installation as {@code cluster-config/try-cluster} runs it: three registry nodes, two builders, HAProxy. */
final class Cluster implements AutoCloseable {
    static final List<String> REGISTRIES = List.of("registry-1", "registry-2", "registry-3");
    static final List<String> BUILDERS = List.of("builder-amd64", "builder-arm64");
    /** What {@code haproxy.cfg} says of two health checks that fail: {@code inter 1s fall 2}. */
    static final double TWO_HEALTH_CHECKS = 2;

    private static final Duration START = Duration.ofMinutes(4);
    private static final int ENDS_WITHIN_SECONDS = 120;

    private final Path directory;
    private final String network;
    private final Server balancer;

    private Cluster(Path directory, String network, Server balancer) {
        this.directory = directory;
        this.network = network;
        this.balancer = balancer;
    }

    /**
     * Starts it in a new folder, and returns when every node answers.
     *
     * @param config HOCON for all nodes
     * @param more options of the script
     */
    static Cluster start(Options options, Path directory, String config, List<String> more)
            throws IOException, InterruptedException {
        int port = Servers.freePort();
        ThreadLocalRandom random = ThreadLocalRandom.current();
        String network = "127." + random.nextInt(16, 256) + "." + random.nextInt(256);
        Path overlay = Files.writeString(directory.resolveSibling(directory.getFileName() + ".conf"), config);
        List<String> command = new ArrayList<>(List.of(
                options.tryCluster().toString(),
                "--port",
                Integer.toString(port),
                "--network",
                network,
                "--dir",
                directory.toString(),
                "--config",
                overlay.toString(),
                "--jar",
                options.jar().toString()));
        command.addAll(more);
        Path log = directory.resolveSibling(directory.getFileName() + ".log");
        Process script = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        Cluster cluster =
                new Cluster(directory, network, new Server("cluster", port, script, List.of(script.toHandle())));
        long deadline = System.nanoTime() + START.toNanos();
        while (!Files.readString(log).contains("Ctrl-C ends it all")) {
            if (!script.isAlive() || System.nanoTime() > deadline) {
                cluster.close();
                throw new IOException("could not start the cluster:\n" + Files.readString(log));
            }
            script.waitFor(200, TimeUnit.MILLISECONDS);
        }
        return cluster;
    }

    /** HAProxy before all nodes. */
    Server balancer() {
        return balancer;
    }

    /** Of a registry node's public listener, {@code host:port}. */
    String address(String registry) {
        return network + "." + (REGISTRIES.indexOf(registry) + 1) + ":8080";
    }

    List<String> addresses(List<String> registries) {
        return registries.stream().map(this::address).toList();
    }

    ProcessHandle process(String name) throws IOException {
        long pid = Long.parseLong(
                Files.readString(directory.resolve(name + ".pid")).strip());
        return ProcessHandle.of(pid).orElseThrow(() -> new IOException(name + " does not run"));
    }

    List<ProcessHandle> processes(List<String> names) throws IOException {
        List<ProcessHandle> processes = new ArrayList<>();
        for (String name : names) {
            processes.add(process(name));
        }
        return processes;
    }

    /** As {@code kill -9}; the time of it, as {@link System#nanoTime}. */
    long kill(String name) throws IOException {
        ProcessHandle process = process(name);
        long now = System.nanoTime();
        process.destroyForcibly();
        process.onExit().join();
        return now;
    }

    /** What the cluster calls a node. */
    String nodeName(String name) throws IOException {
        return Files.readString(directory.resolve(name).resolve("data/node-name"))
                .strip();
    }

    private String log(String name) throws IOException {
        return Files.readString(directory.resolve(name + ".log"));
    }

    /** The registry node that formed the cluster: it has the coordinators of all shards, so its loss is the worst. */
    String oldest() throws IOException {
        for (String name : REGISTRIES) {
            if (log(name).contains("forming one")) {
                return name;
            }
        }
        throw new IOException("no registry node says that it formed the cluster");
    }

    /** Whether that node has the shard of an entity; needs {@link #shardsInTheLog}. */
    boolean owns(String registry, String type, String entity) throws IOException {
        String shard = Integer.toString(Math.abs(entity.hashCode() % 100));
        String log = log(registry);
        return count(log, type + ": Starting shard \\[" + shard + "\\] in region")
                > count(log, type + ": Shard \\[" + shard + "\\] handoff complete");
    }

    private static int count(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        int count = 0;
        while (matcher.find()) {
            count++;
        }
        return count;
    }

    /** Options of the script that have nodes log which shards they have. */
    static List<String> shardsInTheLog(Path directory) throws IOException {
        Path logback = Files.writeString(directory.resolve("logback.xml"), """
                <configuration>
                  <appender name="stderr" class="ch.qos.logback.core.ConsoleAppender">
                    <target>System.err</target>
                    <encoder><pattern>%d %-5level %logger - %msg%n</pattern></encoder>
                  </appender>
                  <logger name="akka.cluster.sharding.ShardRegion" level="DEBUG"/>
                  <root level="INFO"><appender-ref ref="stderr"/></root>
                </configuration>
                """);
        return List.of("--java", "-Dlogback.configurationFile=" + logback, "--java", "-Dakka.loglevel=DEBUG");
    }

    /** Ends it in good order, and waits for that. */
    @Override
    public void close() {
        Process script = balancer.process();
        script.destroy();
        try {
            if (!script.waitFor(ENDS_WITHIN_SECONDS, TimeUnit.SECONDS)) {
                // what it started ends with it
                script.destroyForcibly();
            }
        } catch (InterruptedException e) {
            script.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
