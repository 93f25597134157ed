package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.Breakpoint;
import dev.kiln.testing.JournalCheck;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A fault of Kiln's own: the actor without which a node takes pulls and builds nothing. */
class FailedWorkerIT {
    @TempDir
    Path directory;

    @Test
    void aNodeWhoseWorkerFailsEndsWithTheReasonAndTheNextOneBuilds() {
        try (Installation kiln = Installation.in(directory, Breakpoint.javaOptions())) {
            String revision = kiln.branch("main");
            BuildKey build = Installation.build(revision, Installation.AMD64);
            kiln.start(Builds.gated(Installation.AMD64), "");
            kiln.client.pull("main").handle((answer, failure) -> answer);
            kiln.awaitGate(revision, Installation.AMD64);

            Breakpoint.failAt(kiln.server, "dev.kiln.worker.Worker", "onNews").join();
            kiln.awaitDeath();

            assertThat(kiln.server.process().exitValue()).isEqualTo(1);
            assertThat(kiln.server.log()).contains("kiln ends: its worker has failed, see the log before this");
            assertThat(kiln.server.log()).contains("java.lang.RuntimeException");
            kiln.awaitNoProcesses();
            JournalCheck.check(kiln.dataDir());

            kiln.start(Builds.QUICK, "");
            kiln.awaitPhase(build, "built");
        }
    }
}
