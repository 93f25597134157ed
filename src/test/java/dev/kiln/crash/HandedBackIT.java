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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A server that is told to end, as a service manager does it, while its builds run. */
class HandedBackIT {
    @TempDir
    Path directory;

    @Test
    void whatRanIsHandedBackAndCompletesAfterTheRestartWithoutHavingCounted() {
        String once = "kiln.repository-defaults.build.attempts = 1";
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            BuildKey build = Installation.build(revision, Installation.AMD64);
            kiln.start(Builds.gated(Installation.AMD64), once);
            kiln.client.pull("main").handle((answer, failure) -> answer);
            kiln.awaitGate(revision, Installation.AMD64);
            assertThat(kiln.processes()).isNotEmpty();

            kiln.server.stop();

            assertThat(kiln.processes())
                    .as("processes of builds when the server has ended")
                    .isEmpty();
            List<BuildEvent> stopped =
                    JournalReader.read(kiln.dataDir()).builds().get(build.toString());
            assertThat(stopped.get(stopped.size() - 1))
                    .isInstanceOfSatisfying(
                            BuildEvent.AttemptLost.class,
                            lost -> assertThat(lost.handedBack()).isTrue());

            kiln.start(Builds.QUICK, once);
            kiln.awaitPhase(build, "built");
            PullClient.Answer index = PullClient.join(kiln.client.pull("main"));
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            kiln.client.readAll(index);
            kiln.server.kill();
            JournalReader journal = JournalReader.read(kiln.dataDir());
            assertThat(JournalCheck.check(journal, kiln.dataDir())).isEmpty();
            assertThat(journal.builds().get(build.toString()))
                    .hasExactlyElementsOfTypes(
                            BuildEvent.Requested.class,
                            BuildEvent.AttemptStarted.class,
                            BuildEvent.AttemptLost.class,
                            BuildEvent.AttemptStarted.class,
                            BuildEvent.Built.class);
        }
    }
}
