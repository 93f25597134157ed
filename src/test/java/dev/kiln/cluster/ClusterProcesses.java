package dev.kiln.cluster;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PostgresServer;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import dev.kiln.testing.QuickStart;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * Nodes of one cluster as processes of their own, on 127.0.0.1 with ports that stay the same over restarts, one PostgreSQL
 * and one store. They serve {@code team/app} of two platforms, whose builds wait at a gate when the test says so. Declare
 * all nodes first: each is told the registry nodes that were declared before it was launched.
 */
public final class ClusterProcesses implements AutoCloseable {
    public static final String AMD64 = "linux/amd64";
    public static final String ARM64 = "linux/arm64/v8";
    public static final String REPOSITORY = "team/app";
    /** Long enough for a slow machine; nothing is asserted about how long anything takes. */
    public static final Duration SOON = Duration.ofMinutes(3);

    /** Several servers on a small machine. */
    private static final String MEMORY = "-Xmx320m";

    private static final String SCRIPT = """
            echo "at the gate"
            gate="$GATES/$KILN_REVISION-$KILN_ARCH"
            while [ -e "$gate" ]; do sleep 0.1; done
            sleep() { :; } # the demonstration takes its time
            . ./image.sh
            """;

    private final Path directory;
    private final PostgresServer postgres;
    private final Path gates;
    private final List<Node> nodes = new ArrayList<>();
    private final GitOrigin origin;
    private String common = "";

    private ClusterProcesses(Path directory, PostgresServer postgres, GitOrigin origin) throws IOException {
        this.directory = directory;
        this.postgres = postgres;
        // builds run as other users
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
        // Not below /tmp, which a build has for itself where the server is root.
        Path run = Path.of("/run");
        gates = Files.createTempDirectory(
                Files.isWritable(run) ? run : directory,
                "kiln-gates-",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxr-xr-x")));
        this.origin = origin;
    }

    /** As {@link #in(Path, PostgresServer)}, for the sources of an earlier installation. */
    public static ClusterProcesses in(Path directory, PostgresServer postgres, GitOrigin origin) {
        try {
            return new ClusterProcesses(directory, postgres, origin);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** No node yet. The caller closes {@code postgres} after this. */
    public static ClusterProcesses in(Path directory, PostgresServer postgres) {
        try {
            return new ClusterProcesses(directory, postgres, GitOrigin.create(directory.resolve("origin.git")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** HOCON for every node that is launched from now on, on top of the usual. */
    public ClusterProcesses with(String hocon) {
        common = hocon;
        return this;
    }

    /** Declares a node that answers clients. {@code more} is HOCON on top of what is common. */
    public Node registry(String name, String more) {
        return declare(name, "kiln.roles = [registry]\n", true, more);
    }

    /** Declares a node that runs the builds of some platforms. */
    public Node builder(String name, List<String> platforms, String more) {
        String offered = platforms.stream().map(text -> '"' + text + '"').collect(Collectors.joining(", "));
        return declare(name, """
                kiln.roles = [builder]
                kiln.worker.platforms = [%s]
                kiln.database { url = "jdbc:postgresql://127.0.0.1:1/none", password = "" }
                """.formatted(offered), false, more);
    }

    /** Declares a node that does both. */
    public Node both(String name, String more) {
        return declare(name, "", true, more);
    }

    private Node declare(String name, String role, boolean registry, String more) {
        try {
            Path home = Files.createDirectory(
                    directory.resolve(name),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx--x--x")));
            Node node = new Node(name, home, role, registry, more);
            nodes.add(node);
            return node;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public List<Node> nodes() {
        return List.copyOf(nodes);
    }

    public List<Node> registries() {
        return nodes.stream().filter(Node::isRegistry).toList();
    }

    /** Launches all that do not run, and returns when all are members. */
    public void startAll() {
        nodes.stream().filter(node -> !node.isRunning()).forEach(Node::launch);
        nodes.forEach(Node::awaitReady);
    }

    /** Where its sources come from. */
    public GitOrigin origin() {
        return origin;
    }

    /** A new commit that can be built, under a new branch; its id. */
    public String branch(String name) {
        String commit = commit(name);
        origin.ref("refs/heads/" + name, commit);
        return commit;
    }

    /** As {@link #branch}, whose build of this platform waits until {@link #open}. */
    public String gatedBranch(String name, String... platforms) {
        String commit = commit(name);
        try {
            for (String platform : platforms) {
                Files.createFile(gate(commit, platform));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        origin.ref("refs/heads/" + name, commit);
        return commit;
    }

    private String commit(String message) {
        try (InputStream image = KilnProcess.class.getResourceAsStream("/demo/hello/build.sh")) {
            return origin.commit(
                    Map.of("build.sh", SCRIPT, "image.sh", new String(image.readAllBytes(), StandardCharsets.UTF_8)),
                    message);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public void open(String revision, String platform) {
        try {
            Files.delete(gate(revision, platform));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path gate(String revision, String platform) {
        return gates.resolve(revision + "-" + platform.split("/")[1]);
    }

    public static BuildKey build(String revision, String platform) {
        return BuildKey.of(REPOSITORY + "@" + revision + "@" + platform);
    }

    public JournalReader journal() {
        return postgres.journal();
    }

    /** Ends all nodes at once and hard. */
    @Override
    public void close() {
        nodes.forEach(Node::close);
        try (Stream<Path> shut = Files.list(gates)) {
            for (Path gate : shut.toList()) {
                Files.delete(gate);
            }
            Files.delete(gates);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** One node: its folders and ports stay, its process comes and goes. */
    public final class Node {
        private final String name;
        private final Path home;
        private final String role;
        private final boolean registry;
        private String more;
        private final int http = FreePorts.next();
        private final int admin = FreePorts.next();
        private final int remoting = FreePorts.next();
        private final int management = FreePorts.next();
        private final PullClient client = new PullClient(this::url, REPOSITORY);
        private final KilnProcess server;
        private int launches;

        private Node(String name, Path home, String role, boolean registry, String more) {
            this.name = name;
            this.home = home;
            this.role = role;
            this.registry = registry;
            this.more = more;
            this.server =
                    KilnProcess.prepare(home, "", QuickStart.options(MEMORY).toArray(String[]::new));
        }

        public boolean isRegistry() {
            return registry;
        }

        public URI url() {
            return URI.create("http://127.0.0.1:" + http);
        }

        public URI admin() {
            return URI.create("http://127.0.0.1:" + admin);
        }

        /** {@code host:port} as others know this node. */
        public String remoting() {
            return "127.0.0.1:" + remoting;
        }

        public String management() {
            return "127.0.0.1:" + management;
        }

        public PullClient client() {
            return client;
        }

        public Path dataDir() {
            return home.resolve("data");
        }

        public KilnProcess server() {
            return server;
        }

        private String config() {
            String contactPoints = registries().stream()
                    .map(node -> '"' + node.management() + '"')
                    .collect(Collectors.joining(", "));
            return """
                    kiln.http.port = %d
                    kiln.admin.port = %d
                    kiln.store.dir = "%s"
                    kiln.cluster { discovery = config, port = %d, management-port = %d, contact-points = [%s] }
                    kiln.repositories = [{
                      name = "%s"
                      source { url = "%s", refresh = 1s, timeout = 60s }
                      platforms = ["linux/amd64", "linux/arm64/v8"]
                      builder = make
                    }]
                    kiln.repository-defaults { partial-after = 1h, hop = 20s, patience = 190s, build.backoff = 1s }
                    kiln.builders.make {
                      type = command, command = ["sh", "build.sh"], environment { GATES = "%s" }
                    }
                    kiln.queue { lease = 30s, ask = 1s }
                    kiln.shutdown { unready = 1s, builds = 1s }
                    akka.cluster.split-brain-resolver.stable-after = 7s
                    """.formatted(
                                    http,
                                    admin,
                                    directory.resolve("store"),
                                    remoting,
                                    management,
                                    contactPoints,
                                    REPOSITORY,
                                    origin.directory(),
                                    gates)
                    + postgres.config()
                    + common
                    + "\n"
                    + role
                    + more
                    + "\n";
        }

        /** HOCON that the next launches read, in place of what the node was declared with. */
        public Node with(String hocon) {
            more = hocon;
            return this;
        }

        /** Starts the process, and waits for nothing. */
        public void launch() {
            keepLog();
            server.configure(config());
            server.launch();
            launches++;
        }

        /** Starts the process, and returns when it is a member. */
        public void start() {
            launch();
            awaitReady();
        }

        /** Every life's log is kept beside the latest, {@code kiln.log}. */
        private void keepLog() {
            Path log = home.resolve("kiln.log");
            try {
                if (Files.exists(log)) {
                    Files.move(log, home.resolve("kiln-" + launches + ".log"));
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        public void awaitReady() {
            await(name + " is a member of its cluster")
                    .atMost(SOON)
                    .pollInterval(Duration.ofMillis(100))
                    .until(() -> {
                        if (!isRunning()) {
                            throw new IllegalStateException(name + " has ended:\n" + log());
                        }
                        return readiness() == 200;
                    });
        }

        /** The status of {@code /health/ready}, 0 when nobody answers. */
        public int readiness() {
            return client.request("GET", url(), "/health/ready")
                    .handle((answer, failure) -> failure == null ? answer.status() : 0)
                    .join();
        }

        public Answer get(String path) {
            return PullClient.join(client.request("GET", url(), path));
        }

        /** One build as this node tells it. */
        public JsonNode status(BuildKey build) {
            return get("/api/v1/builds/" + build.id()).json();
        }

        public void awaitPhase(BuildKey build, String phase) {
            await(build + " is " + phase)
                    .atMost(SOON)
                    .until(() -> status(build).path("phase").asText().equals(phase));
        }

        public boolean isRunning() {
            return server.process() != null && server.process().isAlive();
        }

        public String log() {
            return server.log();
        }

        /** SIGTERM; returns when the process has ended. */
        public void stop() {
            server.stop();
        }

        /** SIGTERM, without waiting. */
        public void terminate() {
            signal("TERM");
        }

        public void kill() {
            server.kill();
        }

        /** SIGSTOP. */
        public void freeze() {
            signal("STOP");
        }

        /** SIGCONT. */
        public void thaw() {
            signal("CONT");
        }

        private void signal(String signal) {
            try {
                new ProcessBuilder(
                                "kill",
                                "-" + signal,
                                Long.toString(server.process().pid()))
                        .start()
                        .onExit()
                        .join();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** Waits until the process has ended by itself; its exit code. */
        public int awaitEnd() {
            try {
                if (!server.process().waitFor(SOON.toSeconds(), TimeUnit.SECONDS)) {
                    throw new AssertionError(name + " still runs:\n" + log());
                }
                return server.process().exitValue();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }

        private void close() {
            server.close();
        }

        @Override
        public String toString() {
            return name;
        }
    }
}
