package dev.kiln.worker;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.actor.typed.javadsl.TimerScheduler;
import dev.kiln.build.AttemptCommand;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildQueue;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import dev.kiln.build.FailureClass;
import dev.kiln.build.PushAnswer;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.worker.builder.Builder;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * One lease, from its grant to its end: asks the build whether to start, has the work done, and reports the end until the
 * build acknowledges it. Stops when nothing is left to do. If it fails or is stopped before, it ends what runs all the
 * same; either way its slot is free when {@code free} is run, and never before.
 */
public final class Attempt extends AbstractBehavior<Attempt.Message> {
    public sealed interface Message {}

    /** @param leaseEnd in the monotonic clock's nanoseconds */
    record Renew(long leaseEnd) implements Message {}

    /** The attempt is not wanted any more, or not here: end it and give it back. */
    record Stop(String reason) implements Message {}

    private record Told(AttemptCommand command) implements Message {}

    private record Answered(StartAnswer answer) implements Message {}

    private record Prepared(Optional<Work.Started> started, Throwable failure) implements Message {}

    private record Ended(Builder.Outcome outcome) implements Message {}

    private record Finished(Optional<Result> result, Throwable failure) implements Message {}

    private record Acknowledged(boolean current) implements Message {}

    private record Cleared() implements Message {}

    private enum Tick implements Message {
        REPEAT,
        LEASE_END
    }

    private enum Stage {
        ASKING,
        PREPARING,
        RUNNING,
        FINISHING,
        REPORTING,
        /** Of an image that was pushed: what pushed it may still run. */
        LEAVING
    }

    /** For a command to end by itself after its push was answered. */
    private static final Duration LEAVE = Duration.ofSeconds(10);

    /** The blocking work of an attempt. Each stage runs on a dispatcher of its own. */
    public interface Work {
        /**
         * Makes directory, checkout and log, and starts the builder.
         *
         * @param leaseLeft how long the builder may run from now on, before the first renewal; zero when it must not be
         *     started any more. Thread-safe
         */
        CompletionStage<Started> start(BuildQueue.Granted lease, int attempt, int slot, Supplier<Duration> leaseLeft);

        /** Takes the image in after the builder has ended well, or says why not. */
        CompletionStage<Result> finish(Builder.Outcome outcome);

        /** Takes in an image that was pushed and is in the store with all that it refers to, or says why not. */
        CompletionStage<Result> take(Descriptor manifest);

        /** Removes directory and closes the log. Called once, last, when no process runs any more. */
        CompletionStage<?> clear();

        /** Either a running build or why there is none. */
        record Started(Optional<Builder.Running> running, Optional<Result> failure) {}
    }

    /** Who an attempt talks to. */
    public record Peers(
            BiConsumer<BuildKey, BuildEntity.Command> builds,
            BuildQueue.Peer queue,
            String worker,
            Duration repeat,
            LongSupplier nanoTime) {}

    private final TimerScheduler<Message> timers;
    private final BuildQueue.Granted lease;
    private final int slot;
    private final Work work;
    private final Peers peers;
    private final Runnable free;
    private final ActorRef<AttemptCommand> commands;
    private final ActorRef<StartAnswer> startAnswers;
    private final ActorRef<BuildEntity.Acknowledged> acknowledgements;

    private Stage stage = Stage.ASKING;
    private int number;
    private Optional<Builder.Running> running = Optional.empty();
    private Optional<Builder.Receiver> receiver = Optional.empty();
    /** What was pushed, and who is told what becomes of it. */
    private Optional<AttemptCommand.Push> pushed = Optional.empty();

    private Optional<Result> result = Optional.empty();
    /** What was begun and is not cleared away yet. */
    private Optional<CompletionStage<Work.Started>> begun = Optional.empty();

    // Read by the work, too.
    private volatile long leaseEnd;
    private volatile Optional<String> stopping = Optional.empty();

    /**
     * The behaviour of one attempt.
     *
     * @param leaseEnd in the nanoseconds of {@code peers.nanoTime}
     * @param free run once, from any thread, when nothing of the attempt is left in its slot
     */
    public static Behavior<Message> create(
            BuildQueue.Granted lease, int slot, long leaseEnd, Work work, Peers peers, Runnable free) {
        return Behaviors.setup(context ->
                Behaviors.withTimers(timers -> new Attempt(context, timers, lease, slot, leaseEnd, work, peers, free)));
    }

    private Attempt(
            ActorContext<Message> context,
            TimerScheduler<Message> timers,
            BuildQueue.Granted lease,
            int slot,
            long leaseEnd,
            Work work,
            Peers peers,
            Runnable free) {
        super(context);
        this.timers = timers;
        this.lease = lease;
        this.slot = slot;
        this.leaseEnd = leaseEnd;
        this.work = work;
        this.peers = peers;
        this.free = free;
        this.commands = context.messageAdapter(AttemptCommand.class, Told::new);
        this.startAnswers = context.messageAdapter(StartAnswer.class, Answered::new);
        this.acknowledgements =
                context.messageAdapter(BuildEntity.Acknowledged.class, answer -> new Acknowledged(answer.current()));
        timers.startTimerWithFixedDelay(Tick.REPEAT, Tick.REPEAT, peers.repeat());
        armLease();
        tellBuild();
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(Renew.class, this::onRenew)
                .onMessage(Stop.class, stop -> end(stop.reason()))
                .onMessage(Told.class, this::onTold)
                .onMessage(Answered.class, this::onAnswered)
                .onMessage(Prepared.class, this::onPrepared)
                .onMessage(Ended.class, this::onEnded)
                .onMessage(Finished.class, this::onFinished)
                .onMessage(Acknowledged.class, this::onAcknowledged)
                .onMessage(Tick.class, this::onTick)
                .onSignal(PostStop.class, stopped -> onStopped())
                .build();
    }

    /** Says to the build whatever this stage has to say; repeated until it is answered. */
    private void tellBuild() {
        switch (stage) {
            case ASKING ->
                peers.builds()
                        .accept(
                                lease.key(),
                                new BuildEntity.Start(
                                        lease.request(), lease.fence(), peers.worker(), commands, startAnswers));
            case PREPARING, RUNNING, FINISHING ->
                peers.builds().accept(lease.key(), new BuildEntity.Report(number, lease.fence(), commands));
            case REPORTING ->
                peers.builds()
                        .accept(
                                lease.key(),
                                new BuildEntity.Finished(
                                        number, lease.fence(), result.orElseThrow(), acknowledgements));
            case LEAVING -> {}
        }
    }

    private Behavior<Message> onTick(Tick tick) {
        if (tick == Tick.REPEAT) {
            tellBuild();
            return this;
        }
        if (stage == Stage.LEAVING) {
            running.ifPresent(Builder.Running::stop);
            return this;
        }
        return end("the lease was not renewed in time");
    }

    private void armLease() {
        long left = Math.max(0, leaseEnd - peers.nanoTime().getAsLong());
        timers.startSingleTimer(Tick.LEASE_END, Tick.LEASE_END, Duration.ofNanos(left));
    }

    private Behavior<Message> onRenew(Renew renew) {
        if (stage != Stage.LEAVING && renew.leaseEnd() - leaseEnd > 0) {
            leaseEnd = renew.leaseEnd();
            armLease();
            running.ifPresent(r -> r.renew(leaseLeft()));
        }
        return this;
    }

    private Duration leaseLeft() {
        return stopping.isPresent()
                ? Duration.ZERO
                : Duration.ofNanos(Math.max(0, leaseEnd - peers.nanoTime().getAsLong()));
    }

    private Behavior<Message> onAnswered(Answered answered) {
        if (stage != Stage.ASKING) {
            return this;
        }
        if (answered.answer() instanceof StartAnswer.Start start) {
            number = start.attempt();
            stage = Stage.PREPARING;
            CompletionStage<Work.Started> starting = work.start(lease, number, slot, this::leaseLeft);
            begun = Optional.of(starting);
            getContext()
                    .pipeToSelf(starting, (started, failure) -> new Prepared(Optional.ofNullable(started), failure));
            return this;
        }
        if (answered.answer() instanceof StartAnswer.Drop) {
            peers.queue()
                    .tell(new BuildQueue.Remove(lease.key(), lease.request().request()));
        } else if (answered.answer() instanceof StartAnswer.NotBefore later) {
            giveBack("its next attempt may not start yet", Optional.of(later.time()));
        } else {
            giveBack("a newer lease is in force", Optional.empty());
        }
        return Behaviors.stopped();
    }

    private void giveBack(String reason, Optional<Instant> notBefore) {
        peers.queue().tell(new BuildQueue.Return(lease.key(), lease.fence(), reason, notBefore));
    }

    private Behavior<Message> onPrepared(Prepared prepared) {
        running = prepared.started().flatMap(Work.Started::running);
        if (running.isEmpty()) {
            Optional<Result> failure = prepared.started().flatMap(Work.Started::failure);
            return report(stopping.<Result>map(Result.HandedBack::new)
                    .or(() -> failure)
                    .orElseGet(() -> infrastructure(prepared.failure())));
        }
        stage = Stage.RUNNING;
        receiver = running.get().receiver();
        getContext()
                .pipeToSelf(
                        running.get().outcome(),
                        (outcome, failure) -> new Ended(
                                failure == null
                                        ? outcome
                                        : new Builder.Outcome.Failed(
                                                FailureClass.INFRASTRUCTURE,
                                                "the server could not tell how it ended")));
        running.get().renew(leaseLeft());
        if (stopping.isPresent()) {
            running.get().stop();
        }
        return this;
    }

    private Behavior<Message> onEnded(Ended ended) {
        running = Optional.empty();
        if (stage != Stage.RUNNING) {
            // Its image was pushed before, and decides.
            return stage == Stage.LEAVING ? clear() : this;
        }
        stage = Stage.FINISHING;
        if (stopping.isPresent()) {
            return report(new Result.HandedBack(stopping.get()));
        }
        getContext()
                .pipeToSelf(
                        work.finish(ended.outcome()),
                        (end, failure) -> new Finished(Optional.ofNullable(end), failure));
        return this;
    }

    private Behavior<Message> onTold(Told told) {
        if (told.command() instanceof AttemptCommand.Push push) {
            onPush(push);
            return this;
        }
        return end(((AttemptCommand.Stop) told.command()).reason());
    }

    /**
     * The first image that is pushed ends the attempt: it is taken in as another builder's output is, reported, and
     * recorded by the build, before who pushed it is told that it is stored. A crash before that loses the attempt, and one
     * after it nothing.
     */
    private void onPush(AttemptCommand.Push push) {
        if (stage == Stage.ASKING || stage == Stage.PREPARING) {
            return; // it is said again in a moment
        }
        if (!receiver.map(r -> r.admits(push.token())).orElse(false)) {
            refuse(push, "the token is not that of the attempt that runs");
        } else if (pushed.isEmpty() && (stage != Stage.RUNNING || stopping.isPresent())) {
            refuse(push, "the attempt has ended");
        } else if (push.manifest().isEmpty()) {
            push.replyTo().tell(new PushAnswer.Open());
        } else if (pushed.isPresent()) {
            if (push.manifest().equals(pushed.get().manifest())) {
                pushed = Optional.of(push);
            } else {
                refuse(push, "another image was pushed with this token");
            }
        } else {
            pushed = Optional.of(push);
            stage = Stage.FINISHING;
            getContext()
                    .pipeToSelf(
                            work.take(push.manifest().get()),
                            (end, failure) -> new Finished(Optional.ofNullable(end), failure));
        }
    }

    private static void refuse(AttemptCommand.Push push, String why) {
        push.replyTo().tell(new PushAnswer.Refused(why));
    }

    private Behavior<Message> onAcknowledged(Acknowledged acknowledged) {
        pushed.ifPresent(push -> push.replyTo().tell(answer(acknowledged.current())));
        if (running.isEmpty()) {
            return clear();
        }
        stage = Stage.LEAVING;
        timers.cancelAll();
        timers.startSingleTimer(Tick.LEASE_END, Tick.LEASE_END, LEAVE);
        receiver.ifPresent(Builder.Receiver::received);
        return this;
    }

    private PushAnswer answer(boolean current) {
        if (!current) {
            return new PushAnswer.Refused("the attempt is not wanted any more");
        }
        if (result.orElseThrow() instanceof Result.Failed failed) {
            return failed.failureClass() == FailureClass.INFRASTRUCTURE
                    ? new PushAnswer.NotTaken(failed.message())
                    : new PushAnswer.Rejected(failed.message());
        }
        return new PushAnswer.Stored();
    }

    private Behavior<Message> onFinished(Finished finished) {
        return report(finished.result().orElseGet(() -> infrastructure(finished.failure())));
    }

    /** What went wrong may name this machine's paths: the person who pulls is not told. */
    private Result infrastructure(Throwable failure) {
        getContext().getLog().error("an attempt of {} failed", lease.key(), failure);
        return new Result.Failed(
                FailureClass.INFRASTRUCTURE, "the build could not be run; the log of its node says more");
    }

    private Behavior<Message> report(Result end) {
        result = Optional.of(end);
        stage = Stage.REPORTING;
        tellBuild();
        return this;
    }

    private Behavior<Message> end(String reason) {
        switch (stage) {
            case ASKING -> {
                giveBack(reason, Optional.empty());
                return Behaviors.stopped();
            }
            case PREPARING, RUNNING -> {
                stopping = stopping.or(() -> Optional.of(reason));
                running.ifPresent(Builder.Running::stop);
                return this;
            }
            case FINISHING, REPORTING, LEAVING -> {
                // Its image is made: the build decides whether it still counts.
                return this;
            }
        }
        throw new IllegalStateException("every stage is one of the above");
    }

    private Behavior<Message> clear() {
        timers.cancelAll();
        begun = Optional.empty();
        getContext().pipeToSelf(work.clear(), (x, failure) -> new Cleared());
        return Behaviors.receive(Message.class)
                .onMessage(Cleared.class, cleared -> Behaviors.stopped(free::run))
                .onAnyMessage(message -> Behaviors.same())
                .build();
    }

    /** Not by its own will, or with nothing begun. */
    private Behavior<Message> onStopped() {
        stopping = stopping.or(() -> Optional.of("its actor was stopped"));
        begun.ifPresentOrElse(
                starting -> starting.thenCompose(Attempt::ended)
                        .handle((outcome, failure) -> work.clear())
                        .thenCompose(cleared -> cleared)
                        .whenComplete((cleared, failure) -> free.run()),
                free);
        return this;
    }

    private static CompletionStage<?> ended(Work.Started started) {
        started.running().ifPresent(Builder.Running::stop);
        return started.running()
                .<CompletionStage<?>>map(Builder.Running::outcome)
                .orElse(CompletableFuture.completedFuture(null));
    }
}
