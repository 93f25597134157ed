package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.QuickStart;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands as their user runs them, against a server whose build is under way. */
class CommandLineIT {
    @TempDir
    Path directory;

    @Test
    void aBuildIsWatchedWhileItRuns() throws Exception {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            BuildKey build = Installation.build(revision, Installation.AMD64);
            String name = "team/app@" + revision.substring(0, 12) + "@linux/amd64";
            kiln.start(Builds.gated(Installation.AMD64), "");
            kiln.client.pull("main").handle((answer, failure) -> answer);
            kiln.awaitGate(revision, Installation.AMD64);

            try (Command log = start(kiln, "log", "--follow", "team/app:main", "--platform", "linux/amd64");
                    Command wait = start(kiln, "wait", "team/app:main", "--platform", "linux/amd64")) {
                log.await("at the gate of linux/amd64");
                wait.await(name + "  RUNNING attempt 1, ");
                assertThat(run(kiln, 0, "builds", "--phase", "running")).contains(name, "RUNNING");
                assertThat(run(kiln, 0, "queue")).contains(name);
                assertThat(kiln.status(build).path("phase").asText()).isEqualTo("running");
                assertThat(log.process.isAlive()).isTrue();
                assertThat(wait.process.isAlive()).isTrue();

                kiln.open(revision, Installation.AMD64);

                assertThat(log.end()).as(log.printed()).isZero();
                assertThat(log.printed()).contains("kiln: built");
                assertThat(wait.end()).as(wait.printed()).isZero();
                assertThat(run(kiln, 0, "builds", "--phase", "built")).contains(name, "BUILT");
            }
        }
    }

    @Test
    void aBuildThatFailsIsToldByTheExitCode() throws Exception {
        try (Installation kiln = Installation.in(directory)) {
            kiln.branch("main");
            kiln.start(Builds.failing("linux/amd64=3"), "");

            assertThat(run(kiln, 1, "wait", "team/app:main", "--platform", "linux/amd64"))
                    .contains("exit code 3");
            assertThat(run(kiln, 1, "log", "--follow", "team/app:main", "--platform", "linux/amd64"))
                    .contains("failing as told", "kiln: failed, ", "exit code 3");
            assertThat(run(kiln, 0, "log", "team/app:main", "--platform", "linux/amd64"))
                    .contains("failing as told");
        }
    }

    private Command start(Installation kiln, String... arguments) throws IOException {
        List<String> line = new ArrayList<>();
        line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        line.addAll(QuickStart.options());
        line.addAll(List.of("-jar", KilnProcess.jar().toString()));
        line.addAll(List.of(arguments));
        Path output = Files.createTempFile(directory, arguments[0], ".out");
        ProcessBuilder builder =
                new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().put("KILN_SERVER", kiln.server.registry().toString());
        builder.environment().put("KILN_ADMIN", kiln.server.admin().toString());
        return new Command(builder.start(), output);
    }

    private String run(Installation kiln, int exit, String... arguments) throws Exception {
        try (Command command = start(kiln, arguments)) {
            assertThat(command.end()).as(command.printed()).isEqualTo(exit);
            return command.printed();
        }
    }

    private record Command(Process process, Path output) implements AutoCloseable {
        String printed() {
            try {
                return Files.readString(output);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        void await(String text) {
            Awaitility.await(text)
                    .atMost(Installation.SOON)
                    .until(() -> printed().contains(text) || !process.isAlive());
            assertThat(printed()).contains(text);
        }

        int end() {
            try {
                assertThat(process.waitFor(Installation.SOON.toSeconds(), TimeUnit.SECONDS))
                        .isTrue();
                return process.exitValue();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void close() {
            process.destroyForcibly();
        }
    }
}
