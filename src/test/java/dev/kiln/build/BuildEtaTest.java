package dev.kiln.build;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildEta.Certainty;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.oci.BuildKey;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class BuildEtaTest {
    private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");
    private static final Optional<BuildTimes> USUAL = Optional.of(times(60, 240));

    @Test
    void withoutAnyHistoryNobodyKnows() {
        for (Phase phase : List.of(Phase.QUEUED, Phase.RUNNING)) {
            BuildEta eta =
                    BuildEta.of(status(phase, 10, 0), Optional.empty(), NOW).orElseThrow();
            assertThat(eta).isEqualTo(new BuildEta(Certainty.UNKNOWN, Optional.empty(), Optional.empty()));
            assertThat(eta.left()).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"NEW", "BUILT", "FAILED"})
    void whatIsNotUnderWayHasNone(Phase phase) {
        assertThat(BuildEta.of(status(phase, 10, 5), USUAL, NOW)).isEmpty();
    }

    @Test
    void queueAndBuildAreToldApart() {
        assertThat(BuildEta.of(status(Phase.QUEUED, 20, 0), USUAL, NOW)).contains(estimated(40, 240));
        assertThat(BuildEta.of(status(Phase.RUNNING, 500, 100), USUAL, NOW)).contains(estimated(0, 140));
        assertThat(BuildEta.of(status(Phase.QUEUED, 20, 0), USUAL, NOW).flatMap(BuildEta::left))
                .contains(Duration.ofSeconds(280));
    }

    @Test
    void whatTakesLongerThanUsualIsOverdueAndNeverNegative() {
        assertThat(BuildEta.of(status(Phase.RUNNING, 500, 240), USUAL, NOW))
                .contains(new BuildEta(Certainty.OVERDUE, Optional.of(Duration.ZERO), Optional.empty()));
        assertThat(BuildEta.of(status(Phase.QUEUED, 60, 0), USUAL, NOW))
                .contains(new BuildEta(Certainty.OVERDUE, Optional.empty(), Optional.of(Duration.ofMinutes(4))));
    }

    @Test
    void theNextAttemptStartsNotBeforeItsTime() {
        assertThat(BuildEta.queued(NOW.minusSeconds(900), Optional.of(NOW.plusSeconds(30)), USUAL, NOW))
                .isEqualTo(estimated(30, 240));
        assertThat(BuildEta.queued(NOW.minusSeconds(10), Optional.of(NOW.plusSeconds(30)), USUAL, NOW))
                .isEqualTo(estimated(50, 240));
    }

    @Test
    void anotherNodesClockMayBeAhead() {
        assertThat(BuildEta.of(status(Phase.RUNNING, -5, -5), USUAL, NOW)).contains(estimated(0, 240));
        assertThat(BuildEta.of(status(Phase.QUEUED, -5, 0), USUAL, NOW)).contains(estimated(60, 240));
    }

    /** Whatever was built and whenever one asks: no negative time, never more than is usual, and it only goes down. */
    @Test
    void anEstimateOnlyGoesDownUntilItIsOverdue() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int run = 0; run < 500; run++) {
            List<BuildTimes> history = new ArrayList<>();
            for (int i = random.nextInt(21); i >= 0; i--) {
                history.add(times(random.nextInt(600), random.nextInt(20_000)));
            }
            BuildTimes usual = BuildTimes.usual(history).orElseThrow();
            Collections.shuffle(history, random);
            assertThat(BuildTimes.usual(history)).as("seed " + seed).contains(usual);
            assertThat(history).as("seed " + seed).anyMatch(b -> b.build().equals(usual.build()));
            assertThat(history.stream().filter(b -> b.build().compareTo(usual.build()) <= 0))
                    .as("seed " + seed)
                    .hasSizeGreaterThan(history.size() / 2);

            Phase phase = random.nextBoolean() ? Phase.RUNNING : Phase.QUEUED;
            Duration before = usual.queue().plus(usual.build());
            boolean overdue = false;
            for (int at = 0; at < 25_000; at += 1 + random.nextInt(2000)) {
                BuildEta eta = BuildEta.of(status(phase, at, at), Optional.of(usual), NOW)
                        .orElseThrow();
                overdue = overdue || eta.certainty() == Certainty.OVERDUE;
                assertThat(eta.certainty())
                        .as("seed " + seed)
                        .isEqualTo(overdue ? Certainty.OVERDUE : Certainty.ESTIMATED);
                assertThat(eta.left().isEmpty()).as("seed " + seed).isEqualTo(overdue);
                Duration left = eta.left().orElse(Duration.ZERO);
                assertThat(left).as("seed " + seed).isBetween(Duration.ZERO, before);
                before = left;
            }
            assertThat(overdue).as("seed " + seed).isTrue();
        }
    }

    private static BuildEta estimated(long queue, long build) {
        return new BuildEta(
                Certainty.ESTIMATED, Optional.of(Duration.ofSeconds(queue)), Optional.of(Duration.ofSeconds(build)));
    }

    private static BuildTimes times(long queue, long build) {
        return new BuildTimes(Duration.ofSeconds(queue), Duration.ofSeconds(build));
    }

    /** @param requested and started: how many seconds ago */
    private static BuildStatus status(Phase phase, long requested, long started) {
        return new BuildStatus(
                BuildKey.of("team/app@" + "0".repeat(40) + "@linux/amd64"),
                phase,
                1,
                1,
                Optional.of(NOW.minusSeconds(requested)),
                Optional.of(NOW.minusSeconds(started)).filter(at -> phase != Phase.QUEUED),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }
}
