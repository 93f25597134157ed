package dev.kiln.build;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.RecipientRef;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.RecoveryCompleted;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.Effect;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import akka.persistence.typed.javadsl.SignalHandler;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Wire;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * The actor that owns one build: the single writer of its requests, attempts and result. What it decides is in
 * {@link BuildState}; here is who is told, and in which order: the queue before the request, the journal before anybody
 * else. Those who wait are not state, they subscribe again every few seconds.
 */
public final class BuildEntity extends EventSourcedBehavior<BuildEntity.Command, BuildEvent, BuildState> {
    public static final EntityTypeKey<Command> TYPE_KEY = EntityTypeKey.create(Command.class, "Build");

    /** Every event carries one of these, so that the catalog can be filled by several readers side by side. */
    public static final List<String> TAGS = List.of("build-0", "build-1", "build-2", "build-3");

    private static final Duration QUEUE_TIMEOUT = Duration.ofSeconds(5);
    private static final int MAX_PENDING = 1000;
    private static final int MAX_SUBSCRIBERS = 1000;
    private static final Duration MAX_TERM = Duration.ofMinutes(5);
    /** However many wait, on however many nodes, the queue hears of it so often. */
    private static final Duration AWAITED = Duration.ofSeconds(10);

    public sealed interface Command extends Wire {}

    /** Join the build, or begin a request when there is none to join. */
    public record Request(Cause cause, BuildInput input, ActorRef<RequestAnswer> replyTo) implements Command {}

    /** Begin a new request after a failure, whatever is remembered. */
    public record Retry(String by, ActorRef<RequestAnswer> replyTo) implements Command {}

    public record Cancel(String by, ActorRef<RequestAnswer> replyTo) implements Command {}

    public record Get(ActorRef<BuildStatus> replyTo) implements Command {}

    /**
     * Be told the status now and at each change, for {@code term}, at most five minutes; then subscribe again.
     *
     * @param awaited whether somebody waits for this build, which is handed out before what nobody waits for
     */
    public record Subscribe(ActorRef<BuildStatus> subscriber, Duration term, boolean awaited) implements Command {}

    /** Where this request stands in the queue, from 1. */
    public record Placed(int request, int position) implements Command {}

    /** A worker holds a lease on the request it carries. */
    public record Start(
            BuildEvent.Requested granted,
            long fence,
            String worker,
            ActorRef<AttemptCommand> running,
            ActorRef<BuildState.StartAnswer> replyTo)
            implements Command {}

    /** A worker runs this attempt; when it is not current it is told to stop. */
    public record Report(int attempt, long fence, ActorRef<AttemptCommand> running) implements Command {}

    /** An attempt has ended; repeated until acknowledged. */
    public record Finished(int attempt, long fence, BuildState.Result result, ActorRef<Acknowledged> replyTo)
            implements Command {}

    /** As {@link AttemptCommand.Push}, for the attempt that runs. Not answered while that is not known. */
    public record Push(Digest token, Optional<Descriptor> manifest, ActorRef<PushAnswer> replyTo) implements Command {}

    /** The queue took the lease away. */
    public record LeaseLost(long fence, String reason) implements Command {}

    private record EnqueueAnswered(
            int request, Cause cause, BuildInput input, Optional<BuildQueue.EnqueueAnswer> answer) implements Command {}

    /** @param current whether the result counts, also when this is the answer to a repetition of it */
    public record Acknowledged(int attempt, long fence, boolean current) implements Wire {}

    public sealed interface RequestAnswer extends Wire {
        /** @param began whether this very request began the build anew */
        record Joined(BuildStatus status, boolean began) implements RequestAnswer {}

        record QueueFull(QueueState.Refusal refusal) implements RequestAnswer {}

        /** The queue did not answer. */
        record Unavailable() implements RequestAnswer {}

        /** An operator asked for what this build's state does not allow. */
        record Conflict(BuildStatus status) implements RequestAnswer {}
    }

    private final ActorContext<Command> context;
    private final BuildKey key;
    private final Function<BuildKey, BuildTerms> terms;
    private final RecipientRef<BuildQueue.Command> queue;
    private final Clock clock;

    private final Map<ActorRef<BuildStatus>, Instant> subscribers = new HashMap<>();
    private final List<ActorRef<RequestAnswer>> pending = new ArrayList<>();
    /** Until when an answer of the queue is on its way; a time, since the answer itself can be lost. */
    private Instant enqueuingUntil = Instant.MIN;

    /** Until when the queue need not be told again that somebody waits. */
    private Instant awaitedUntil = Instant.MIN;

    private Optional<Placed> place = Optional.empty();

    private Optional<ActorRef<AttemptCommand>> running = Optional.empty();

    /**
     * The behaviour of one build.
     *
     * @param terms what the configuration says of a build now
     * @param queue the cluster's queue
     */
    public static Behavior<Command> create(
            BuildKey key, Function<BuildKey, BuildTerms> terms, RecipientRef<BuildQueue.Command> queue, Clock clock) {
        return Behaviors.setup(context -> new BuildEntity(context, key, terms, queue, clock));
    }

    private BuildEntity(
            ActorContext<Command> context,
            BuildKey key,
            Function<BuildKey, BuildTerms> terms,
            RecipientRef<BuildQueue.Command> queue,
            Clock clock) {
        super(
                persistenceId(key),
                SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(3), 0.2));
        this.context = context;
        this.key = key;
        this.terms = terms;
        this.queue = queue;
        this.clock = clock;
    }

    public static PersistenceId persistenceId(BuildKey key) {
        return PersistenceId.of(TYPE_KEY.name(), key.toString());
    }

    @Override
    public BuildState emptyState() {
        return BuildState.EMPTY;
    }

    @Override
    public Set<String> tagsFor(BuildEvent event) {
        return Set.of(TAGS.get(Math.floorMod(key.toString().hashCode(), TAGS.size())));
    }

    @Override
    public EventHandler<BuildState, BuildEvent> eventHandler() {
        return BuildState::apply;
    }

    /** This object outlives a failure of the journal, after which it recovers anew. */
    @Override
    public SignalHandler<BuildState> signalHandler() {
        return newSignalHandlerBuilder()
                .onSignal(RecoveryCompleted.instance(), state -> {
                    enqueuingUntil = Instant.MIN;
                    answerPending(new RequestAnswer.Unavailable());
                })
                .build();
    }

    @Override
    public CommandHandler<Command, BuildEvent, BuildState> commandHandler() {
        return newCommandHandlerBuilder()
                .forAnyState()
                .onCommand(Request.class, this::onRequest)
                .onCommand(EnqueueAnswered.class, this::onEnqueueAnswered)
                .onCommand(Retry.class, this::onRetry)
                .onCommand(Cancel.class, this::onCancel)
                .onCommand(Get.class, (state, get) -> {
                    get.replyTo().tell(status(state));
                    return Effect().none();
                })
                .onCommand(Placed.class, (state, placed) -> {
                    place = Optional.of(placed);
                    return Effect().none();
                })
                .onCommand(Subscribe.class, this::onSubscribe)
                .onCommand(Start.class, this::onStart)
                .onCommand(Report.class, this::onReport)
                .onCommand(Finished.class, this::onFinished)
                .onCommand(Push.class, this::onPush)
                .onCommand(LeaseLost.class, this::onLeaseLost)
                .build();
    }

    private Effect<BuildEvent, BuildState> onRequest(BuildState state, Request request) {
        if (!state.wantsRequest(clock.instant())) {
            request.replyTo().tell(new RequestAnswer.Joined(status(state), false));
            return Effect().none();
        }
        return enqueue(state, request.cause(), request.input(), false, request.replyTo());
    }

    private Effect<BuildEvent, BuildState> onRetry(BuildState state, Retry retry) {
        if (!(state.stage() instanceof BuildState.Stage.Failed)) {
            retry.replyTo().tell(new RequestAnswer.Conflict(status(state)));
            return Effect().none();
        }
        BuildEvent.Requested last = state.requested().orElseThrow();
        Cause cause = new Cause("operator " + retry.by(), "", "", last.cause().reference());
        // What was wrong may have been the builder, and its name may be another one by now.
        String builder = terms.apply(key).builder().orElse(last.input().builder());
        return enqueue(state, cause, new BuildInput(last.input().archive(), builder), true, retry.replyTo());
    }

    private Effect<BuildEvent, BuildState> enqueue(
            BuildState state, Cause cause, BuildInput input, boolean urgent, ActorRef<RequestAnswer> replyTo) {
        if (pending.size() >= MAX_PENDING) {
            replyTo.tell(new RequestAnswer.Unavailable());
            return Effect().none();
        }
        pending.add(replyTo);
        Instant now = clock.instant();
        if (!now.isBefore(enqueuingUntil)) {
            enqueuingUntil = now.plus(QUEUE_TIMEOUT.multipliedBy(2));
            int next = state.request() + 1;
            context.ask(
                    BuildQueue.EnqueueAnswer.class,
                    queue,
                    QUEUE_TIMEOUT,
                    (ActorRef<BuildQueue.EnqueueAnswer> ref) ->
                            new BuildQueue.Enqueue(key, next, cause, input, urgent, ref),
                    (answer, failure) -> new EnqueueAnswered(next, cause, input, Optional.ofNullable(answer)));
        }
        return Effect().none();
    }

    private Effect<BuildEvent, BuildState> onEnqueueAnswered(BuildState state, EnqueueAnswered answered) {
        enqueuingUntil = Instant.MIN;
        if (state.request() >= answered.request()) {
            // A worker was faster: its grant carried the request.
            answerJoined(status(state));
            return Effect().none();
        }
        if (answered.answer().isEmpty()) {
            answerPending(new RequestAnswer.Unavailable());
            return Effect().none();
        }
        if (answered.answer().get() instanceof BuildQueue.EnqueueAnswer.Refused refused) {
            answerPending(new RequestAnswer.QueueFull(refused.refusal()));
            return Effect().none();
        }
        return Effect()
                .persist(new BuildEvent.Requested(
                        answered.request(), answered.cause(), answered.input(), clock.instant()))
                .thenRun(next -> {
                    answerJoined(status(next));
                    publish(next);
                });
    }

    /** The first who asked began it, the others came while it was enqueued. */
    private void answerJoined(BuildStatus status) {
        pending.stream().limit(1).forEach(first -> first.tell(new RequestAnswer.Joined(status, true)));
        pending.stream().skip(1).forEach(later -> later.tell(new RequestAnswer.Joined(status, false)));
        pending.clear();
    }

    private void answerPending(RequestAnswer answer) {
        pending.forEach(replyTo -> replyTo.tell(answer));
        pending.clear();
    }

    private Effect<BuildEvent, BuildState> onCancel(BuildState state, Cancel cancel) {
        List<BuildEvent> events = state.decideCancel(cancel.by(), clock.instant());
        if (events.isEmpty()) {
            // What the queue was told when it ended may be lost, and an entry without a lease is repaired by nobody
            // else.
            removeIfEnded(state);
            cancel.replyTo().tell(new RequestAnswer.Conflict(status(state)));
            return Effect().none();
        }
        return Effect().persist(events).thenRun(next -> {
            stopRunning("cancelled");
            queue.tell(new BuildQueue.Remove(key, next.request()));
            cancel.replyTo().tell(new RequestAnswer.Joined(status(next), false));
            publish(next);
        });
    }

    private Effect<BuildEvent, BuildState> onSubscribe(BuildState state, Subscribe subscribe) {
        forgetSubscribers();
        if (subscribers.containsKey(subscribe.subscriber()) || subscribers.size() < MAX_SUBSCRIBERS) {
            Duration term = subscribe.term().compareTo(MAX_TERM) < 0 ? subscribe.term() : MAX_TERM;
            subscribers.put(subscribe.subscriber(), clock.instant().plus(term));
        }
        subscribe.subscriber().tell(status(state));
        if (subscribe.awaited()) {
            tellQueueThatItIsAwaited(state);
        }
        return Effect().none();
    }

    private void tellQueueThatItIsAwaited(BuildState state) {
        Instant now = clock.instant();
        if (state.stage() instanceof BuildState.Stage.Queued && !now.isBefore(awaitedUntil)) {
            awaitedUntil = now.plus(AWAITED);
            queue.tell(new BuildQueue.Awaited(key, state.request(), AWAITED.multipliedBy(3)));
        }
    }

    private BuildStatus status(BuildState state) {
        return state.status(key)
                .at(place.filter(
                                p -> state.stage() instanceof BuildState.Stage.Queued && p.request() == state.request())
                        .map(Placed::position));
    }

    private Effect<BuildEvent, BuildState> onStart(BuildState state, Start start) {
        BuildState.Decision<BuildState.StartAnswer> decision =
                state.decideStart(start.granted(), start.fence(), start.worker(), terms.apply(key), clock.instant());
        return Effect().persist(decision.events()).thenRun(next -> {
            if (decision.events().stream().anyMatch(BuildEvent.AttemptLost.class::isInstance)) {
                stopRunning("another lease took its place");
            }
            if (decision.answer() instanceof BuildState.StartAnswer.Start) {
                running = Optional.of(start.running());
                place = Optional.empty();
            } else if (decision.answer() instanceof BuildState.StartAnswer.NotBefore notBefore) {
                queue.tell(new BuildQueue.Return(
                        key, start.fence(), "its next attempt is later", Optional.of(notBefore.time())));
            } else if (decision.answer() instanceof BuildState.StartAnswer.Drop) {
                queue.tell(new BuildQueue.Remove(key, start.granted().request()));
            }
            start.replyTo().tell(decision.answer());
            publishIfChanged(decision.events(), next);
        });
    }

    private Effect<BuildEvent, BuildState> onReport(BuildState state, Report report) {
        if (state.isCurrent(report.attempt(), report.fence())) {
            running = Optional.of(report.running());
        } else {
            report.running().tell(new AttemptCommand.Stop("the build does not know this attempt as its current one"));
            removeIfEnded(state);
        }
        return Effect().none();
    }

    /** After a recovery the attempt is known again when it next reports: who pushes asks again until then. */
    private Effect<BuildEvent, BuildState> onPush(BuildState state, Push push) {
        if (state.stage() instanceof BuildState.Stage.Running) {
            running.ifPresent(
                    attempt -> attempt.tell(new AttemptCommand.Push(push.token(), push.manifest(), push.replyTo())));
        } else {
            push.replyTo().tell(new PushAnswer.Refused("no attempt of this build runs"));
        }
        return Effect().none();
    }

    private Effect<BuildEvent, BuildState> onFinished(BuildState state, Finished finished) {
        BuildState.Decision<Boolean> decision = state.decideFinished(
                finished.attempt(), finished.fence(), finished.result(), terms.apply(key), clock.instant());
        return Effect().persist(decision.events()).thenRun(next -> {
            finished.replyTo().tell(new Acknowledged(finished.attempt(), finished.fence(), decision.answer()));
            if (decision.answer()) {
                running = Optional.empty();
            }
            if (next.stage() instanceof BuildState.Stage.Queued queued) {
                queue.tell(new BuildQueue.Return(key, finished.fence(), "its attempt ended", queued.notBefore()));
            }
            removeIfEnded(next);
            publishIfChanged(decision.events(), next);
        });
    }

    private Effect<BuildEvent, BuildState> onLeaseLost(BuildState state, LeaseLost lost) {
        List<BuildEvent> events = state.decideLost(lost.fence(), lost.reason(), terms.apply(key), clock.instant());
        return Effect().persist(events).thenRun(next -> {
            if (!events.isEmpty()) {
                stopRunning(lost.reason());
            }
            removeIfEnded(next);
            publishIfChanged(events, next);
        });
    }

    private void stopRunning(String reason) {
        running.ifPresent(attempt -> attempt.tell(new AttemptCommand.Stop(reason)));
        running = Optional.empty();
    }

    private void removeIfEnded(BuildState state) {
        if (state.hasEnded()) {
            queue.tell(new BuildQueue.Remove(key, state.request()));
        }
    }

    private void publishIfChanged(List<BuildEvent> events, BuildState state) {
        if (!events.isEmpty()) {
            publish(state);
        }
    }

    private void forgetSubscribers() {
        subscribers.values().removeIf(clock.instant()::isAfter);
    }

    private void publish(BuildState state) {
        forgetSubscribers();
        BuildStatus status = status(state);
        subscribers.keySet().forEach(subscriber -> subscriber.tell(status));
    }
}
