package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.KEY;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.TERMS;
import static dev.kiln.build.Samples.requested;
import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import dev.kiln.build.BuildEntity.RequestAnswer;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.SettableClock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Who is told what by a build, and in which order; what it decides is {@link BuildStateTest}'s. */
class BuildEntityTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(Samples.entities());

    private BuildTerms terms = TERMS;
    private final SettableClock clock = new SettableClock(NOW);
    private TestProbe<BuildQueue.Command> queue;
    private TestProbe<AttemptCommand> attempt;
    private EventSourcedBehaviorTestKit<BuildEntity.Command, BuildEvent, BuildState> build;

    @BeforeEach
    void begin() {
        queue = ACTORS.testKit().createTestProbe();
        attempt = ACTORS.testKit().createTestProbe();
        build = EventSourcedBehaviorTestKit.create(
                ACTORS.system(),
                BuildEntity.create(KEY, key -> terms, queue.ref(), clock),
                EventSourcedBehaviorTestKit.enabledSerializationSettings().withVerifyState(false));
    }

    @AfterEach
    void end() {
        build.persistenceTestKit().resetPolicy();
        build.clear();
    }

    @Test
    void theQueueHoldsARequestBeforeTheBuildDoes() {
        TestProbe<RequestAnswer> puller = request();
        BuildQueue.Enqueue enqueue = queue.expectMessageClass(BuildQueue.Enqueue.class);
        assertThat(build.getState()).isEqualTo(BuildState.EMPTY);
        puller.expectNoMessage(Duration.ZERO);

        enqueue.replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());

        RequestAnswer.Joined joined = puller.expectMessageClass(RequestAnswer.Joined.class);
        assertThat(joined.status().phase()).isEqualTo(BuildStatus.Phase.QUEUED);
        assertThat(build.getState().request()).isEqualTo(1);
    }

    @Test
    void allWhoPullJoinOneRequest() {
        List<TestProbe<RequestAnswer>> pullers = List.of(request(), request(), request());
        queue.expectMessageClass(BuildQueue.Enqueue.class).replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());

        pullers.forEach(puller -> puller.expectMessageClass(RequestAnswer.Joined.class));
        request().expectMessageClass(RequestAnswer.Joined.class);
        queue.expectNoMessage(Duration.ZERO);
    }

    @Test
    void aFullQueueIsToldToAllAndLeavesNothing() {
        TestProbe<RequestAnswer> puller = request();
        queue.expectMessageClass(BuildQueue.Enqueue.class)
                .replyTo()
                .tell(new BuildQueue.EnqueueAnswer.Refused(QueueState.Refusal.FULL));

        puller.expectMessage(new RequestAnswer.QueueFull(QueueState.Refusal.FULL));
        assertThat(build.getState()).isEqualTo(BuildState.EMPTY);
    }

    @Test
    void aQueueThatDoesNotAnswerIsAskedAgainByTheNextPullUnderTheSameNumber() {
        TestProbe<RequestAnswer> puller = request();
        int first = queue.expectMessageClass(BuildQueue.Enqueue.class).request();
        time(Duration.ofSeconds(6));
        puller.expectMessage(new RequestAnswer.Unavailable());

        request();
        assertThat(queue.expectMessageClass(BuildQueue.Enqueue.class).request()).isEqualTo(first);
    }

    @Test
    void afterAFailureOfTheJournalNobodyWaitsForever() {
        ActorRef<BuildEntity.Command> entity =
                ACTORS.testKit().spawn(BuildEntity.create(KEY, key -> TERMS, queue.ref(), clock));
        TestProbe<RequestAnswer> puller = ACTORS.testKit().createTestProbe();
        entity.tell(new BuildEntity.Request(CAUSE, INPUT, puller.ref()));
        BuildQueue.Enqueue enqueue = queue.expectMessageClass(BuildQueue.Enqueue.class);
        build.persistenceTestKit()
                .failNextPersisted(BuildEntity.persistenceId(KEY).id());
        enqueue.replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());
        assertThat(Samples.receive(puller, () -> time(Duration.ofSeconds(1))))
                .isEqualTo(new RequestAnswer.Unavailable());

        entity.tell(new BuildEntity.Request(CAUSE, INPUT, puller.ref()));
        queue.expectMessageClass(BuildQueue.Enqueue.class).replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());
        puller.expectMessageClass(RequestAnswer.Joined.class);
        ACTORS.testKit().stop(entity);
    }

    @Test
    void aGrantThatIsFasterThanTheQueuesAnswerBringsTheRequestItself() {
        TestProbe<RequestAnswer> puller = request();
        BuildQueue.Enqueue enqueue = queue.expectMessageClass(BuildQueue.Enqueue.class);
        assertThat(start(1, 7)).isEqualTo(new StartAnswer.Start(1));
        enqueue.replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());

        assertThat(puller.expectMessageClass(RequestAnswer.Joined.class)
                        .status()
                        .phase())
                .isEqualTo(BuildStatus.Phase.RUNNING);
        assertThat(build.getState().request()).isEqualTo(1);
    }

    @Test
    void anAttemptIsRecordedBeforeItsWorkerMayBegin() {
        var result = build.runCommand((ActorRef<StartAnswer> replyTo) ->
                new BuildEntity.Start(requested(1), 7, "w1", attempt.ref(), replyTo));

        assertThat(result.events()).containsExactly(requested(1), new BuildEvent.AttemptStarted(1, 1, 7, "w1", NOW));
        assertThat(result.reply()).isEqualTo(new StartAnswer.Start(1));
    }

    @Test
    void inEveryStageARestartChangesNothing() {
        restartsUnchanged();
        start(1, 7);
        restartsUnchanged();
        finish(1, 7, new Result.Failed(FailureClass.INFRASTRUCTURE, "disk full"));
        restartsUnchanged();
        clock.advance(Duration.ofSeconds(5));
        start(1, 8);
        build.runCommand(new BuildEntity.LeaseLost(8, "silence"));
        restartsUnchanged();
        start(1, 9);
        finish(3, 9, new Result.Failed(FailureClass.SOURCE, "exit 2"));
        restartsUnchanged();
        start(2, 10);
        finish(2, 8, new Result.Succeeded(MANIFEST));
        finish(4, 10, new Result.Succeeded(MANIFEST));
        restartsUnchanged();
        JournalRules.check(journal());
    }

    @Test
    void theEndIsToldToTheQueueAndToThoseWhoWait() {
        TestProbe<BuildStatus> waiter = subscribe(Duration.ofSeconds(20));
        start(1, 7);
        assertThat(finish(1, 7, new Result.Succeeded(MANIFEST))).isEqualTo(new BuildEntity.Acknowledged(1, 7, true));

        queue.expectMessage(new BuildQueue.Remove(KEY, 1));
        assertThat(List.of(waiter.receiveMessage(), waiter.receiveMessage(), waiter.receiveMessage()))
                .extracting(BuildStatus::phase)
                .containsExactly(BuildStatus.Phase.NEW, BuildStatus.Phase.RUNNING, BuildStatus.Phase.BUILT);
    }

    @Test
    void aFailedAttemptGoesBackToTheQueueWithItsTime() {
        start(1, 7);
        finish(1, 7, new Result.Failed(FailureClass.INFRASTRUCTURE, "disk full"));
        Optional<Instant> later = Optional.of(NOW.plusSeconds(5));
        queue.expectMessage(new BuildQueue.Return(KEY, 7, "its attempt ended", later));

        assertThat(start(1, 8)).isEqualTo(new StartAnswer.NotBefore(NOW.plusSeconds(5)));
        queue.expectMessage(new BuildQueue.Return(KEY, 8, "its next attempt is later", later));
    }

    @Test
    void aGrantOfWhatHasEndedTakesTheEntryOutOfTheQueue() {
        start(1, 7);
        finish(1, 7, new Result.Succeeded(MANIFEST));
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));

        assertThat(start(1, 8)).isEqualTo(new StartAnswer.Drop());
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));
    }

    @Test
    void aCancelStopsTheAttemptAndIsFinalUntilARetry() {
        start(1, 7);
        var cancelled = build.runCommand((ActorRef<RequestAnswer> replyTo) -> new BuildEntity.Cancel("ann", replyTo));
        assertThat(((RequestAnswer.Joined) cancelled.reply())
                        .status()
                        .failure()
                        .orElseThrow()
                        .message())
                .isEqualTo("cancelled by ann");
        attempt.expectMessage(new AttemptCommand.Stop("cancelled"));
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));
        // what the queue was told may be lost
        build.runCommand((ActorRef<RequestAnswer> replyTo) -> new BuildEntity.Cancel("ann", replyTo));
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));

        assertThat(request()
                        .expectMessageClass(RequestAnswer.Joined.class)
                        .status()
                        .phase())
                .isEqualTo(BuildStatus.Phase.FAILED);
        TestProbe<RequestAnswer> operator = ACTORS.testKit().createTestProbe();
        build.runCommand(new BuildEntity.Retry("ann", operator.ref()));
        BuildQueue.Enqueue enqueue = queue.expectMessageClass(BuildQueue.Enqueue.class);
        assertThat(enqueue.request()).isEqualTo(2);
        assertThat(enqueue.cause().client()).isEqualTo("operator ann");
        assertThat(enqueue.input()).isEqualTo(INPUT);
    }

    @Test
    void aRetryIsMadeByTheBuilderThatTheConfigurationNamesNow() {
        start(1, 7);
        build.runCommand((ActorRef<RequestAnswer> replyTo) -> new BuildEntity.Cancel("ann", replyTo));
        queue.expectMessageClass(BuildQueue.Remove.class);
        terms = new BuildTerms(Optional.of("make2"), 3, Duration.ofHours(1), Duration.ofSeconds(5));
        TestProbe<RequestAnswer> operator = ACTORS.testKit().createTestProbe();
        build.runCommand(new BuildEntity.Retry("ann", operator.ref()));

        assertThat(queue.expectMessageClass(BuildQueue.Enqueue.class).input())
                .isEqualTo(new BuildInput(INPUT.archive(), "make2"));
    }

    @Test
    void whatCannotBeCancelledOrRetriedIsAConflict() {
        assertThat(build.runCommand((ActorRef<RequestAnswer> r) -> new BuildEntity.Cancel("ann", r))
                        .reply())
                .isInstanceOf(RequestAnswer.Conflict.class);
        assertThat(build.runCommand((ActorRef<RequestAnswer> r) -> new BuildEntity.Retry("ann", r))
                        .reply())
                .isInstanceOf(RequestAnswer.Conflict.class);
    }

    @Test
    void anAttemptThatIsNotCurrentIsStopped() {
        start(1, 7);
        TestProbe<AttemptCommand> other = ACTORS.testKit().createTestProbe();
        build.runCommand(new BuildEntity.Report(1, 7, attempt.ref()));
        build.runCommand(new BuildEntity.Report(1, 6, other.ref()));
        other.expectMessageClass(AttemptCommand.Stop.class);
        attempt.expectNoMessage(Duration.ZERO);

        build.runCommand(new BuildEntity.LeaseLost(7, "silence"));
        attempt.expectMessage(new AttemptCommand.Stop("silence"));
    }

    @Test
    void anAttemptWhosePlaceANewLeaseTakesIsStopped() {
        start(1, 7);
        start(1, 8);
        attempt.expectMessage(new AttemptCommand.Stop("another lease took its place"));
    }

    /** Of a token the entity knows nothing: the attempt does. Nothing of it is an event. */
    @Test
    void aPushIsForTheAttemptThatRunsAndRefusedWhereNoneDoes() {
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        BuildEntity.Push push = new BuildEntity.Push(MANIFEST.digest(), Optional.of(MANIFEST), client.ref());
        build.runCommand(push);
        client.expectMessageClass(PushAnswer.Refused.class);

        start(1, 7);
        assertThat(build.runCommand(push).hasNoEvents()).isTrue();
        assertThat(attempt.expectMessageClass(AttemptCommand.Push.class))
                .isEqualTo(new AttemptCommand.Push(push.token(), push.manifest(), push.replyTo()));
        client.expectNoMessage(Duration.ZERO);

        // After a recovery the attempt is not known until it reports: who pushes asks again.
        build.restart();
        build.runCommand(push);
        attempt.expectNoMessage(Duration.ZERO);
        client.expectNoMessage(Duration.ZERO);
        build.runCommand(new BuildEntity.Report(1, 7, attempt.ref()));
        build.runCommand(push);
        attempt.expectMessageClass(AttemptCommand.Push.class);

        finish(1, 7, new Result.Succeeded(MANIFEST));
        build.runCommand(push);
        client.expectMessageClass(PushAnswer.Refused.class);
        attempt.expectNoMessage(Duration.ZERO);
    }

    @Test
    void aReportAfterTheEndRepeatsTheWordToTheQueue() {
        start(1, 7);
        finish(1, 7, new Result.Succeeded(MANIFEST));
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));
        build.runCommand(new BuildEntity.Report(1, 7, attempt.ref()));

        attempt.expectMessageClass(AttemptCommand.Stop.class);
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));
    }

    @Test
    void whoDoesNotSubscribeAgainIsForgotten() {
        TestProbe<BuildStatus> faithful = subscribe(Duration.ofSeconds(10));
        TestProbe<BuildStatus> gone = subscribe(Duration.ofSeconds(10));
        faithful.receiveMessage();
        gone.receiveMessage();
        clock.advance(Duration.ofSeconds(8));
        build.runCommand(new BuildEntity.Subscribe(faithful.ref(), Duration.ofSeconds(10), false));
        faithful.receiveMessage();
        clock.advance(Duration.ofSeconds(8));
        start(1, 7);

        assertThat(faithful.receiveMessage().phase()).isEqualTo(BuildStatus.Phase.RUNNING);
        gone.expectNoMessage(Duration.ZERO);
    }

    @Test
    void howeverManyWaitTheQueueHearsOfItOnceInTenSeconds() {
        request();
        queue.expectMessageClass(BuildQueue.Enqueue.class).replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());
        build.getState();
        for (int i = 0; i < 20; i++) {
            awaiting();
            awaiting();
            clock.advance(Duration.ofSeconds(1));
        }
        BuildQueue.Awaited said = new BuildQueue.Awaited(KEY, 1, Duration.ofSeconds(30));
        queue.expectMessage(said);
        queue.expectMessage(said);
        subscribe(Duration.ofSeconds(10));
        queue.expectNoMessage(Duration.ZERO);
    }

    @Test
    void thePlaceInTheQueueIsToldWhileItWaits() {
        request();
        queue.expectMessageClass(BuildQueue.Enqueue.class).replyTo().tell(new BuildQueue.EnqueueAnswer.Accepted());
        build.runCommand(new BuildEntity.Placed(1, 4));
        assertThat(build.<BuildStatus>runCommand(BuildEntity.Get::new).reply().position())
                .contains(4);
        start(1, 7);
        assertThat(build.<BuildStatus>runCommand(BuildEntity.Get::new).reply().position())
                .isEmpty();
    }

    private void awaiting() {
        TestProbe<BuildStatus> subscriber = ACTORS.testKit().createTestProbe();
        build.runCommand(new BuildEntity.Subscribe(subscriber.ref(), Duration.ofSeconds(9), true));
    }

    private TestProbe<RequestAnswer> request() {
        TestProbe<RequestAnswer> puller = ACTORS.testKit().createTestProbe();
        build.runCommand(new BuildEntity.Request(CAUSE, INPUT, puller.ref()));
        return puller;
    }

    private TestProbe<BuildStatus> subscribe(Duration term) {
        TestProbe<BuildStatus> subscriber = ACTORS.testKit().createTestProbe();
        build.runCommand(new BuildEntity.Subscribe(subscriber.ref(), term, false));
        return subscriber;
    }

    private StartAnswer start(int request, long fence) {
        return build.runCommand((ActorRef<StartAnswer> replyTo) ->
                        new BuildEntity.Start(requested(request), fence, "w1", attempt.ref(), replyTo))
                .reply();
    }

    private BuildEntity.Acknowledged finish(int number, long fence, Result result) {
        return build.runCommand((ActorRef<BuildEntity.Acknowledged> replyTo) ->
                        new BuildEntity.Finished(number, fence, result, replyTo))
                .reply();
    }

    private void restartsUnchanged() {
        BuildState before = build.getState();
        assertThat(build.restart().state()).isEqualTo(before);
    }

    private List<BuildEvent> journal() {
        return build
                .persistenceTestKit()
                .persistedInStorage(BuildEntity.persistenceId(KEY).id())
                .stream()
                .map(BuildEvent.class::cast)
                .toList();
    }

    private void time(Duration passes) {
        clock.advance(passes);
        ManualTime.get(ACTORS.system()).timePasses(passes);
    }
}
