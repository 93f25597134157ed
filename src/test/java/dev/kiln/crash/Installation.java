package dev.kiln.crash;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PullClient;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;

/**
 * A server with one repository, {@code team/app}, of two platforms, whose builds do as the test says: each one that is
 * gated starts a process in a session of its own, which heeds no polite signal, and waits until the test opens its gate.
 */
public final class Installation implements AutoCloseable {
    public static final String AMD64 = "linux/amd64";
    public static final String ARM64 = "linux/arm64/v8";
    public static final String REPOSITORY = "team/app";
    /** Long enough for a slow machine; nothing is asserted about how long anything takes. */
    public static final Duration SOON = Duration.ofMinutes(3);

    /** How soon after its server nothing is left of a build; without a guardian's work that would be never. */
    static final Duration SECONDS = Duration.ofSeconds(20);

    private static final String SCRIPT = """
            case " $GATED " in *" $KILN_PLATFORM "*)
                setsid sh -c 'trap "" TERM HUP INT; while :; do sleep 1; done' "$1" &
                echo "at the gate of $KILN_PLATFORM"
                printf '%s' "$KILN_REVISION $KILN_PLATFORM" >"$TMPDIR/gate"
                mv "$TMPDIR/gate" "$TMPDIR/waiting"
                while [ ! -e "$TMPDIR/go" ]; do sleep 0.1; done
            esac
            for failure in $FAILING; do
                case $failure in "$KILN_PLATFORM="*) echo "failing as told"; exit "${failure#*=}"; esac
            done
            sleep() { :; } # the demonstration takes its time
            . ./image.sh
            """;

    final Path directory;
    public final GitOrigin origin;
    public final KilnProcess server;
    public final PullClient client;
    /** In the command line of every process of every build, and of nothing else. */
    final String mark = "kiln-mark-" + UUID.randomUUID();

    private Installation(Path directory, String... javaOptions) {
        this.directory = directory;
        try {
            // Where a build has no mounts of its own it needs the way to its directory.
            Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        origin = GitOrigin.create(directory.resolve("origin.git"));
        server = KilnProcess.prepare(directory, "", javaOptions);
        client = new PullClient(server::registry, REPOSITORY);
    }

    /** Not started yet. */
    public static Installation in(Path directory, String... javaOptions) {
        return new Installation(directory, javaOptions);
    }

    /** What the test's builds do. */
    public record Builds(String gated, String failing) {
        public static final Builds QUICK = new Builds("", "");

        public static Builds gated(String... platforms) {
            return new Builds(String.join(" ", platforms), "");
        }

        /** @param failures of the form {@code linux/amd64=1} */
        public static Builds failing(String... failures) {
            return new Builds("", String.join(" ", failures));
        }
    }

    /** Starts the server, for the first time or again. {@code more} is HOCON on top of the usual. */
    public void start(Builds builds, String more) {
        configure(builds, more);
        server.start();
    }

    /** What the next start reads. */
    public void configure(Builds builds, String more) {
        server.configure("""
                kiln.repositories = [{
                  name = "team/app"
                  source { url = "%s", refresh = 1s, timeout = 60s }
                  platforms = ["linux/amd64", "linux/arm64/v8"]
                  builder = make
                }]
                kiln.repository-defaults { partial-after = 1h, hop = 20s, patience = 190s, build.backoff = 1s }
                kiln.builders.make {
                  type = command, command = ["sh", "build.sh", "%s"]
                  environment { GATED = "%s", FAILING = "%s" }
                }
                # far longer than a test waits: what ends builds sooner is never the end of their lease
                kiln.queue.lease = 1h
                %s
                """.formatted(origin.directory(), mark, builds.gated(), builds.failing(), more));
    }

    /** A commit that can be built; its id. {@code message} makes it differ from others. */
    String commit(String message) {
        try (InputStream image = KilnProcess.class.getResourceAsStream("/demo/hello/build.sh")) {
            return origin.commit(
                    Map.of("build.sh", SCRIPT, "image.sh", new String(image.readAllBytes(), StandardCharsets.UTF_8)),
                    message);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A new commit under a new branch. */
    public String branch(String name) {
        String commit = commit(name);
        origin.ref("refs/heads/" + name, commit);
        return commit;
    }

    public Path dataDir() {
        return directory.resolve("data");
    }

    public static BuildKey build(String revision, String platform) {
        return BuildKey.of(REPOSITORY + "@" + revision + "@" + platform);
    }

    /** One build as the server tells it; {@code phase} is missing while it was never requested. */
    public JsonNode status(BuildKey build) {
        return PullClient.join(client.request("GET", server.registry(), "/api/v1/builds/" + build.id()))
                .json();
    }

    public void awaitPhase(BuildKey build, String phase) {
        await(build + " is " + phase)
                .atMost(SOON)
                .until(() -> status(build).path("phase").asText().equals(phase));
    }

    PullClient.Answer operate(BuildKey build, String action) {
        return PullClient.join(client.request("POST", server.admin(), "/api/v1/builds/" + build.id() + "/" + action));
    }

    /** Waits until a gated build of this revision and platform runs. */
    public Path awaitGate(String revision, String platform) {
        await("a build of " + platform + " at its gate")
                .atMost(SOON)
                .until(() -> gate(revision, platform).isPresent());
        return gate(revision, platform).orElseThrow();
    }

    public void open(String revision, String platform) {
        try {
            Files.createFile(awaitGate(revision, platform).resolveSibling("go"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Optional<Path> gate(String revision, String platform) {
        try (DirectoryStream<Path> slots = Files.newDirectoryStream(directory.resolve("work"), "slot-*")) {
            for (Path slot : slots) {
                Path waiting = slot.resolve("tmp/waiting");
                if (Files.exists(waiting) && Files.readString(waiting).equals(revision + " " + platform)) {
                    return Optional.of(waiting);
                }
            }
            return Optional.empty();
        } catch (IOException e) {
            return Optional.empty(); // a slot that was just cleared
        }
    }

    /** The processes of builds on this machine. */
    Set<Long> processes() {
        return ProcessHandle.allProcesses()
                .map(ProcessHandle::pid)
                .filter(this::isOfABuild)
                .collect(Collectors.toUnmodifiableSet());
    }

    private boolean isOfABuild(long process) {
        return commandLine(process).contains(mark);
    }

    /** Waits, for seconds, until none is left. */
    void awaitNoProcesses() {
        await("every process of the killed builds has ended")
                .atMost(SECONDS)
                .until(() -> processes().isEmpty());
    }

    /** Waits, for seconds, until none of these is left, whatever else is built meanwhile. */
    void awaitEnd(Set<Long> processes) {
        await("these processes of builds have ended")
                .atMost(SECONDS)
                .until(() -> processes.stream().noneMatch(this::isOfABuild));
    }

    private static String commandLine(long pid) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    /** Waits until the server has died by itself or by somebody else's hand. */
    void awaitDeath() {
        try {
            if (!server.process().waitFor(SOON.toSeconds(), TimeUnit.SECONDS)) {
                throw new AssertionError("the server still runs:\n" + server.log());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        server.close();
    }
}
