package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.KEY;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.TERMS;
import static dev.kiln.build.Samples.requested;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every decision, from every stage. */
class BuildStateTest {
    private static final BuildState NEW = BuildState.EMPTY;
    private static final BuildState QUEUED = after(NEW, requested(1));
    private static final BuildState RUNNING = after(QUEUED, new BuildEvent.AttemptStarted(1, 1, 7, "w1", NOW));
    private static final BuildState BUILT = after(RUNNING, new BuildEvent.Built(1, 7, MANIFEST, NOW));
    private static final BuildState CANCELLED = after(RUNNING, RUNNING.decideCancel("ann", NOW));
    private static final BuildState RETRYING = after(
            RUNNING,
            new BuildEvent.AttemptFailed(
                    1, 7, FailureClass.INFRASTRUCTURE, "disk full", Optional.of(NOW.plusSeconds(5)), NOW));
    private static final Result SUCCESS = new Result.Succeeded(MANIFEST);

    @Test
    void aStatusThatWasOvertakenTakesNothingFromWhatIsBuilt() {
        BuildStatus queued = QUEUED.status(KEY);
        BuildStatus built = BUILT.status(KEY);
        BuildStatus cancelled = CANCELLED.status(KEY);

        assertThat(queued.then(built)).isEqualTo(built);
        assertThat(built.then(queued)).isEqualTo(built);
        // Of all others the last word counts: a failure is retried, and a retry fails.
        assertThat(cancelled.then(queued)).isEqualTo(queued);
        assertThat(queued.then(cancelled)).isEqualTo(cancelled);
    }

    @Test
    void theFirstLeaseStartsTheFirstAttempt() {
        var decision = QUEUED.decideStart(requested(1), 7, "w1", TERMS, NOW);

        assertThat(decision.answer()).isEqualTo(new StartAnswer.Start(1));
        assertThat(decision.events()).containsExactly(new BuildEvent.AttemptStarted(1, 1, 7, "w1", NOW));
    }

    @Test
    void aGrantCarriesTheRequestThatACrashKeptFromTheBuild() {
        var decision = NEW.decideStart(requested(1), 7, "w1", TERMS, NOW);

        assertThat(decision.answer()).isEqualTo(new StartAnswer.Start(1));
        assertThat(decision.events()).containsExactly(requested(1), new BuildEvent.AttemptStarted(1, 1, 7, "w1", NOW));
        assertThat(after(NEW, decision.events()).request()).isEqualTo(1);
    }

    @Test
    void aGrantOfTheNextRequestRevivesAFailedBuildAndNumbersItsAttemptsOn() {
        var decision = CANCELLED.decideStart(requested(2), 8, "w2", TERMS, NOW);

        assertThat(decision.answer()).isEqualTo(new StartAnswer.Start(2));
        assertThat(after(CANCELLED, decision.events()).request()).isEqualTo(2);
    }

    @Test
    void theSameLeaseIsAnsweredWithTheSameAttempt() {
        var decision = RUNNING.decideStart(requested(1), 7, "w1", TERMS, NOW);

        assertThat(decision.answer()).isEqualTo(new StartAnswer.Start(1));
        assertThat(decision.events()).isEmpty();
    }

    @Test
    void aNewerLeaseTakesThePlaceOfTheRunningAttempt() {
        var decision = RUNNING.decideStart(requested(1), 8, "w2", TERMS, NOW);

        assertThat(decision.answer()).isEqualTo(new StartAnswer.Start(2));
        assertThat(decision.events())
                .containsExactly(
                        new BuildEvent.AttemptLost(1, 7, false, "another lease took its place", NOW),
                        new BuildEvent.AttemptStarted(2, 1, 8, "w2", NOW));
    }

    @Test
    void anOlderLeaseIsSuperseded() {
        assertThat(RUNNING.decideStart(requested(1), 6, "w2", TERMS, NOW).answer())
                .isEqualTo(new StartAnswer.Superseded());
        BuildState lost = after(RUNNING, RUNNING.decideLost(7, "silence", TERMS, NOW));
        assertThat(lost.decideStart(requested(1), 7, "w1", TERMS, NOW).answer())
                .as("an attempt that was lost is not begun again under its old lease")
                .isEqualTo(new StartAnswer.Superseded());
    }

    @Test
    void aLeaseBeforeTheBackOffHasPassedIsToldWhen() {
        assertThat(RETRYING.decideStart(requested(1), 8, "w1", TERMS, NOW).answer())
                .isEqualTo(new StartAnswer.NotBefore(NOW.plusSeconds(5)));
        assertThat(RETRYING.decideStart(requested(1), 8, "w1", TERMS, NOW.plusSeconds(5))
                        .answer())
                .isEqualTo(new StartAnswer.Start(2));
    }

    static Stream<Arguments> ended() {
        return Stream.of(
                Arguments.of("built", BUILT, 1),
                Arguments.of("cancelled", CANCELLED, 1),
                Arguments.of("an earlier request while queued", after(CANCELLED, requested(2)), 1),
                Arguments.of("built, though the queue has a later request", BUILT, 2));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("ended")
    void aRequestThatHasEndedIsDropped(String name, BuildState state, int request) {
        var decision = state.decideStart(requested(request), 99, "w1", TERMS, NOW);

        assertThat(decision.answer()).isEqualTo(new StartAnswer.Drop());
        assertThat(decision.events()).isEmpty();
    }

    @Test
    void aResultOfTheCurrentAttemptIsTheBuild() {
        var decision = RUNNING.decideFinished(1, 7, SUCCESS, TERMS, NOW.plusSeconds(9));

        assertThat(decision.answer()).isTrue();
        assertThat(decision.events()).containsExactly(new BuildEvent.Built(1, 7, MANIFEST, NOW.plusSeconds(9)));
        BuildStatus status = after(RUNNING, decision.events()).status(KEY);
        assertThat(status.phase()).isEqualTo(BuildStatus.Phase.BUILT);
        assertThat(status.manifest()).contains(MANIFEST);
        assertThat(status.startedAt()).contains(NOW);
        assertThat(status.endedAt()).contains(NOW.plusSeconds(9));
    }

    @Test
    void aRepeatedResultCountsOnceAndIsAcknowledgedAgain() {
        var again = BUILT.decideFinished(1, 7, SUCCESS, TERMS, NOW);

        assertThat(again.events()).isEmpty();
        assertThat(again.answer()).isTrue();
    }

    @Test
    void theResultOfALostAttemptIsRecordedOnceAndDiscarded() {
        BuildState lost = after(RUNNING, RUNNING.decideLost(7, "silence", TERMS, NOW));
        var late = lost.decideFinished(1, 7, SUCCESS, TERMS, NOW);

        assertThat(late.answer()).isFalse();
        assertThat(late.events())
                .containsExactly(new BuildEvent.ResultDiscarded(1, 7, "a result, " + MANIFEST.digest(), NOW));
        BuildState recorded = after(lost, late.events());
        assertThat(recorded.phase()).isEqualTo(BuildStatus.Phase.QUEUED);
        assertThat(recorded.decideFinished(1, 7, SUCCESS, TERMS, NOW))
                .isEqualTo(new BuildState.Decision<>(List.of(), false));
    }

    @Test
    void anImageThatCameAfterACancelCountsAtNoRepetitionEither() {
        BuildState cancelled = after(RUNNING, RUNNING.decideCancel("ann", NOW));
        var first = cancelled.decideFinished(1, 7, SUCCESS, TERMS, NOW);

        assertThat(first.answer()).isFalse();
        assertThat(after(cancelled, first.events()).decideFinished(1, 7, SUCCESS, TERMS, NOW))
                .isEqualTo(new BuildState.Decision<>(List.of(), false));
    }

    @Test
    void theResultOfAnEarlierLostAttemptIsRecordedEvenAfterALaterOneWas() {
        BuildState state = after(RUNNING, RUNNING.decideStart(requested(1), 8, "w2", TERMS, NOW));
        state = after(state, state.decideStart(requested(1), 9, "w3", TERMS, NOW));
        state = after(state, state.decideFinished(2, 8, SUCCESS, TERMS, NOW));
        var earlier = state.decideFinished(1, 7, new Result.Failed(FailureClass.SOURCE, "no"), TERMS, NOW);

        assertThat(earlier.events())
                .containsExactly(new BuildEvent.ResultDiscarded(1, 7, "a failure, SOURCE: no", NOW));
        assertThat(after(state, earlier.events()).isCurrent(3, 9)).isTrue();
    }

    @Test
    void aResultThatWasCountedIsNeverRecordedAsDiscarded() {
        BuildState second = after(RETRYING, RETRYING.decideStart(requested(1), 8, "w1", TERMS, NOW.plusSeconds(6)));

        assertThat(second.decideFinished(1, 7, new Result.Failed(FailureClass.INFRASTRUCTURE, "disk full"), TERMS, NOW))
                .isEqualTo(new BuildState.Decision<>(List.of(), false));
    }

    @Test
    void aReportOfAnAttemptThatNeverWasLeavesNothingBehind() {
        for (BuildState state : List.of(NEW, QUEUED, RUNNING, BUILT, CANCELLED, RETRYING)) {
            assertThat(state.decideFinished(5, 55, SUCCESS, TERMS, NOW))
                    .isEqualTo(new BuildState.Decision<>(List.of(), false));
        }
    }

    @Test
    void aResultAfterACancelIsDiscarded() {
        var late = CANCELLED.decideFinished(1, 7, SUCCESS, TERMS, NOW);

        assertThat(late.answer()).isFalse();
        assertThat(after(CANCELLED, late.events()).phase()).isEqualTo(BuildStatus.Phase.FAILED);
    }

    @ParameterizedTest
    @EnumSource(
            value = FailureClass.class,
            names = {"SOURCE", "TIMEOUT"})
    void theSourcesOwnFailureEndsTheRequestAndIsRemembered(FailureClass failure) {
        var decision = RUNNING.decideFinished(1, 7, new Result.Failed(failure, "exit 2"), TERMS, NOW);
        BuildState failed = after(RUNNING, decision.events());

        assertThat(failed.status(KEY).failure())
                .contains(new BuildFailure(failure, "exit 2", NOW, Optional.of(NOW.plus(Duration.ofHours(1)))));
        assertThat(failed.wantsRequest(NOW.plus(Duration.ofMinutes(59)))).isFalse();
        assertThat(failed.wantsRequest(NOW.plus(Duration.ofHours(1)))).isTrue();
    }

    @Test
    void infrastructureFailuresAreTriedAgainWithBackOffThenRememberedForTwiceTheLast() {
        BuildState state = RUNNING;
        Instant now = NOW;
        for (int failures = 1; failures <= 2; failures++) {
            Duration backoff = Duration.ofSeconds(failures == 1 ? 5 : 10);
            state = after(state, fail(state, now));
            assertThat(state.stage()).isEqualTo(new BuildState.Stage.Queued(Optional.of(now.plus(backoff))));
            now = now.plus(backoff);
            state = after(state, state.decideStart(requested(1), 7 + failures, "w1", TERMS, now));
        }
        state = after(state, fail(state, now));

        assertThat(state.attempt()).isEqualTo(3);
        assertThat(state.status(KEY).failure().orElseThrow().until()).contains(now.plusSeconds(20));
    }

    @Test
    void anInfrastructureFailureWithoutASecondTryIsRememberedForTwiceTheFirstBackOff() {
        BuildTerms once = new BuildTerms(Optional.of("make"), 1, Duration.ofHours(1), Duration.ofSeconds(5));
        var decision =
                RUNNING.decideFinished(1, 7, new Result.Failed(FailureClass.INFRASTRUCTURE, "no disk"), once, NOW);

        assertThat(after(RUNNING, decision.events())
                        .status(KEY)
                        .failure()
                        .orElseThrow()
                        .until())
                .contains(NOW.plusSeconds(10));
    }

    @Test
    void aHandedBackAttemptCountsForNothing() {
        BuildState state = RUNNING;
        for (int i = 0; i < 30; i++) {
            var back =
                    state.decideFinished(state.attempt(), state.fence(), new Result.HandedBack("draining"), TERMS, NOW);
            assertThat(back.answer()).isTrue();
            state = after(state, back.events());
            assertThat(state.stage()).isEqualTo(new BuildState.Stage.Queued(Optional.empty()));
            state = after(state, state.decideStart(requested(1), state.fence() + 1, "w1", TERMS, NOW));
        }
        assertThat(state.lost()).isZero();
        assertThat(state.failures()).isZero();
        assertThat(state.unheard()).isEmpty();
    }

    @Test
    void tenLostInARowFailAsInfrastructureAndAreForgottenInTime() {
        BuildState state = RUNNING;
        for (int lost = 1; lost < BuildState.MAX_LOST_IN_A_ROW; lost++) {
            state = after(state, state.decideLost(state.fence(), "silence", TERMS, NOW));
            assertThat(state.phase()).as("after %s lost", lost).isEqualTo(BuildStatus.Phase.QUEUED);
            state = after(state, state.decideStart(requested(1), state.fence() + 1, "w1", TERMS, NOW));
        }
        BuildState byQueue = after(state, state.decideLost(state.fence(), "silence", TERMS, NOW));
        var byNextLease = state.decideStart(requested(1), state.fence() + 1, "w1", TERMS, NOW);

        BuildFailure failure = byQueue.status(KEY).failure().orElseThrow();
        assertThat(failure.failureClass()).isEqualTo(FailureClass.INFRASTRUCTURE);
        assertThat(failure.until())
                .as("as if its last failure had been one of its own")
                .contains(NOW.plusSeconds(20));
        assertThat(byQueue.wantsRequest(failure.until().orElseThrow())).isTrue();
        assertThat(byNextLease.answer()).isEqualTo(new StartAnswer.Drop());
        assertThat(after(state, byNextLease.events()).phase()).isEqualTo(BuildStatus.Phase.FAILED);
    }

    @Test
    void anAttemptThatEndsOnItsOwnBreaksTheRowOfLostOnes() {
        BuildState state = after(RUNNING, RUNNING.decideLost(7, "silence", TERMS, NOW));
        state = after(state, state.decideStart(requested(1), 8, "w1", TERMS, NOW));
        state = after(state, fail(state, NOW));

        assertThat(state.lost()).isZero();
    }

    @Test
    void aLostLeaseThatIsNotTheCurrentOneChangesNothing() {
        assertThat(RUNNING.decideLost(6, "silence", TERMS, NOW)).isEmpty();
        assertThat(QUEUED.decideLost(7, "silence", TERMS, NOW)).isEmpty();
        assertThat(BUILT.decideLost(7, "silence", TERMS, NOW)).isEmpty();
        assertThat(CANCELLED.decideLost(7, "silence", TERMS, NOW)).isEmpty();
    }

    @Test
    void aCancelEndsWhatWaitsOrRunsAndLastsUntilARetry() {
        for (BuildState state : List.of(QUEUED, RUNNING, RETRYING)) {
            BuildState cancelled = after(state, state.decideCancel("ann", NOW));
            assertThat(cancelled.status(KEY).failure())
                    .contains(new BuildFailure(FailureClass.CANCELLED, "cancelled by ann", NOW, Optional.empty()));
            assertThat(cancelled.wantsRequest(NOW.plus(Duration.ofDays(10_000))))
                    .isFalse();
        }
        for (BuildState state : List.of(NEW, BUILT, CANCELLED)) {
            assertThat(state.decideCancel("ann", NOW)).isEmpty();
        }
    }

    @Test
    void onlyANewOrForgottenBuildWantsARequest() {
        assertThat(NEW.wantsRequest(NOW)).isTrue();
        assertThat(QUEUED.wantsRequest(NOW)).isFalse();
        assertThat(RUNNING.wantsRequest(NOW)).isFalse();
        assertThat(BUILT.wantsRequest(NOW)).isFalse();
    }

    @Test
    void whatABuildPrintsBecomesOneBoundedLineThatCanBeStored() {
        String hostile = "a\u0000b\n\u2028c\u202e\ud800 " + "x".repeat(492) + "\ud83d\ude00 tail";
        var decision = RUNNING.decideFinished(1, 7, new Result.Failed(FailureClass.SOURCE, hostile), TERMS, NOW);
        String message = after(RUNNING, decision.events())
                .status(KEY)
                .failure()
                .orElseThrow()
                .message();

        assertThat(message).startsWith("a b c  xxx").endsWith("x").hasSize(499);
    }

    @Test
    void unheardAttemptsAreRememberedWithinABound() {
        BuildState state = RUNNING;
        for (int i = 0; i < 100; i++) {
            state = after(state, state.decideCancel("ann", NOW));
            state = after(state, requested(state.request() + 1));
            state = after(state, state.decideStart(requested(state.request()), state.fence() + 1, "w1", TERMS, NOW));
        }
        assertThat(state.unheard()).hasSize(BuildState.MAX_UNHEARD).endsWith(105L, 106L);
    }

    @Test
    void anEventThatTheLifeCycleDoesNotKnowIsRefused() {
        BuildEvent built = new BuildEvent.Built(1, 7, MANIFEST, NOW);
        assertThatThrownBy(() -> QUEUED.apply(built)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> BUILT.apply(built)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> BUILT.apply(new BuildEvent.Requested(2, CAUSE, INPUT, NOW)))
                .isInstanceOf(IllegalStateException.class);
    }

    private static List<BuildEvent> fail(BuildState state, Instant now) {
        return state.decideFinished(
                        state.attempt(),
                        state.fence(),
                        new Result.Failed(FailureClass.INFRASTRUCTURE, "disk full"),
                        TERMS,
                        now)
                .events();
    }

    private static BuildState after(BuildState state, BuildState.Decision<?> decision) {
        return after(state, decision.events());
    }

    private static BuildState after(BuildState state, List<BuildEvent> events) {
        return after(state, events.toArray(BuildEvent[]::new));
    }

    private static BuildState after(BuildState state, BuildEvent... events) {
        for (BuildEvent event : events) {
            state = state.apply(event);
        }
        return state;
    }
}
