package dev.kiln.cluster;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.build.BuildEvent;
import dev.kiln.image.TagKey;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.testing.BuildUsers;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.PostgresServer;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/**
 * An installation as an operator runs it: registry nodes and builder nodes, each a process on a host of its own, one
 * PostgreSQL, one shared folder, and HAProxy with the configuration that is shipped. Nodes that end are started again, as a
 * supervisor does.
 */
final class ClusterLab implements AutoCloseable {
    static final String REPOSITORY = "team/app";
    static final List<String> PLATFORMS = List.of("linux/amd64", "linux/arm64");
    /** Long enough for a slow machine; nothing is asserted about how long anything takes. */
    static final Duration SOON = Duration.ofMinutes(4);
    /** {@code queue.lease} of all nodes. */
    static final Duration LEASE = Duration.ofSeconds(21);
    /** What a build takes, but for a long one. */
    private static final String SECONDS = "1.5";

    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path directory;
    private final Path runs;
    private final int registries;
    final Hosts hosts;
    final PostgresServer postgres;
    final GitOrigin origin;
    final List<ClusterNode> nodes;
    private final Process proxy;
    private final URI registry;
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    /** @param builders one for each platform, or some for each */
    ClusterLab(Path directory, int registries, int builders) {
        this.directory = directory;
        this.registries = registries;
        try {
            assumeTrue(Files.isExecutable(Path.of("/usr/sbin/haproxy")), "needs haproxy");
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
            hosts = Hosts.create(registries + builders);
            postgres = PostgresServer.create(hosts.database());
            // Not below /tmp, which a build has for itself.
            runs = Files.createTempDirectory(Path.of("/run"), "kiln-runs-");
            Files.setPosixFilePermissions(runs, PosixFilePermissions.fromString("rwxrwxrwx"));
            origin = GitOrigin.create(directory.resolve("origin.git"));
            int port = FreePorts.next();
            registry = URI.create("http://127.0.0.1:" + port);
            nodes = IntStream.range(0, registries + builders)
                    .mapToObj(this::node)
                    .toList();
            proxy = proxy(port);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private ClusterNode node(int host) {
        boolean isRegistry = host < registries;
        String contactPoints = IntStream.range(0, registries)
                .mapToObj(i -> "\"" + hosts.address(i) + ":8558\"")
                .toList()
                .toString();
        String config = """
                kiln {
                  roles = [%s]
                  cluster { discovery = config, host = "%s", contact-points = %s }
                  http { host = "%2$s", port = 8080, public-url = "%s", trusted-proxies = ["%s"] }
                  admin { host = "%2$s", port = 8081 }
                  store.dir = "%s"
                  shutdown.unready = 3s
                  repositories = [{
                    name = "team/app"
                    source { url = "%s", refresh = 1s, timeout = 60s }
                    platforms = %s
                    builder = make
                  }]
                  repository-defaults { partial-after = 1h, build.backoff = 1s }
                  builders.make {
                    type = command, command = ["bash", "build.sh"], environment { RUNS = "%s" }
                  }
                  worker { slots = 2, uid-base = %d, platforms = ["%s"] }
                  queue { lease = %ds, ask = 2s }
                }
                akka.cluster.split-brain-resolver.stable-after = 7s
                """.formatted(
                                isRegistry ? "registry" : "builder",
                                hosts.address(host),
                                contactPoints,
                                registry,
                                hosts.gateway(),
                                directory.resolve("store"),
                                origin.directory(),
                                PLATFORMS.stream()
                                        .map(platform -> "\"" + platform + "\"")
                                        .toList(),
                                runs,
                                BuildUsers.next(),
                                PLATFORMS.get(Math.max(0, host - registries) % PLATFORMS.size()),
                                LEASE.toSeconds())
                + (isRegistry ? postgres.config() : "");
        return new ClusterNode(
                directory.resolve("node-" + host),
                config,
                hosts.on(host),
                URI.create("http://" + hosts.address(host) + ":8080"));
    }

    private Process proxy(int port) throws IOException {
        Path log = directory.resolve("haproxy.log");
        ProcessBuilder builder = new ProcessBuilder("haproxy", "-db", "-f", "cluster-config/haproxy.cfg")
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().put("KILN_BIND", "127.0.0.1:" + port);
        for (int i = 0; i < 3; i++) {
            // fewer nodes than the shipped file names: the others are down for ever
            String address = i < registries ? hosts.address(i) : hosts.gateway();
            builder.environment().put("KILN_REGISTRY_" + (i + 1), address + ":8080");
        }
        return builder.start();
    }

    /** The load balancer. */
    URI registry() {
        return registry;
    }

    /** Admin listener of a registry node. */
    URI admin(int node) {
        return URI.create("http://" + hosts.address(node) + ":8081");
    }

    /** The beginning of a node's address among members. */
    String remoting(ClusterNode node) {
        return "akka://kiln@" + hosts.address(nodes.indexOf(node)) + ":";
    }

    List<ClusterNode> registryNodes() {
        return nodes.subList(0, registries);
    }

    List<ClusterNode> builderNodes() {
        return nodes.subList(registries, nodes.size());
    }

    /** Starts all nodes at once, and returns when they are one cluster and HAProxy gives them requests. */
    void start() {
        nodes.forEach(ClusterNode::start);
        nodes.forEach(this::awaitReady);
        Awaitility.await("the load balancer gives requests to nodes")
                .atMost(SOON)
                .until(() -> get(registry.resolve("/health/ready")).isPresent());
    }

    void awaitReady(ClusterNode node) {
        try {
            Awaitility.await(node + " is ready")
                    .atMost(SOON)
                    .until(() -> get(node.http().resolve("/health/ready")).isPresent());
        } catch (ConditionTimeoutException e) {
            throw new AssertionError(node + " is not ready; it says:\n" + node.log(), e);
        }
    }

    /** The body of a 200. */
    private Optional<String> get(URI address) {
        return get(address, "User-Agent", "curl/8.5.0");
    }

    private Optional<String> get(URI address, String header, String value) {
        try {
            HttpResponse<String> answer = http.send(
                    HttpRequest.newBuilder(address)
                            .timeout(Duration.ofSeconds(10))
                            .header(header, value)
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            return answer.statusCode() == 200 ? Optional.of(answer.body()) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private JsonNode json(URI address) {
        String body = Awaitility.await(address.toString())
                .atMost(SOON)
                .until(() -> get(address), Optional::isPresent)
                .orElseThrow();
        try {
            return JSON.readTree(body);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A commit that can be built, under a new branch; its id. */
    String branch(String name) {
        return branch(name, SECONDS);
    }

    /** As {@link #branch}, for builds that take four leases: two attempts that went on would share more than the one that is allowed. */
    String longBranch(String name) {
        return branch(name, Long.toString(4 * LEASE.toSeconds()));
    }

    private String branch(String name, String seconds) {
        try (InputStream build = ClusterLab.class.getResourceAsStream("/cluster/build.sh")) {
            String commit = origin.commit(
                    Map.of("build.sh", new String(build.readAllBytes(), StandardCharsets.UTF_8), "seconds", seconds),
                    name);
            origin.ref("refs/heads/" + name, commit);
            return commit;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Where the build queue came to last, as the nodes' logs say. */
    ClusterNode queuesNode() {
        return registryNodes().stream()
                .max(Comparator.comparing(node -> node.log()
                        .lines()
                        .filter(line -> line.contains("the build queue is on this node"))
                        .reduce("", (before, later) -> later)))
                .orElseThrow();
    }

    /** Has the builds of a revision begun without waiting for them, and returns when the first runs. */
    Running begin(String commit) {
        Running running = Awaitility.await("a build of " + commit + " has begun")
                .atMost(SOON)
                .until(
                        () -> {
                            get(
                                    registry.resolve("/v2/" + REPOSITORY + "/manifests/" + commit),
                                    "Prefer",
                                    "respond-async");
                            return running(commit);
                        },
                        Optional::isPresent)
                .orElseThrow();
        Awaitility.await("its process runs")
                .atMost(SOON)
                .until(() -> runs().stream().anyMatch(run -> run.build().equals(running.build())));
        return running;
    }

    /** A build and the builder that has its lease. */
    record Running(BuildKey build, ClusterNode builder) {}

    private Optional<Running> running(String commit) {
        for (JsonNode entry : queue().path("entries")) {
            if (entry.path("revision").asText().equals(commit) && entry.has("worker")) {
                String worker = entry.path("worker").asText();
                return builderNodes().stream()
                        .filter(node -> node.isCalled(worker))
                        .findFirst()
                        .map(node -> new Running(BuildKey.of(entry.path("id").asText()), node));
            }
        }
        return Optional.empty();
    }

    /** Returns when {@code running} was lost there and has begun on another builder. */
    void awaitElsewhere(Running running) {
        Awaitility.await(running + " has begun elsewhere")
                .atMost(SOON)
                .until(() -> journal().builds().getOrDefault(running.build().toString(), List.of()).stream()
                        .filter(BuildEvent.AttemptStarted.class::isInstance)
                        .map(event -> ((BuildEvent.AttemptStarted) event).worker())
                        .anyMatch(worker -> !running.builder().isCalled(worker)));
    }

    /** Cuts a registry node off from the database alone, and returns when it has left the cluster for it. */
    void cutFromDatabaseUntilItLeaves(ClusterNode node) {
        int before = departures(node);
        hosts.cutFromDatabase(nodes.indexOf(node));
        Awaitility.await(node + " has left").atMost(SOON).until(() -> departures(node) > before);
    }

    private static int departures(ClusterNode node) {
        return (int) node.log()
                .lines()
                .filter(line ->
                        line.equals("kiln ends: the database is out of reach of this node, and within that of others"))
                .count();
    }

    JsonNode queue() {
        return json(admin(0).resolve("/api/v1/queue"));
    }

    /** Waits until nothing waits and nothing runs. */
    void awaitIdle() {
        Awaitility.await("the queue is empty")
                .atMost(SOON)
                .until(() -> queue().path("entries").isEmpty());
    }

    JournalReader journal() {
        return postgres.journal();
    }

    Path store() {
        return directory.resolve("store");
    }

    /** Builds as the cluster tells them. */
    Map<String, History.Report> reported(Iterable<String> builds) {
        Map<String, History.Report> reports = new TreeMap<>();
        for (String build : builds) {
            JsonNode status =
                    json(registry.resolve("/api/v1/builds/" + BuildKey.of(build).id()));
            JsonNode manifest = status.at("/manifest/digest");
            reports.put(
                    build,
                    new History.Report(
                            status.path("phase").asText(),
                            manifest.isMissingNode() ? Optional.empty() : Optional.of(new Digest(manifest.asText()))));
        }
        return reports;
    }

    /** The indexes of tags that are revisions, oldest first, as the cluster tells them. */
    Map<String, List<Digest>> composed(Iterable<String> tags) {
        Map<String, List<Digest>> indexes = new TreeMap<>();
        for (String tag : tags) {
            TagKey key = TagKey.of(tag);
            if (key.revision().isPresent()) {
                List<Digest> digests = new ArrayList<>();
                json(registry.resolve("/api/v1/indexes?repository=" + key.repository() + "&tag=" + key.tag()))
                        .path("indexes")
                        .forEach(index ->
                                digests.add(new Digest(index.path("digest").asText())));
                indexes.put(tag, digests);
            }
        }
        return indexes;
    }

    /** For how long each attempt's processes lived, as they themselves wrote it down. */
    List<History.Run> runs() {
        List<History.Run> found = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(runs)) {
            for (Path file : files) {
                String[] name = file.getFileName().toString().split("@");
                List<String> beats = Files.readAllLines(file).stream()
                        .filter(line -> line.length() == 19)
                        .toList();
                if (!beats.isEmpty()) {
                    found.add(new History.Run(
                            BuildKey.of(REPOSITORY + "@" + name[0] + "@" + name[1].replace('~', '/')),
                            name[2],
                            instant(beats.get(0)),
                            instant(beats.get(beats.size() - 1))));
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    private static Instant instant(String nanos) {
        return Instant.ofEpochSecond(0, Long.parseLong(nanos));
    }

    @Override
    public void close() {
        nodes.forEach(ClusterNode::close);
        proxy.destroyForcibly().onExit().join();
        postgres.close();
        hosts.close();
        try (Stream<Path> files = Files.list(runs)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(runs);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
