package dev.kiln.worker.builder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.testing.BuildUsers;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What becomes of builds whose server does not end them: seen from outside, with a server process of its own. */
class ServerDeathTest {
    private static final Duration SECONDS = Duration.ofSeconds(30);

    private final String mark = "mark-" + UUID.randomUUID();
    private Process server;

    @TempDir
    Path root;

    private void startServer(Duration lease, int builds) throws IOException {
        // Its own session, no polite signals, and a child that init has adopted.
        String script = "trap '' TERM HUP INT; setsid sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' " + mark
                + " & (nohup sh -c 'while :; do sleep 1; done' " + mark + " >/dev/null 2>&1 &); echo up; sleep 1000";
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                ServerStandIn.class.getName(),
                root.toString(),
                Long.toString(lease.toMillis())));
        for (int build = 0; build < builds; build++) {
            command.add(script);
        }
        server = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log().toFile())
                .start();
        await().atMost(SECONDS)
                .until(() ->
                        Files.readString(log()).lines().filter("up"::equals).count() == builds);
        assertThat(Attempts.processesWith(mark)).isGreaterThanOrEqualTo(3L * builds);
    }

    private Path log() {
        return root.resolve("server.log");
    }

    private void signal(String name) throws Exception {
        assertThat(new ProcessBuilder("kill", "-" + name, Long.toString(server.pid()))
                        .start()
                        .waitFor())
                .isZero();
    }

    private List<ProcessHandle> guardians() {
        return server.children()
                .filter(child -> Attempts.commandLine(child.pid()).contains("guardian.Guardian"))
                .toList();
    }

    @AfterEach
    void endServer() {
        if (server != null) {
            server.destroyForcibly();
        }
    }

    // The server's own command line holds the mark too, so it must be gone first.
    private void awaitEnd() throws Exception {
        await().atMost(SECONDS).until(() -> Attempts.processesWith(mark) == 0);
    }

    @Test
    void buildsEndWithAServerThatIsKilled() throws Exception {
        startServer(Duration.ofMinutes(10), 2);
        List<ProcessHandle> guardians = guardians();
        assertThat(guardians).hasSize(2);
        signal("KILL");
        awaitEnd();
        // What init has not buried yet has no command line any more.
        await().atMost(SECONDS)
                .until(() -> guardians.stream()
                        .allMatch(
                                guardian -> Attempts.commandLine(guardian.pid()).isEmpty()));
    }

    @Test
    void buildsEndWithAServerAndAGuardianThatAreKilledTogether() throws Exception {
        assumeTrue(
                Isolation.probe(root.resolve("probe"), BuildUsers.next(), 8).namespaces(),
                "only a namespace ends with its guardian");
        startServer(Duration.ofMinutes(10), 2);
        List<ProcessHandle> all = guardians();
        signal("STOP"); // so that it cannot be the one that cleans up
        all.forEach(ProcessHandle::destroyForcibly);
        signal("KILL");
        awaitEnd();
    }

    @Test
    void buildsEndWhenTheirServerStandsStillLongerThanTheirLease() throws Exception {
        startServer(Duration.ofSeconds(3), 1);
        signal("STOP");
        // All that is left is the server itself, whose command line holds the mark.
        await().atMost(SECONDS).until(() -> Attempts.processesWith(mark) == 1);
        assertThat(server.isAlive()).isTrue();
    }

    @Test
    void theNextLifeOfTheNodeEndsAndRemovesWhatIsLeft() throws Exception {
        Path work = Files.createDirectories(root.resolve("work"));
        Files.createDirectories(work.resolve("slot-7/home/deep"));
        ProcessBuilder stray = new ProcessBuilder("sh", "-c", "while :; do sleep 1; done", mark);
        stray.environment().put(Marker.NAME, Marker.next(work));
        stray.redirectOutput(new File("/dev/null"));
        stray.start();
        ProcessBuilder others = new ProcessBuilder("sh", "-c", "while :; do sleep 1; done", "other" + mark);
        others.environment().put(Marker.NAME, Marker.next(root.resolve("another-node")));
        Process other = others.start();
        try {
            AttemptDirectory.clear(work);
            assertThat(Attempts.processesWith("\0" + mark)).isZero();
            assertThat(other.isAlive()).isTrue();
            assertThat(work).isEmptyDirectory();
        } finally {
            other.destroyForcibly();
        }
    }
}
