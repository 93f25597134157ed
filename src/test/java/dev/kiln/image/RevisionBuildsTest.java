package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.build.FailureClass;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class RevisionBuildsTest {
    private static final Platform AMD = Platform.of("linux/amd64");
    private static final Platform ARM = Platform.of("linux/arm64");
    private static final Instant NOW = Instant.parse("2026-11-28T12:00:00Z");

    private final RevisionBuilds builds = new RevisionBuilds();

    private static BuildStatus status(Phase phase, Optional<BuildFailure> failure) {
        return new BuildStatus(
                new BuildKey(new RepositoryName("team/app"), new Revision("a".repeat(40)), AMD),
                phase,
                1,
                1,
                Optional.of(NOW),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                failure);
    }

    @Test
    void isRequestedOnceUntilItIsAnsweredOrAskedAgain() {
        assertThat(builds.isToRequest(AMD, NOW)).isTrue();
        assertThat(builds.isToRequest(AMD, NOW)).isFalse();
        assertThat(builds.isToRequest(ARM, NOW)).isTrue();
        builds.answered(AMD, false);
        assertThat(builds.isToRequest(AMD, NOW)).isTrue();
        builds.askAgain();
        assertThat(builds.isToRequest(AMD, NOW)).isTrue();
    }

    @Test
    void whatRunsIsNotRequestedAndWhatFailedOnlyWhenThatIsForgotten() {
        builds.hear(status(Phase.RUNNING, Optional.empty()));
        assertThat(builds.isToRequest(AMD, NOW)).isFalse();
        BuildFailure failure =
                new BuildFailure(FailureClass.SOURCE, "exit code 1", NOW, Optional.of(NOW.plusSeconds(60)));
        builds.hear(status(Phase.FAILED, Optional.of(failure)));
        assertThat(builds.isToRequest(AMD, NOW.plusSeconds(59))).isFalse();
        assertThat(builds.isToRequest(AMD, NOW.plusSeconds(60))).isTrue();
    }

    @Test
    void theQueueIsFullUntilAnAnswerSaysOtherwise() {
        builds.answered(AMD, true);
        assertThat(builds.queueFull()).containsExactly(AMD);
        builds.answered(AMD, false);
        assertThat(builds.queueFull()).isEmpty();
    }

    @Test
    void aTagIsAskedOnceToTakeAPlatformIn() {
        assertThat(builds.isToJoin(AMD)).isTrue();
        assertThat(builds.isToJoin(AMD)).isFalse();
        assertThat(builds.hasHeardOf(List.of(AMD))).isFalse();
        builds.askAgain();
        assertThat(builds.isToJoin(AMD)).isTrue();
    }
}
