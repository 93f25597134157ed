package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.QUEUE;
import static dev.kiln.build.Samples.key;
import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import dev.kiln.build.BuildQueue.EnqueueAnswer;
import dev.kiln.build.BuildQueue.WorkerNews;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.SettableClock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Leases and asks; who gets what is {@link QueueStateTest}'s. */
class BuildQueueTest {
    private static final BuildKey A = key("team/a", "linux/amd64");
    private static final BuildKey B = key("team/b", "linux/amd64");

    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(Samples.entities());

    /** What a build was told. */
    private record Told(BuildKey key, BuildEntity.Command command) {}

    private final SettableClock clock = new SettableClock(NOW);
    private TestProbe<Told> builds;
    private TestProbe<WorkerNews> worker;
    private EventSourcedBehaviorTestKit<BuildQueue.Command, QueueEvent, QueueState> queue;
    private long asks;

    @BeforeEach
    void begin() {
        builds = ACTORS.testKit().createTestProbe();
        worker = ACTORS.testKit().createTestProbe();
        queue = EventSourcedBehaviorTestKit.create(
                ACTORS.system(),
                BuildQueue.create((key, command) -> builds.ref().tell(new Told(key, command)), QUEUE, clock));
    }

    @AfterEach
    void end() {
        queue.clear();
    }

    @Test
    void anAskIsKeptAndAnsweredTheMomentWorkArrives() {
        ask("life", 1);
        assertThat(renewed().valid()).isEmpty();
        enqueue(A, 1);

        BuildQueue.Granted granted = worker.expectMessageClass(BuildQueue.Granted.class);
        assertThat(granted.key()).isEqualTo(A);
        assertThat(granted.fence()).isEqualTo(1);
        assertThat(granted.request()).isEqualTo(new BuildEvent.Requested(1, CAUSE, INPUT, NOW));
    }

    @Test
    void enqueuingAndRemovingAreIdempotent() {
        assertThat(enqueue(A, 1)).isEqualTo(new EnqueueAnswer.Accepted());
        assertThat(enqueue(A, 1)).isEqualTo(new EnqueueAnswer.Accepted());
        assertThat(queue.getState().entries()).hasSize(1);
        queue.runCommand(new BuildQueue.Remove(A, 1));
        assertThat(queue.runCommand(new BuildQueue.Remove(A, 1)).events()).isEmpty();
        assertThat(queue.getState().entries()).isEmpty();
    }

    @Test
    void aFullQueueRefuses() {
        for (int i = 0; i < 4; i++) {
            enqueue(key("team/a", "linux/p" + i), 1);
        }
        assertThat(enqueue(key("team/a", "linux/p9"), 1))
                .isEqualTo(new EnqueueAnswer.Refused(QueueState.Refusal.REPOSITORY_FULL));
        enqueue(key("team/b", "linux/p0"), 1);
        enqueue(key("team/b", "linux/p1"), 1);
        assertThat(enqueue(key("team/c", "linux/p0"), 1)).isEqualTo(new EnqueueAnswer.Refused(QueueState.Refusal.FULL));
        assertThat(enqueue(key("team/a", "linux/p0"), 2)).isEqualTo(new EnqueueAnswer.Accepted());
    }

    @Test
    void aLeaseThatIsNamedIsRenewedAndLivesOn() {
        grantAToWorker();
        for (int i = 0; i < 30; i++) {
            time(QUEUE.ask());
            ask("life", 0, 1L);
            assertThat(renewed().valid()).containsExactly(1L);
        }
        assertThat(queue.getState().leased(1)).isPresent();
    }

    @Test
    void aLeaseThatIsNoLongerNamedIsOverAtOnce() {
        grantAToWorker();
        ask("life", 0, 1L);
        renewed();
        ask("life", 0);

        assertThat(renewed().valid()).isEmpty();
        assertThat(builds.receiveMessage().command()).isInstanceOf(BuildEntity.LeaseLost.class);
        assertThat(queue.getState().leased(1)).isEmpty();
    }

    @Test
    void aGrantOnItsWayOutlastsAFewAsksThatCannotKnowOfIt() {
        grantAToWorker();
        ask("life", 1);
        assertThat(renewed().valid()).containsExactly(1L);
        enqueue(B, 1);
        ask("life", 1);
        renewed();
        assertThat(queue.getState().find(B).orElseThrow().lease())
                .as("the slot of the grant on its way is not given away twice")
                .isEmpty();

        time(QUEUE.ask().multipliedBy(2));
        ask("life", 0, 1L);
        assertThat(renewed().valid()).containsExactly(1L);
    }

    @Test
    void aGrantThatNobodyNamesGoesToAnotherWorkerSoon() {
        grantAToWorker();
        TestProbe<WorkerNews> other = ACTORS.testKit().createTestProbe();
        time(QUEUE.ask().multipliedBy(2));
        ask(other, "w2", "life", 1, 1);
        time(QUEUE.ask().plusSeconds(1));

        other.expectMessageClass(BuildQueue.Renewed.class);
        assertThat(other.expectMessageClass(BuildQueue.Granted.class).fence()).isEqualTo(2);
        assertThat(builds.receiveMessage())
                .isEqualTo(new Told(A, new BuildEntity.LeaseLost(1, "nothing was heard of the worker w1 in time")));
    }

    @Test
    void theLeaseOfASilentWorkerEndsWithItsTerm() {
        grantAToWorker();
        ask("life", 0, 1L);
        time(QUEUE.lease().minusSeconds(1));
        assertThat(queue.getState().leased(1)).isPresent();
        time(Duration.ofSeconds(2));

        assertThat(builds.receiveMessage().command()).isInstanceOf(BuildEntity.LeaseLost.class);
        assertThat(queue.getState().leased(1)).isEmpty();
    }

    @Test
    void aSilentWorkerIsGivenNothing() {
        ask("life", 1);
        time(QUEUE.ask().multipliedBy(5));
        enqueue(A, 1);

        assertThat(queue.getState().find(A).orElseThrow().lease()).isEmpty();
    }

    @Test
    void aWorkersNewLifeGivesUpTheLeasesOfTheOld() {
        grantAToWorker();
        ask("life", 0, 1L);
        renewed();
        ask("next life", 1);

        assertThat(renewed().valid()).isEmpty();
        assertThat(worker.expectMessageClass(BuildQueue.Granted.class).fence()).isEqualTo(2);
        assertThat(builds.receiveMessage())
                .isEqualTo(new Told(A, new BuildEntity.LeaseLost(1, "the worker w1 was restarted")));
    }

    @Test
    void aLateAskOfAnEarlierLifeOrOfEarlierTimesChangesNothing() {
        ask("life", 1);
        ask("next life", 1);
        enqueue(A, 1);
        ask("next life", 0, 1L);
        asks -= 2;
        ask("next life", 1);
        ask("life", 1);

        assertThat(queue.getState().leased(1)).isPresent();
    }

    @Test
    void whatIsReturnedWaitsForItsTimeButNeverLess() {
        grantAToWorker();
        ask("life", 1, 1L);
        Optional<Instant> past = Optional.of(NOW.minusSeconds(60));
        queue.runCommand(new BuildQueue.Return(A, 1, "later", past));
        assertThat(queue.getState().find(A).orElseThrow().notBefore()).contains(NOW.plusSeconds(1));
        assertThat(queue.getState().find(A).orElseThrow().lease()).isEmpty();
        time(Duration.ofSeconds(2));

        assertThat(queue.getState().find(A).orElseThrow().lease()).isPresent();
    }

    @Test
    void aReturnOfAnotherLeaseIsIgnored() {
        grantAToWorker();
        assertThat(queue.runCommand(new BuildQueue.Return(A, 9, "late", Optional.empty()))
                        .events())
                .isEmpty();
        assertThat(queue.runCommand(new BuildQueue.Return(B, 1, "mixed up", Optional.empty()))
                        .events())
                .isEmpty();
    }

    @Test
    void afterARecoveryEveryLeaseHasOneFreshTerm() {
        grantAToWorker();
        ask("life", 0, 1L);
        QueueState before = queue.getState();
        time(QUEUE.lease().minusSeconds(1));
        assertThat(queue.restart().state()).isEqualTo(before);
        ask("life", 0);
        assertThat(queue.getState().leased(1))
                .as("an ask from before the grant")
                .isPresent();
        ask("life", 0, 1L);
        time(QUEUE.lease().minusSeconds(1));

        assertThat(queue.getState().leased(1)).isPresent();
        time(Duration.ofSeconds(2));
        builds.expectMessageClass(Told.class);
    }

    @Test
    void whatWasBelievedBeforeAFailureOfTheJournalIsForgotten() {
        ActorRef<BuildQueue.Command> entity = ACTORS.testKit()
                .spawn(BuildQueue.create((key, command) -> builds.ref().tell(new Told(key, command)), QUEUE, clock));
        BuildQueue.Ask ask =
                new BuildQueue.Ask(worker.ref(), "w1", "life", 1, 2, 1, List.of("*"), List.of("*"), Set.of());
        entity.tell(ask);
        renewed();
        queue.persistenceTestKit().failNextPersisted("BuildQueue|queue");
        TestProbe<EnqueueAnswer> build = ACTORS.testKit().createTestProbe();
        entity.tell(new BuildQueue.Enqueue(A, 1, CAUSE, INPUT, false, build.ref()));
        QueueStatus status =
                Samples.ask(ACTORS.testKit(), entity, BuildQueue.GetStatus::new, () -> time(Duration.ofMillis(300)));
        assertThat(status).isEqualTo(new QueueStatus(List.of(), List.of()));

        entity.tell(new BuildQueue.Enqueue(A, 1, CAUSE, INPUT, false, build.ref()));
        build.expectMessage(new EnqueueAnswer.Accepted());
        worker.expectNoMessage(Duration.ZERO);
        entity.tell(ask);
        renewed();
        assertThat(worker.expectMessageClass(BuildQueue.Granted.class).fence()).isEqualTo(1);
        ACTORS.testKit().stop(entity);
    }

    @Test
    void theStatusShowsWhoWaitsAndWhoWorks() {
        grantAToWorker();
        enqueue(B, 1);
        QueueStatus status =
                queue.<QueueStatus>runCommand(BuildQueue.GetStatus::new).reply();

        assertThat(status.entries()).extracting(QueueStatus.Entry::key).containsExactly(A, B);
        assertThat(status.entries().get(0).worker()).contains("w1");
        assertThat(status.workers())
                .containsExactly(new QueueStatus.Worker("w1", 2, 2, List.of("*"), List.of("*"), false));
    }

    @Test
    void whatSomebodyWaitsForIsHandedOutFirstAndToldItsPlace() {
        ask("life", 1);
        renewed();
        enqueue(key("team/x", "linux/amd64"), 1);
        worker.expectMessageClass(BuildQueue.Granted.class);
        enqueue(A, 1);
        enqueue(B, 1);
        queue.runCommand(new BuildQueue.Awaited(B, 1, Duration.ofSeconds(30)));
        assertThat(builds.receiveMessage()).isEqualTo(new Told(B, new BuildEntity.Placed(1, 1)));
        QueueStatus status =
                queue.<QueueStatus>runCommand(BuildQueue.GetStatus::new).reply();
        assertThat(status.entries()).extracting(QueueStatus.Entry::awaited).containsExactly(false, true, false);
        assertThat(status.entries())
                .extracting(QueueStatus.Entry::position)
                .containsExactly(Optional.empty(), Optional.of(1), Optional.of(2));
        ask("life", 1, 1L);

        assertThat(queue.getState().find(B).orElseThrow().lease()).isPresent();
        assertThat(queue.getState().find(A).orElseThrow().lease()).isEmpty();
    }

    @Test
    void nobodyWaitsAnyMoreOnceItIsNotSaidAgain() {
        enqueue(A, 1);
        queue.runCommand(new BuildQueue.Awaited(A, 1, Duration.ofSeconds(30)));
        queue.runCommand(new BuildQueue.Awaited(B, 1, Duration.ofSeconds(30)));
        assertThat(awaited()).containsExactly(A);
        time(Duration.ofSeconds(30));
        assertThat(awaited()).isEmpty();
    }

    private List<BuildKey> awaited() {
        return queue.<QueueStatus>runCommand(BuildQueue.GetStatus::new).reply().entries().stream()
                .filter(QueueStatus.Entry::awaited)
                .map(QueueStatus.Entry::key)
                .toList();
    }

    @Test
    void aDrainedWorkerKeepsWhatItHasAndGetsNothingNewAlsoAfterARecovery() {
        grantAToWorker();
        assertThat(drain("w1", true))
                .isEqualTo(new BuildQueue.DrainAnswer.Done(
                        new QueueStatus.Worker("w1", 2, 2, List.of("*"), List.of("*"), true)));
        assertThat(queue.restart().state().drained()).containsExactly("w1");
        enqueue(B, 1);
        ask("life", 1, 1L);
        assertThat(renewed().valid()).containsExactly(1L);
        assertThat(queue.getState().find(B).orElseThrow().lease()).isEmpty();

        assertThat(drain("w1", false)).isInstanceOf(BuildQueue.DrainAnswer.Done.class);
        assertThat(queue.getState().find(B).orElseThrow().lease())
                .as("its free slot is used at once")
                .isPresent();
    }

    @Test
    void onlyWhoHasAskedForWorkCanBeDrainedAndOnlySoMany() {
        assertThat(drain("stranger", true)).isEqualTo(new BuildQueue.DrainAnswer.Unknown());
        assertThat(drain("stranger", false)).isEqualTo(new BuildQueue.DrainAnswer.Unknown());
        for (int i = 0; i < QueueState.MAX_DRAINED; i++) {
            ask(worker, "old" + i, "life", 1, 1);
            drain("old" + i, true);
            if (i % 100 == 0) {
                time(QUEUE.ask().multipliedBy(5));
            }
        }
        ask(worker, "w1", "life", 1, 1);
        assertThat(drain("w1", true)).isEqualTo(new BuildQueue.DrainAnswer.TooMany());
        assertThat(drain("old7", false)).isInstanceOf(BuildQueue.DrainAnswer.Done.class);
        assertThat(drain("w1", true)).isInstanceOf(BuildQueue.DrainAnswer.Done.class);
    }

    private BuildQueue.DrainAnswer drain(String name, boolean drain) {
        return queue.<BuildQueue.DrainAnswer>runCommand(
                        replyTo -> new BuildQueue.SetDrained(name, drain, "ann", replyTo))
                .reply();
    }

    private void grantAToWorker() {
        ask("life", 1);
        renewed();
        enqueue(A, 1);
        worker.expectMessageClass(BuildQueue.Granted.class);
    }

    private EnqueueAnswer enqueue(BuildKey key, int request) {
        return queue.runCommand((ActorRef<EnqueueAnswer> replyTo) ->
                        new BuildQueue.Enqueue(key, request, CAUSE, INPUT, false, replyTo))
                .reply();
    }

    private void ask(String incarnation, int free, Long... held) {
        ask(worker, "w1", incarnation, ++asks, free, held);
    }

    private void ask(
            TestProbe<WorkerNews> from, String name, String incarnation, long sequence, int free, Long... held) {
        queue.runCommand(new BuildQueue.Ask(
                from.ref(), name, incarnation, sequence, 2, free, List.of("*"), List.of("*"), Set.of(held)));
    }

    private BuildQueue.Renewed renewed() {
        return worker.expectMessageClass(BuildQueue.Renewed.class);
    }

    private void time(Duration passes) {
        clock.advance(passes);
        ManualTime.get(ACTORS.system()).timePasses(passes);
    }
}
