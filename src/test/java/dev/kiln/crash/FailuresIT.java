package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildEvent;
import dev.kiln.build.FailureClass;
import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.KillingJournal;
import dev.kiln.testing.PullClient;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Each class of failure from the build's process to the client, and over a restart. */
class FailuresIT {
    private static final String FOR_AMD64 = "?platform=linux/amd64";
    private static final String HINTED = "kiln.repository-defaults.start = hinted\n";

    @TempDir
    Path directory;

    private static int attempts(Installation kiln, BuildKey build) {
        return kiln.status(build).path("attempt").asInt();
    }

    private static PullClient.Answer pull(Installation kiln) {
        return PullClient.join(kiln.client.pull("main" + FOR_AMD64));
    }

    private static List<BuildEvent> journal(Installation kiln, BuildKey build) {
        JournalReader journal = JournalReader.read(kiln.dataDir());
        JournalCheck.check(journal, kiln.dataDir());
        return journal.builds().get(build.toString());
    }

    @Test
    void theSourcesFailureIsRememberedUntilItIsRetried() {
        try (Installation kiln = Installation.in(directory)) {
            BuildKey build = Installation.build(kiln.branch("main"), Installation.AMD64);
            kiln.start(Builds.failing("linux/amd64=1"), HINTED);
            PullClient.Answer failed = pull(kiln);
            assertThat(failed.status()).isEqualTo(424);
            assertThat(failed.text()).contains(build.id()).contains("/log");
            PullClient.Answer log = PullClient.join(
                    kiln.client.request("GET", kiln.server.registry(), "/api/v1/builds/" + build.id() + "/log"));
            assertThat(log.text()).contains("failing as told");
            assertThat(pull(kiln).status()).isEqualTo(424);
            assertThat(attempts(kiln, build)).isEqualTo(1);

            kiln.server.kill();
            kiln.start(Builds.failing("linux/amd64=1"), HINTED);
            assertThat(pull(kiln).status()).isEqualTo(424);
            assertThat(attempts(kiln, build)).isEqualTo(1);

            assertThat(kiln.operate(build, "retry").status()).isLessThan(300);
            kiln.awaitPhase(build, "failed");
            assertThat(attempts(kiln, build)).isEqualTo(2);

            kiln.server.kill();
            kiln.start(Builds.QUICK, HINTED);
            assertThat(kiln.operate(build, "retry").status()).isLessThan(300);
            PullClient.Answer built = pull(kiln);
            assertThat(built.status()).as(built.text()).isEqualTo(200);
            assertThat(attempts(kiln, build)).isEqualTo(3);
            assertThat(kiln.operate(build, "retry").status()).isEqualTo(409);

            kiln.server.kill();
            assertThat(journal(kiln, build))
                    .hasExactlyElementsOfTypes(
                            BuildEvent.Requested.class,
                            BuildEvent.AttemptStarted.class,
                            BuildEvent.AttemptFailed.class,
                            BuildEvent.Failed.class,
                            BuildEvent.Requested.class,
                            BuildEvent.AttemptStarted.class,
                            BuildEvent.AttemptFailed.class,
                            BuildEvent.Failed.class,
                            BuildEvent.Requested.class,
                            BuildEvent.AttemptStarted.class,
                            BuildEvent.Built.class);
        }
    }

    @Test
    void aCancelEndsTheBuildsProcessesAndStays() {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            BuildKey build = Installation.build(revision, Installation.AMD64);
            kiln.start(Builds.gated(Installation.AMD64), HINTED);
            CompletableFuture<PullClient.Answer> waiting = kiln.client.pull("main" + FOR_AMD64);
            kiln.awaitGate(revision, Installation.AMD64);
            assertThat(kiln.processes()).isNotEmpty();

            assertThat(kiln.operate(build, "cancel").status()).isLessThan(300);
            assertThat(PullClient.join(waiting).status()).isEqualTo(424);
            kiln.awaitNoProcesses();
            assertThat(kiln.operate(build, "cancel").status()).isEqualTo(409);
            assertThat(pull(kiln).status()).isEqualTo(424);

            kiln.server.kill();
            kiln.start(Builds.QUICK, HINTED);
            assertThat(pull(kiln).status()).isEqualTo(424);
            assertThat(attempts(kiln, build)).isEqualTo(1);
            assertThat(kiln.processes()).isEmpty();
            assertThat(kiln.operate(build, "retry").status()).isLessThan(300);
            assertThat(pull(kiln).status()).isEqualTo(200);
        }
    }

    @Test
    void anInfrastructureFailureIsTriedAgainWithBackOffAlsoOverARestart() {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            BuildKey build = Installation.build(revision, Installation.AMD64);
            kiln.server.withClasses(KillingJournal.classes());
            String terms = HINTED + "kiln.repository-defaults.build { attempts = 3, backoff = 2s }\n";
            kiln.start(Builds.failing("linux/amd64=75"), terms + KillingJournal.at("AttemptFailed", revision, 2, true));
            kiln.client
                    .pull("main" + FOR_AMD64)
                    .handle((answer, failure) -> answer)
                    .join();
            kiln.awaitDeath();
            kiln.start(Builds.failing("linux/amd64=75"), terms);
            kiln.awaitPhase(build, "failed");
            assertThat(attempts(kiln, build)).isEqualTo(3);
            assertThat(kiln.status(build).at("/failure/class").asText()).isEqualTo("infrastructure");
            kiln.server.kill();

            List<BuildEvent> events = journal(kiln, build);
            List<BuildEvent.AttemptFailed> failed = events.stream()
                    .filter(BuildEvent.AttemptFailed.class::isInstance)
                    .map(BuildEvent.AttemptFailed.class::cast)
                    .toList();
            assertThat(failed).hasSize(3).allMatch(f -> f.failureClass() == FailureClass.INFRASTRUCTURE);
            assertThat(Duration.between(
                            failed.get(0).at(), failed.get(0).retryAt().orElseThrow()))
                    .isEqualTo(Duration.ofSeconds(2));
            assertThat(Duration.between(
                            failed.get(1).at(), failed.get(1).retryAt().orElseThrow()))
                    .isEqualTo(Duration.ofSeconds(4));
            List<BuildEvent.AttemptStarted> started = events.stream()
                    .filter(BuildEvent.AttemptStarted.class::isInstance)
                    .map(BuildEvent.AttemptStarted.class::cast)
                    .toList();
            assertThat(started).hasSize(3);
            for (int i = 0; i < 2; i++) {
                assertThat(started.get(i + 1).at())
                        .isAfterOrEqualTo(failed.get(i).retryAt().orElseThrow());
            }
            BuildEvent.Failed end = (BuildEvent.Failed) events.get(events.size() - 1);
            assertThat(Duration.between(end.at(), end.until().orElseThrow()))
                    .as("remembered for twice the last back-off")
                    .isEqualTo(Duration.ofSeconds(8));
        }
    }

    @Test
    void aBuildThatTakesTooLongIsEndedAndRemembered() {
        try (Installation kiln = Installation.in(directory)) {
            BuildKey build = Installation.build(kiln.branch("main"), Installation.AMD64);
            kiln.start(Builds.gated(Installation.AMD64), HINTED + "kiln.repository-defaults.build.timeout = 2s\n");
            PullClient.Answer failed = pull(kiln);
            assertThat(failed.status()).as(failed.text()).isEqualTo(424);
            kiln.awaitNoProcesses();
            assertThat(kiln.status(build).at("/failure/class").asText()).isEqualTo("timeout");
            kiln.server.kill();
            kiln.start(Builds.QUICK, HINTED);
            assertThat(pull(kiln).status()).isEqualTo(424);
            assertThat(attempts(kiln, build)).isEqualTo(1);
        }
    }
}
