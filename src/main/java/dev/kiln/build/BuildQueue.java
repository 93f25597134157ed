package dev.kiln.build;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.RecoveryCompleted;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.Effect;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import akka.persistence.typed.javadsl.RetentionCriteria;
import akka.persistence.typed.javadsl.SignalHandler;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Wire;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The cluster's one queue of builds. Entries and leases are events; workers' asks and the leases' deadlines are not: an
 * ask is repeated every few seconds, and after a recovery every lease gets one fresh term. The workers' asks are also what
 * wakes this entity after a restart, so that builds in flight go on without a new pull.
 */
public final class BuildQueue extends EventSourcedBehavior<BuildQueue.Command, QueueEvent, QueueState> {
    public static final EntityTypeKey<Command> TYPE_KEY = EntityTypeKey.create(Command.class, "BuildQueue");
    /** The id of the only entity of this type. */
    public static final String ID = "queue";

    private static final Logger LOG = LoggerFactory.getLogger(BuildQueue.class);
    /** Nodes' clocks differ: without it, a build whose clock is behind this one's would refuse its entry in a loop. */
    private static final Duration LEAST_DELAY = Duration.ofSeconds(1);

    /** Somewhere to send commands to: the sharded entity, or a probe in tests. */
    @FunctionalInterface
    public interface Peer {
        void tell(Command command);
    }

    public sealed interface Command extends Wire {}

    /** @param urgent whether an operator asks for it */
    public record Enqueue(
            BuildKey key, int request, Cause cause, BuildInput input, boolean urgent, ActorRef<EnqueueAnswer> replyTo)
            implements Command {}

    /** Somebody waits for this request, for {@code term} at most unless it is said again. The build is told its place. */
    public record Awaited(BuildKey key, int request, Duration term) implements Command {}

    /** The build's word that this request has ended. Idempotent. */
    public record Remove(BuildKey key, int request) implements Command {}

    /** The lease is over and the entry waits again, until {@code notBefore}. Ignored when another lease is in force. */
    public record Return(BuildKey key, long fence, String reason, Optional<Instant> notBefore) implements Command {}

    /**
     * A worker wants work for its free slots and wants its leases renewed. Takes the place of its ask before.
     *
     * @param incarnation of the worker's life; never used again after another one of the same name was heard
     * @param sequence counts up the asks of one incarnation, an older one than the last is ignored; comes back in
     *     {@link Renewed}
     * @param held the fences it holds; one that it named before and no longer names is over, and its entry waits again
     */
    public record Ask(
            ActorRef<WorkerNews> worker,
            String name,
            String incarnation,
            long sequence,
            int slots,
            int free,
            List<String> platforms,
            List<String> builders,
            Set<Long> held)
            implements Command {
        public Ask {
            platforms = List.copyOf(platforms);
            builders = List.copyOf(builders);
            held = Set.copyOf(held);
        }
    }

    public record GetStatus(ActorRef<QueueStatus> replyTo) implements Command {}

    /** Give this worker nothing new ({@code drain}), or work again. Idempotent. */
    public record SetDrained(String worker, boolean drain, String by, ActorRef<DrainAnswer> replyTo)
            implements Command {}

    public sealed interface DrainAnswer extends Wire {
        /** Stored. */
        record Done(QueueStatus.Worker worker) implements DrainAnswer {}

        /** No worker of that name has asked for work lately. */
        record Unknown() implements DrainAnswer {}

        /** So many workers are drained already that it cannot be kept. */
        record TooMany() implements DrainAnswer {}
    }

    private enum Due implements Command {
        DUE
    }

    public sealed interface EnqueueAnswer extends Wire {
        record Accepted() implements EnqueueAnswer {}

        record Refused(QueueState.Refusal refusal) implements EnqueueAnswer {}
    }

    /** What a worker hears from the queue. */
    public sealed interface WorkerNews extends Wire {}

    /** The worker holds lease {@code fence} on this request. */
    public record Granted(BuildKey key, BuildEvent.Requested request, long fence) implements WorkerNews {}

    /**
     * The leases {@code valid} run for {@code term} from the moment ask {@code sequence} was sent; what else that ask
     * named as held, the worker must stop. Leases granted since then are not its subject.
     */
    public record Renewed(long sequence, Set<Long> valid, Duration term) implements WorkerNews {
        public Renewed {
            valid = Set.copyOf(valid);
        }
    }

    private final TimerScheduler<Command> timers;
    private final BiConsumer<BuildKey, BuildEntity.Command> builds;
    private final KilnConfig.Queue config;
    private final Clock clock;

    private final HeardWorkers workers;
    private final LeaseTerms leases;
    private final AwaitedBuilds awaited = new AwaitedBuilds();

    /** @param builds tells a build */
    public static Behavior<Command> create(
            BiConsumer<BuildKey, BuildEntity.Command> builds, KilnConfig.Queue config, Clock clock) {
        return Behaviors.withTimers(timers -> new BuildQueue(timers, builds, config, clock));
    }

    private BuildQueue(
            TimerScheduler<Command> timers,
            BiConsumer<BuildKey, BuildEntity.Command> builds,
            KilnConfig.Queue config,
            Clock clock) {
        super(
                PersistenceId.of(TYPE_KEY.name(), ID),
                SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(3), 0.2));
        this.timers = timers;
        this.builds = builds;
        this.config = config;
        this.clock = clock;
        this.workers = new HeardWorkers(config.ask());
        this.leases = new LeaseTerms(config);
    }

    @Override
    public QueueState emptyState() {
        return QueueState.EMPTY;
    }

    @Override
    public EventHandler<QueueState, QueueEvent> eventHandler() {
        return QueueState::apply;
    }

    @Override
    public RetentionCriteria retentionCriteria() {
        return RetentionCriteria.snapshotEvery(500, 2);
    }

    @Override
    public SignalHandler<QueueState> signalHandler() {
        return newSignalHandlerBuilder()
                .onSignal(RecoveryCompleted.instance(), state -> {
                    // This object outlives a failure of the journal: what it believed then may never have been stored.
                    workers.clear();
                    leases.recover(state, clock.instant());
                    awaited.clear();
                    scheduleDue(state);
                    LOG.info(
                            "the build queue is on this node, with {} entries",
                            state.entries().size());
                })
                .build();
    }

    @Override
    public CommandHandler<Command, QueueEvent, QueueState> commandHandler() {
        return newCommandHandlerBuilder()
                .forAnyState()
                .onCommand(Enqueue.class, this::onEnqueue)
                .onCommand(Remove.class, this::onRemove)
                .onCommand(Return.class, this::onReturn)
                .onCommand(Ask.class, this::onAsk)
                .onCommand(Due.class, (state, due) -> onDue(state))
                .onCommand(Awaited.class, this::onAwaited)
                .onCommand(SetDrained.class, this::onSetDrained)
                .onCommand(GetStatus.class, this::onGetStatus)
                .build();
    }

    private Effect<QueueEvent, QueueState> onEnqueue(QueueState state, Enqueue enqueue) {
        if (state.holds(enqueue.key(), enqueue.request())) {
            enqueue.replyTo().tell(new EnqueueAnswer.Accepted());
            return Effect().none();
        }
        Optional<QueueState.Refusal> refusal =
                state.refusal(enqueue.key(), config.limit(), config.limitPerRepository());
        if (refusal.isPresent()) {
            enqueue.replyTo().tell(new EnqueueAnswer.Refused(refusal.get()));
            return Effect().none();
        }
        List<QueueEvent> events = new ArrayList<>();
        events.add(new QueueEvent.Enqueued(
                enqueue.key(),
                enqueue.request(),
                enqueue.cause(),
                enqueue.input(),
                clock.instant(),
                Optional.of(enqueue.urgent())));
        return grantAndPersist(state, events, () -> enqueue.replyTo().tell(new EnqueueAnswer.Accepted()));
    }

    private Effect<QueueEvent, QueueState> onRemove(QueueState state, Remove remove) {
        boolean here = state.find(remove.key())
                .map(e -> e.request() <= remove.request())
                .orElse(false);
        if (!here) {
            return Effect().none();
        }
        List<QueueEvent> events = new ArrayList<>();
        events.add(new QueueEvent.Removed(remove.key(), remove.request(), clock.instant()));
        return grantAndPersist(state, events, () -> {});
    }

    private Effect<QueueEvent, QueueState> onReturn(QueueState state, Return back) {
        List<QueueEvent> events = new ArrayList<>();
        if (state.leased(back.fence()).filter(e -> e.key().equals(back.key())).isPresent()) {
            Instant now = clock.instant();
            Instant soonest = now.plus(LEAST_DELAY);
            Optional<Instant> notBefore = back.notBefore().map(t -> t.isBefore(soonest) ? soonest : t);
            events.add(new QueueEvent.Returned(back.key(), back.fence(), back.reason(), notBefore, now));
        }
        return grantAndPersist(state, events, () -> {});
    }

    private Effect<QueueEvent, QueueState> onAsk(QueueState state, Ask ask) {
        Instant now = clock.instant();
        workers.forgetSilent(now);
        if (!workers.admits(ask)) {
            return Effect().none();
        }
        List<QueueEvent> events = new ArrayList<>();
        List<Runnable> tell = new ArrayList<>();
        Set<Long> valid = new HashSet<>();
        state.leasedTo(ask.name()).forEach(entry -> {
            QueueState.Lease lease = entry.lease().orElseThrow();
            if (!lease.incarnation().equals(ask.incarnation())) {
                takeAway(entry, lease.fence(), "the worker " + ask.name() + " was restarted", events, tell);
            } else if (ask.held().contains(lease.fence())) {
                leases.renew(lease.fence(), now);
                valid.add(lease.fence());
            } else if (leases.mayStillCome(lease.fence(), now)) {
                valid.add(lease.fence());
            } else {
                takeAway(entry, lease.fence(), "the worker does not hold the lease", events, tell);
            }
        });
        // A slot that was granted away while this ask was on its way is not free, though the ask says so.
        int onTheirWay =
                (int) valid.stream().filter(f -> !ask.held().contains(f)).count();
        workers.hear(ask, ask.free() - onTheirWay, now);
        return grantAndPersist(state, events, () -> {
            tell.forEach(Runnable::run);
            ask.worker().tell(new Renewed(ask.sequence(), valid, config.lease()));
        });
    }

    private void takeAway(
            QueueState.Entry entry, long fence, String reason, List<QueueEvent> events, List<Runnable> tell) {
        events.add(new QueueEvent.Returned(entry.key(), fence, reason, Optional.empty(), clock.instant()));
        tell.add(() -> builds.accept(entry.key(), new BuildEntity.LeaseLost(fence, reason)));
    }

    private Effect<QueueEvent, QueueState> onDue(QueueState state) {
        Instant now = clock.instant();
        List<QueueEvent> events = new ArrayList<>();
        List<Runnable> tell = new ArrayList<>();
        for (QueueState.Entry entry : state.entries()) {
            Optional<QueueState.Lease> lease = entry.lease();
            if (lease.isPresent() && leases.isOver(lease.get().fence(), now)) {
                String reason = "nothing was heard of the worker " + lease.get().worker() + " in time";
                takeAway(entry, lease.get().fence(), reason, events, tell);
            }
        }
        return grantAndPersist(state, events, () -> tell.forEach(Runnable::run));
    }

    private Effect<QueueEvent, QueueState> onAwaited(QueueState state, Awaited word) {
        boolean waits = state.find(word.key())
                .filter(e -> e.request() == word.request() && e.lease().isEmpty())
                .isPresent();
        if (waits) {
            awaited.await(word.key(), word.term(), state, clock.instant())
                    .ifPresent(place -> builds.accept(word.key(), new BuildEntity.Placed(word.request(), place)));
        }
        return Effect().none();
    }

    private Effect<QueueEvent, QueueState> onSetDrained(QueueState state, SetDrained set) {
        boolean drained = state.drained().contains(set.worker());
        if (drained == set.drain()) {
            boolean known = drained || workers.knows(set.worker());
            set.replyTo()
                    .tell(
                            known
                                    ? new DrainAnswer.Done(workers.status(state, set.worker()))
                                    : new DrainAnswer.Unknown());
            return Effect().none();
        }
        if (set.drain() && !workers.knows(set.worker())) {
            set.replyTo().tell(new DrainAnswer.Unknown());
            return Effect().none();
        }
        if (set.drain() && state.drained().size() >= QueueState.MAX_DRAINED) {
            set.replyTo().tell(new DrainAnswer.TooMany());
            return Effect().none();
        }
        Instant now = clock.instant();
        List<QueueEvent> events = new ArrayList<>();
        events.add(
                set.drain()
                        ? new QueueEvent.Drained(set.worker(), set.by(), now)
                        : new QueueEvent.Undrained(set.worker(), set.by(), now));
        QueueState after = state.apply(events.get(0));
        return grantAndPersist(
                state, events, () -> set.replyTo().tell(new DrainAnswer.Done(workers.status(after, set.worker()))));
    }

    private Effect<QueueEvent, QueueState> onGetStatus(QueueState state, GetStatus get) {
        Instant now = clock.instant();
        get.replyTo().tell(QueueStatus.of(state, awaited.at(now), workers.status(state), now));
        return Effect().none();
    }

    /** Adds to {@code events} whatever can now be granted, persists all, then runs {@code then} and tells the workers. */
    private Effect<QueueEvent, QueueState> grantAndPersist(QueueState state, List<QueueEvent> events, Runnable then) {
        Instant now = clock.instant();
        workers.forgetSilent(now);
        List<Runnable> tell = new ArrayList<>();
        List<HandOut.Offer> offers = workers.offers();
        QueueState after = state;
        if (!offers.isEmpty()) {
            // Costs as much as the queue is long: thousands may come while no slot is free.
            for (QueueEvent event : events) {
                after = after.apply(event);
            }
        }
        for (QueueEvent.Granted granted : HandOut.grants(after, offers, awaited.at(now), now)) {
            QueueState.Entry entry = after.find(granted.key()).orElseThrow();
            Ask ask = workers.grant(granted.worker());
            events.add(granted);
            leases.grant(granted.fence(), now);
            tell.add(() -> ask.worker()
                    .tell(new Granted(
                            entry.key(),
                            new BuildEvent.Requested(entry.request(), entry.cause(), entry.input(), entry.enqueuedAt()),
                            granted.fence())));
        }
        return Effect().persist(events).thenRun(next -> {
            then.run();
            tell.forEach(Runnable::run);
            scheduleDue(next);
        });
    }

    private void scheduleDue(QueueState state) {
        leases.keepOnly(state);
        awaited.forgetOthersThan(state);
        Instant now = clock.instant();
        Optional<Instant> due =
                Stream.concat(leases.deadlines(), state.nextReady(now).stream()).min(Comparator.naturalOrder());
        if (due.isEmpty()) {
            timers.cancel(Due.DUE);
            return;
        }
        Duration wait = Duration.between(now, due.get());
        timers.startSingleTimer(Due.DUE, Due.DUE, wait.isNegative() ? Duration.ZERO : wait.plusMillis(1));
    }
}
