package dev.kiln.worker;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import com.typesafe.config.ConfigFactory;
import dev.kiln.build.AttemptCommand;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildInput;
import dev.kiln.build.BuildQueue;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import dev.kiln.build.Cause;
import dev.kiln.build.FailureClass;
import dev.kiln.build.PushAnswer;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.source.SourceArchive;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.ScriptedBuilder;
import dev.kiln.worker.builder.Builder;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** One lease from its grant to its end, whatever comes between. */
class AttemptTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(
            ManualTime.config().withFallback(ConfigFactory.parseString("akka.actor.provider = local")));

    private static final BuildKey KEY = BuildKey.of("team/app@" + "0123456789".repeat(4) + "@linux/amd64");
    private static final Descriptor MANIFEST = new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256(new byte[0]), 5);
    private static final Digest TOKEN = Digest.sha256(new byte[] {1});
    private static final Duration LEASE = Duration.ofSeconds(117);
    private static final Duration REPEAT = Duration.ofSeconds(3);
    private static final BuildQueue.Granted GRANT = new BuildQueue.Granted(
            KEY,
            new BuildEvent.Requested(
                    1,
                    new Cause("", "", "", "main"),
                    new BuildInput(new SourceArchive(Digest.sha256(new byte[0]), 0, 0), "make"),
                    Instant.EPOCH),
            7);

    /** Work whose stages end when the test says so. */
    private static final class ScriptedWork implements Attempt.Work {
        final CompletableFuture<Supplier<Duration>> began = new CompletableFuture<>();
        final CompletableFuture<Started> started = new CompletableFuture<>();
        final CompletableFuture<Builder.Outcome> finishing = new CompletableFuture<>();
        final CompletableFuture<Result> finished = new CompletableFuture<>();
        final CompletableFuture<Descriptor> taking = new CompletableFuture<>();
        final CompletableFuture<Void> clearing = new CompletableFuture<>();
        final CompletableFuture<Void> cleared = new CompletableFuture<>();

        @Override
        public CompletionStage<Started> start(
                BuildQueue.Granted lease, int attempt, int slot, Supplier<Duration> leaseLeft) {
            assertThat(attempt).isEqualTo(4);
            began.complete(leaseLeft);
            return started;
        }

        @Override
        public CompletionStage<Result> finish(Builder.Outcome outcome) {
            finishing.complete(outcome);
            return finished;
        }

        @Override
        public CompletionStage<Result> take(Descriptor manifest) {
            taking.complete(manifest);
            return finished;
        }

        @Override
        public CompletionStage<?> clear() {
            clearing.complete(null);
            return cleared;
        }
    }

    private final ScriptedWork work = new ScriptedWork();
    private final ScriptedBuilder builder = new ScriptedBuilder();
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE - 5); // it wraps around
    private final CompletableFuture<Void> free = new CompletableFuture<>();
    private final ManualTime time = ManualTime.get(ACTORS.system());
    private TestProbe<BuildEntity.Command> build;
    private TestProbe<BuildQueue.Command> queue;
    private ActorRef<Attempt.Message> attempt;

    @BeforeEach
    void begin() {
        build = ACTORS.testKit().createTestProbe();
        queue = ACTORS.testKit().createTestProbe();
        Attempt.Peers peers = new Attempt.Peers(
                (key, command) -> build.ref().tell(command), queue.ref()::tell, "w1", REPEAT, nanos::get);
        attempt = ACTORS.testKit()
                .spawn(Attempt.create(GRANT, 0, nanos.get() + LEASE.toNanos(), work, peers, () -> free.complete(null)));
    }

    @Test
    void aBuildThatEndsWellIsTakenInReportedAndClearedAwayBeforeItsSlotIsFree() throws Exception {
        run();
        assertThat(builder.leases).containsExactly(LEASE);
        builder.outcome.complete(new Builder.Outcome.Succeeded());
        assertThat(await(work.finishing)).isEqualTo(new Builder.Outcome.Succeeded());
        work.finished.complete(new Result.Succeeded(MANIFEST));

        acknowledge(finished(new Result.Succeeded(MANIFEST)));
        await(work.clearing);
        assertThat(free).isNotDone();
        work.cleared.complete(null);
        await(free);
    }

    @Test
    void whatIsNotAnsweredIsSaidAgainInEveryStage() throws Exception {
        build.expectMessageClass(BuildEntity.Start.class);
        time.timePasses(REPEAT);
        build.expectMessageClass(BuildEntity.Start.class).replyTo().tell(new StartAnswer.Start(4));
        await(work.began);
        time.timePasses(REPEAT);
        assertThat(build.expectMessageClass(BuildEntity.Report.class).attempt()).isEqualTo(4);
        work.started.complete(new Attempt.Work.Started(Optional.of(builder), Optional.empty()));
        Awaitility.await().until(() -> !builder.leases.isEmpty());
        time.timePasses(REPEAT);
        build.expectMessageClass(BuildEntity.Report.class);
        builder.outcome.complete(new Builder.Outcome.Failed(FailureClass.SOURCE, "exit 2"));
        await(work.finishing);
        time.timePasses(REPEAT);
        build.expectMessageClass(BuildEntity.Report.class);
        work.finished.complete(new Result.Failed(FailureClass.SOURCE, "exit 2"));

        finished(new Result.Failed(FailureClass.SOURCE, "exit 2"));
        time.timePasses(REPEAT);
        acknowledge(finished(new Result.Failed(FailureClass.SOURCE, "exit 2")));
        await(work.clearing);
    }

    @Test
    void aLeaseThatMayNotStartIsGivenBackOrDropped() throws Exception {
        Instant later = Instant.EPOCH.plusSeconds(5);
        build.expectMessageClass(BuildEntity.Start.class).replyTo().tell(new StartAnswer.NotBefore(later));
        BuildQueue.Return back = queue.expectMessageClass(BuildQueue.Return.class);
        assertThat(back.notBefore()).contains(later);
        assertThat(back.fence()).isEqualTo(7);
        await(free);
        assertThat(work.began).isNotDone();

        begin();
        build.expectMessageClass(BuildEntity.Start.class).replyTo().tell(new StartAnswer.Drop());
        queue.expectMessage(new BuildQueue.Remove(KEY, 1));
    }

    @Test
    void aStopBeforeTheAnswerGivesTheLeaseBack() throws Exception {
        build.expectMessageClass(BuildEntity.Start.class);
        attempt.tell(new Attempt.Stop("shutting down"));

        assertThat(queue.expectMessageClass(BuildQueue.Return.class).fence()).isEqualTo(7);
        await(free);
    }

    @Test
    void aStopDuringTheCheckoutStartsNoBuilder() throws Exception {
        start();
        Supplier<Duration> leaseLeft = await(work.began);
        assertThat(leaseLeft.get()).isEqualTo(LEASE);
        attempt.tell(new Attempt.Stop("shutting down"));
        Awaitility.await().until(() -> leaseLeft.get().isZero());
        work.started.complete(new Attempt.Work.Started(
                Optional.empty(), Optional.of(new Result.Failed(FailureClass.SOURCE, "nothing"))));

        acknowledge(finished(new Result.HandedBack("shutting down")));
        await(work.clearing);
    }

    @Test
    void aBuilderThatWasStartedJustBeforeTheStopIsStoppedToo() throws Exception {
        start();
        await(work.began);
        attempt.tell(new Attempt.Stop("shutting down"));
        Awaitility.await().until(() -> work.began.join().get().isZero());
        work.started.complete(new Attempt.Work.Started(Optional.of(builder), Optional.empty()));
        await(builder.stopped);
    }

    @Test
    void aStopWhileItRunsEndsItAndHandsItBackWhenItHasEnded() throws Exception {
        ActorRef<AttemptCommand> commands = run();
        commands.tell(new AttemptCommand.Stop("cancelled"));
        await(builder.stopped);
        build.expectNoMessage(Duration.ZERO);
        builder.outcome.complete(new Builder.Outcome.Stopped("it was told to stop"));

        acknowledge(finished(new Result.HandedBack("cancelled")));
        assertThat(work.finishing).isNotDone();
        await(work.clearing);
    }

    @Test
    void aStopWhileItIsTakenInOrReportedChangesNothing() throws Exception {
        run();
        builder.outcome.complete(new Builder.Outcome.Succeeded());
        await(work.finishing);
        attempt.tell(new Attempt.Stop("its lease is over"));
        work.finished.complete(new Result.Succeeded(MANIFEST));
        BuildEntity.Finished finished = finished(new Result.Succeeded(MANIFEST));
        attempt.tell(new Attempt.Stop("its lease is over"));
        acknowledge(finished);
        await(work.clearing);
    }

    @Test
    void aLeaseThatIsNotRenewedEndsIt() throws Exception {
        run();
        nanos.addAndGet(Duration.ofSeconds(60).toNanos());
        attempt.tell(new Attempt.Renew(nanos.get() + LEASE.toNanos()));
        Awaitility.await().until(() -> builder.leases.size() == 2);
        time.timePasses(LEASE.minusSeconds(1));
        assertThat(builder.stopped).isNotDone();
        time.timePasses(Duration.ofSeconds(1));
        await(builder.stopped);
    }

    @Test
    void anOlderRenewalShortensNothing() throws Exception {
        run();
        attempt.tell(new Attempt.Renew(nanos.get() + 1));
        attempt.tell(new Attempt.Renew(nanos.get() + LEASE.toNanos() + 1));
        Awaitility.await().until(() -> builder.leases.size() == 2);
        assertThat(builder.leases.get(1)).isEqualTo(LEASE.plusNanos(1));
    }

    @Test
    void whatFailsOnThisMachineIsToldWithoutItsPaths() throws Exception {
        start();
        await(work.began);
        work.started.completeExceptionally(new NoSuchFileException("/srv/kiln/work/slot-0"));

        BuildEntity.Finished finished = build.expectMessageClass(BuildEntity.Finished.class);
        assertThat(finished.result()).isInstanceOf(Result.Failed.class);
        assertThat(finished.result().toString()).contains("INFRASTRUCTURE").doesNotContain("/srv");
    }

    @Test
    void anAttemptThatFailsEndsItsBuilderBeforeItsSlotIsFree() throws Exception {
        run();
        // Its actor is stopped from outside, as by a failure of its own.
        ACTORS.testKit().stop(attempt);
        await(builder.stopped);
        assertThat(work.clearing).isNotDone();
        assertThat(free).isNotDone();
        builder.outcome.complete(new Builder.Outcome.Stopped("it was told to stop"));
        await(work.clearing);
        assertThat(free).isNotDone();
        work.cleared.complete(null);
        await(free);
    }

    @Test
    void anAttemptWhoseBuilderThrowsEndsItBeforeItsSlotIsFree() throws Exception {
        start();
        await(work.began);
        Builder.Running throwing = new Builder.Running() {
            @Override
            public CompletionStage<Builder.Outcome> outcome() {
                return builder.outcome();
            }

            @Override
            public void renew(Duration lease) {
                throw new IllegalStateException("a bug");
            }

            @Override
            public void stop() {
                builder.stop();
            }
        };
        work.started.complete(new Attempt.Work.Started(Optional.of(throwing), Optional.empty()));
        await(builder.stopped);
        assertThat(free).isNotDone();
        builder.outcome.complete(new Builder.Outcome.Stopped("it was told to stop"));
        await(work.clearing);
        work.cleared.complete(null);
        await(free);
    }

    // ---- an image that is pushed

    @Test
    void theImageThatIsPushedEndsTheAttemptAndIsAnsweredWhenTheBuildHasIt() throws Exception {
        ActorRef<AttemptCommand> commands = pushed();
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.empty(), client.ref()));
        client.expectMessage(new PushAnswer.Open());
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(MANIFEST), client.ref()));
        assertThat(await(work.taking)).isEqualTo(MANIFEST);
        time.timePasses(REPEAT);
        build.expectMessageClass(BuildEntity.Report.class);
        work.finished.complete(new Result.Succeeded(MANIFEST));

        BuildEntity.Finished finished = finished(new Result.Succeeded(MANIFEST));
        client.expectNoMessage(Duration.ZERO);
        // Its client asks again, since a message may be lost, and only the last who asked is answered.
        TestProbe<PushAnswer> again = ACTORS.testKit().createTestProbe();
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(MANIFEST), again.ref()));
        Descriptor other = new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256(new byte[1]), 1);
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(other), client.ref()));
        assertThat(client.expectMessageClass(PushAnswer.Refused.class).message())
                .contains("another image");
        acknowledge(finished);
        again.expectMessage(new PushAnswer.Stored());

        // What pushed it has its time to end: nothing else ends it.
        await(builder.received);
        commands.tell(new AttemptCommand.Stop("its lease is over"));
        attempt.tell(new Attempt.Renew(nanos.get() + 2 * LEASE.toNanos()));
        time.timePasses(Duration.ofSeconds(9));
        assertThat(builder.stopped).isNotDone();
        assertThat(builder.leases).hasSize(1);
        time.timePasses(Duration.ofSeconds(1));
        await(builder.stopped);
        assertThat(work.clearing).isNotDone();
        builder.outcome.complete(new Builder.Outcome.Succeeded());
        await(work.clearing);
        work.cleared.complete(null);
        await(free);
    }

    @Test
    void anImageThatCannotBeTakenInIsNotThePushersFault() throws Exception {
        ActorRef<AttemptCommand> commands = pushed();
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(MANIFEST), client.ref()));
        await(work.taking);
        work.finished.complete(new Result.Failed(FailureClass.INFRASTRUCTURE, "the disk is full"));

        acknowledge(finished(new Result.Failed(FailureClass.INFRASTRUCTURE, "the disk is full")));
        client.expectMessage(new PushAnswer.NotTaken("the disk is full"));
    }

    @Test
    void anImageThatIsNotWhatWasAskedForFailsTheAttemptAndItsPush() throws Exception {
        ActorRef<AttemptCommand> commands = pushed();
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(MANIFEST), client.ref()));
        await(work.taking);
        // What pushed it ends before the image is looked at.
        builder.outcome.complete(new Builder.Outcome.Failed(FailureClass.SOURCE, "exit 1"));
        work.finished.complete(new Result.Failed(FailureClass.SOURCE, "the image is for linux/arm64"));

        acknowledge(finished(new Result.Failed(FailureClass.SOURCE, "the image is for linux/arm64")));
        client.expectMessage(new PushAnswer.Rejected("the image is for linux/arm64"));
        await(work.clearing);
        assertThat(work.finishing).isNotDone();
    }

    @Test
    void aResultThatIsNotWantedAnyMoreIsNotAnsweredAsStored() throws Exception {
        ActorRef<AttemptCommand> commands = pushed();
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(MANIFEST), client.ref()));
        work.finished.complete(new Result.Succeeded(MANIFEST));
        BuildEntity.Finished finished = finished(new Result.Succeeded(MANIFEST));
        finished.replyTo().tell(new BuildEntity.Acknowledged(4, 7, false));
        client.expectMessageClass(PushAnswer.Refused.class);
    }

    @Test
    void anotherTokenAndAnAttemptThatEndsTakeNothing() throws Exception {
        ActorRef<AttemptCommand> commands = pushed();
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        Digest wrong = Digest.sha256(new byte[] {2});
        for (Optional<Descriptor> manifest : List.of(Optional.<Descriptor>empty(), Optional.of(MANIFEST))) {
            commands.tell(new AttemptCommand.Push(wrong, manifest, client.ref()));
            assertThat(client.expectMessageClass(PushAnswer.Refused.class).message())
                    .contains("not that of the attempt");
        }
        commands.tell(new AttemptCommand.Stop("cancelled"));
        await(builder.stopped);
        for (Optional<Descriptor> manifest : List.of(Optional.<Descriptor>empty(), Optional.of(MANIFEST))) {
            commands.tell(new AttemptCommand.Push(TOKEN, manifest, client.ref()));
            assertThat(client.expectMessageClass(PushAnswer.Refused.class).message())
                    .contains("has ended");
        }
        assertThat(work.taking).isNotDone();
    }

    @Test
    void aBuilderWhoseImageIsNotPushedTakesNoPush() throws Exception {
        ActorRef<AttemptCommand> commands = run();
        TestProbe<PushAnswer> client = ACTORS.testKit().createTestProbe();
        commands.tell(new AttemptCommand.Push(TOKEN, Optional.of(MANIFEST), client.ref()));
        client.expectMessageClass(PushAnswer.Refused.class);
    }

    private ActorRef<AttemptCommand> pushed() throws Exception {
        builder.admits(TOKEN);
        return run();
    }

    private ActorRef<AttemptCommand> start() {
        BuildEntity.Start start = build.expectMessageClass(BuildEntity.Start.class);
        assertThat(start.fence()).isEqualTo(7);
        start.replyTo().tell(new StartAnswer.Start(4));
        return start.running();
    }

    private ActorRef<AttemptCommand> run() throws Exception {
        ActorRef<AttemptCommand> commands = start();
        await(work.began);
        work.started.complete(new Attempt.Work.Started(Optional.of(builder), Optional.empty()));
        Awaitility.await().until(() -> !builder.leases.isEmpty());
        return commands;
    }

    private BuildEntity.Finished finished(Result result) {
        BuildEntity.Finished finished = build.expectMessageClass(BuildEntity.Finished.class);
        assertThat(finished.result()).isEqualTo(result);
        assertThat(finished.attempt()).isEqualTo(4);
        assertThat(finished.fence()).isEqualTo(7);
        return finished;
    }

    private static void acknowledge(BuildEntity.Finished finished) {
        finished.replyTo().tell(new BuildEntity.Acknowledged(finished.attempt(), finished.fence(), true));
    }

    private static <T> T await(CompletableFuture<T> future) throws Exception {
        return future.get(10, TimeUnit.SECONDS);
    }
}
