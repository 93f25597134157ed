package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildEvent;
import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.PullClient;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A server that is killed while its builds run, each with a process that called setsid and heeds no polite signal. */
class KilledBuildsIT {
    @TempDir
    Path directory;

    @ParameterizedTest(name = "restarted at once: {0}")
    @ValueSource(booleans = {true, false})
    void theBuildsProcessesEndAndTheBuildsBeginAgain(boolean atOnce) {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            kiln.start(Builds.gated(Installation.AMD64, Installation.ARM64), "");
            kiln.client.pull("main").handle((answer, failure) -> answer);
            kiln.awaitGate(revision, Installation.AMD64);
            kiln.awaitGate(revision, Installation.ARM64);
            Set<Long> processes = kiln.processes();
            assertThat(processes).as("two shells, two strays").hasSizeGreaterThanOrEqualTo(4);
            kiln.server.kill();

            if (!atOnce) {
                kiln.awaitNoProcesses();
                assertThat(JournalCheck.check(kiln.dataDir())).hasSize(2);
            }
            kiln.configure(Builds.QUICK, "");
            kiln.server.launch();
            kiln.awaitEnd(processes);
            kiln.server.awaitGreeting();
            List<BuildKey> builds = List.of(
                    Installation.build(revision, Installation.AMD64), Installation.build(revision, Installation.ARM64));
            builds.forEach(build -> kiln.awaitPhase(build, "built"));
            kiln.awaitNoProcesses();
            PullClient.Answer index = PullClient.join(kiln.client.pull("main"));
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            kiln.client.readAll(index);

            kiln.server.kill();
            JournalReader journal = JournalReader.read(kiln.dataDir());
            assertThat(JournalCheck.check(journal, kiln.dataDir())).isEmpty();
            journal.builds()
                    .values()
                    .forEach(events -> assertThat(events)
                            .hasExactlyElementsOfTypes(
                                    BuildEvent.Requested.class,
                                    BuildEvent.AttemptStarted.class,
                                    BuildEvent.AttemptLost.class,
                                    BuildEvent.AttemptStarted.class,
                                    BuildEvent.Built.class));
        }
    }
}
