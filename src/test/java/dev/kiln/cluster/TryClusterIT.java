package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.testing.FreePorts;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import dev.kiln.testing.QuickStart;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** {@code cluster-config/try-cluster}, as its reader runs it: with the configuration that is shipped. */
@Tag("clients")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class TryClusterIT {
    /** Long enough for a slow machine; nothing is asserted about how long anything takes. */
    private static final Duration SOON = Duration.ofMinutes(4);

    private static final int KILLED = 137;

    @TempDir
    Path directory;

    @TempDir
    Path output;

    private Process script;
    private URI registry;

    @BeforeEach
    void start() throws IOException {
        for (String program : List.of("/usr/sbin/haproxy", "/usr/lib/postgresql", "/usr/bin/setpriv")) {
            assumeThat(Path.of(program)).exists();
        }
        // builds run as other users
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
        int port = FreePorts.next();
        registry = URI.create("http://127.0.0.1:" + port);
        ThreadLocalRandom random = ThreadLocalRandom.current();
        String network = "127." + random.nextInt(16, 256) + "." + random.nextInt(256);
        List<String> command = new ArrayList<>(List.of(
                "env",
                "--default-signal=INT", // which shells take from what they start in the background
                "cluster-config/try-cluster",
                "--port",
                Integer.toString(port),
                "--network",
                network,
                "--jar",
                KilnProcess.jar().toString()));
        QuickStart.options("-Xmx320m").forEach(option -> command.addAll(List.of("--java", option)));
        ProcessBuilder builder = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.resolve("log").toFile());
        builder.environment().put("TMPDIR", directory.toString());
        builder.environment()
                .merge("PATH", System.getProperty("java.home") + "/bin", (path, java) -> java + ":" + path);
        script = builder.start();
    }

    @AfterEach
    void end() {
        if (script != null) {
            script.descendants().forEach(ProcessHandle::destroyForcibly);
            script.destroyForcibly();
        }
    }

    @Test
    void aWholeInstallationServesBothPlatformsStartsAgainWhatEndsAndLeavesNothingBehind() throws IOException {
        awaitWords("Ctrl-C ends it all");
        assertThat(words()).contains("skopeo copy --src-tls-verify=false docker://" + registry.getAuthority());
        PullClient client = new PullClient(() -> registry, "demo/hello");
        for (String platform : List.of("linux/amd64", "linux/arm64/v8")) {
            Answer answer = PullClient.join(client.pull("main?platform=" + platform));
            assertThat(answer.status()).as(answer.text()).isEqualTo(200);
            assertThat(answer.children()).containsKey(platform);
            client.readAll(answer);
        }

        signal("KILL", pid("registry-2"), pid("builder-arm64"));
        awaitWords("registry-2 has ended with code " + KILLED + ", and is started again");
        awaitWords("builder-arm64 has ended with code " + KILLED + ", and is started again");
        assertThat(PullClient.join(client.pull("main")).status()).isEqualTo(200);
        client.readAllAgain();

        List<ProcessHandle> all = script.descendants().toList();
        assertThat(all).hasSizeGreaterThanOrEqualTo(7);
        signal("INT", script.pid());
        await("it ends").atMost(SOON).until(() -> !script.isAlive());
        assertThat(script.exitValue()).as(words()).isZero();
        // A builder's guardian sees the end of its node by the end of its input, and ends itself.
        await("nothing that it started is left")
                .atMost(SOON)
                .untilAsserted(() -> assertThat(all).noneMatch(ProcessHandle::isAlive));
        assertThat(directory).isEmptyDirectory();
    }

    private long pid(String name) throws IOException {
        Matcher pid = Pattern.compile(name + " .* pid (\\d+)").matcher(words());
        assertThat(pid.find()).isTrue();
        return Long.parseLong(pid.group(1));
    }

    private static void signal(String name, long... pids) throws IOException {
        List<String> command = new ArrayList<>(List.of("kill", "-" + name));
        LongStream.of(pids).mapToObj(Long::toString).forEach(command::add);
        new ProcessBuilder(command).start().onExit().join();
    }

    private void awaitWords(String words) {
        await("it says: " + words).atMost(SOON).until(() -> {
            if (!script.isAlive()) {
                throw new IllegalStateException("it has ended and said:\n" + words());
            }
            return words().contains(words);
        });
    }

    private String words() {
        try {
            return Files.readString(output.resolve("log"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
