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
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.stream.Stream;

/**
 * The cluster's one queue of builds. Entries and leases are events; workers' asks and the leases' deadlines are not: an
 * ask is repeated every few seconds, and after a recovery every lease gets one fresh term. The workers' asks are also what
 * wakes this entity after a restart, so that builds in flight go on without a new pull.
 */
public final class BuildQueue extends EventSourcedBehavior<BuildQueue.Command, QueueEvent, QueueState> {
    public static final EntityTypeKey<Command> TYPE_KEY = EntityTypeKey.create(Command.class, "BuildQueue");
    /** The id of the only entity of this type. */
    public static final String ID = "queue";

    private static final int MAX_WORKERS = 1000;

    /** Somewhere to send commands to: the sharded entity, or a probe in tests. */
    @FunctionalInterface
    public interface Peer {
        void tell(Command command);
    }

    public sealed interface Command extends Wire {}

    public record Enqueue(BuildKey key, int request, Cause cause, BuildInput input, ActorRef<EnqueueAnswer> replyTo)
            implements Command {}

    /** The build's word that this request has ended. Idempotent. */
    public record Remove(BuildKey key, int request) implements Command {}

    /** The lease is over and the entry waits again, until {@code notBefore}. Ignored when another lease is in force. */
    public record Return(BuildKey key, long fence, String reason, Optional<Instant> notBefore) implements Command {}

    /**
     * A worker wants work for its free slots and wants its leases renewed. Takes the place of its ask before.
     *
     * @param sequence counts a worker's asks; comes back in {@link Renewed}
     * @param held the fences it holds; those it does not name were never received or are done, and wait again
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
     * The leases {@code valid} run for {@code term} from the moment ask {@code sequence} was sent; what else the worker
     * runs, it must stop.
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

    private final Map<String, Ask> asks = new LinkedHashMap<>();
    private final Map<String, Instant> heard = new HashMap<>();
    private final Map<Long, Instant> deadlines = new HashMap<>();
    /** Granted since the worker's last ask, which therefore cannot name them yet. */
    private final Map<Long, Long> grantedAfter = new HashMap<>();

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
                SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(10), 0.2));
        this.timers = timers;
        this.builds = builds;
        this.config = config;
        this.clock = clock;
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
                    Instant freshTerm = clock.instant().plus(config.lease());
                    state.entries().stream()
                            .flatMap(e -> e.lease().stream())
                            .forEach(lease -> deadlines.put(lease.fence(), freshTerm));
                    scheduleDue(state);
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
                enqueue.key(), enqueue.request(), enqueue.cause(), enqueue.input(), clock.instant()));
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
            events.add(new QueueEvent.Returned(
                    back.key(), back.fence(), back.reason(), back.notBefore(), clock.instant()));
        }
        return grantAndPersist(state, events, () -> {});
    }

    private Effect<QueueEvent, QueueState> onAsk(QueueState state, Ask ask) {
        Instant now = clock.instant();
        if (!asks.containsKey(ask.name()) && asks.size() >= MAX_WORKERS) {
            return Effect().none();
        }
        heard.put(ask.name(), now);
        List<QueueEvent> events = new ArrayList<>();
        List<Runnable> tell = new ArrayList<>();
        Set<Long> valid = new HashSet<>();
        state.leasedTo(ask.name()).forEach(entry -> {
            QueueState.Lease lease = entry.lease().orElseThrow();
            boolean ofThisLife = lease.incarnation().equals(ask.incarnation());
            boolean onItsWay = grantedAfter.getOrDefault(lease.fence(), -1L) >= ask.sequence() - 1;
            if (ofThisLife && (ask.held().contains(lease.fence()) || onItsWay)) {
                deadlines.put(lease.fence(), now.plus(config.lease()));
                valid.add(lease.fence());
            } else {
                String reason = ofThisLife
                        ? "the worker does not hold the lease"
                        : "the worker " + ask.name() + " was restarted";
                events.add(new QueueEvent.Returned(entry.key(), lease.fence(), reason, Optional.empty(), now));
                tell.add(() -> builds.accept(entry.key(), new BuildEntity.LeaseLost(lease.fence(), reason)));
            }
        });
        // A slot that was granted away while this ask was on its way is not free, though the ask says so.
        int onTheirWay =
                (int) valid.stream().filter(f -> !ask.held().contains(f)).count();
        asks.put(ask.name(), withFree(ask, ask.free() - onTheirWay));
        return grantAndPersist(state, events, () -> {
            tell.forEach(Runnable::run);
            ask.worker().tell(new Renewed(ask.sequence(), valid, config.lease()));
        });
    }

    private Effect<QueueEvent, QueueState> onDue(QueueState state) {
        Instant now = clock.instant();
        List<QueueEvent> events = new ArrayList<>();
        List<Runnable> tell = new ArrayList<>();
        for (QueueState.Entry entry : state.entries()) {
            entry.lease()
                    .filter(lease -> !now.isBefore(deadlines.getOrDefault(lease.fence(), now)))
                    .ifPresent(lease -> {
                        String reason = "nothing was heard of the worker " + lease.worker() + " for "
                                + config.lease().toSeconds() + " s";
                        events.add(new QueueEvent.Returned(entry.key(), lease.fence(), reason, Optional.empty(), now));
                        tell.add(() -> builds.accept(entry.key(), new BuildEntity.LeaseLost(lease.fence(), reason)));
                    });
        }
        return grantAndPersist(state, events, () -> tell.forEach(Runnable::run));
    }

    private Effect<QueueEvent, QueueState> onGetStatus(QueueState state, GetStatus get) {
        get.replyTo()
                .tell(new QueueStatus(
                        state.entries().stream()
                                .map(e -> new QueueStatus.Entry(
                                        e.key(),
                                        e.request(),
                                        e.cause(),
                                        e.enqueuedAt(),
                                        e.notBefore(),
                                        e.lease().map(QueueState.Lease::worker),
                                        e.lease().map(QueueState.Lease::fence)))
                                .toList(),
                        asks.values().stream()
                                .map(a -> new QueueStatus.Worker(
                                        a.name(), a.slots(), a.slots() - a.free(), a.platforms(), a.builders()))
                                .toList()));
        return Effect().none();
    }

    /** Adds to {@code events} whatever can now be granted, persists all, then runs {@code then} and tells the workers. */
    private Effect<QueueEvent, QueueState> grantAndPersist(QueueState state, List<QueueEvent> events, Runnable then) {
        Instant now = clock.instant();
        QueueState after = state;
        for (QueueEvent event : events) {
            after = after.apply(event);
        }
        // A worker that has missed several asks is given nothing new; its leases run on until their term.
        Instant silentSince = now.minus(config.ask().multipliedBy(4));
        heard.values().removeIf(at -> at.isBefore(silentSince));
        asks.keySet().retainAll(heard.keySet());
        List<Runnable> tell = new ArrayList<>();
        for (String name : List.copyOf(asks.keySet())) {
            for (Ask ask = asks.get(name); ask.free() > 0; ask = asks.get(name)) {
                Optional<QueueState.Entry> next = after.next(ask.platforms(), ask.builders(), now);
                if (next.isEmpty()) {
                    break;
                }
                QueueState.Entry entry = next.get();
                long fence = after.lastFence() + 1;
                QueueEvent granted =
                        new QueueEvent.Granted(entry.key(), entry.request(), fence, name, ask.incarnation(), now);
                events.add(granted);
                after = after.apply(granted);
                deadlines.put(fence, now.plus(config.lease()));
                grantedAfter.put(fence, ask.sequence());
                ActorRef<WorkerNews> worker = ask.worker();
                tell.add(() -> worker.tell(new Granted(
                        entry.key(),
                        new BuildEvent.Requested(entry.request(), entry.cause(), entry.input(), entry.enqueuedAt()),
                        fence)));
                asks.put(name, withFree(ask, ask.free() - 1));
            }
        }
        return Effect().persist(events).thenRun(next -> {
            then.run();
            tell.forEach(Runnable::run);
            scheduleDue(next);
        });
    }

    private static Ask withFree(Ask ask, int free) {
        return new Ask(
                ask.worker(),
                ask.name(),
                ask.incarnation(),
                ask.sequence(),
                ask.slots(),
                free,
                ask.platforms(),
                ask.builders(),
                ask.held());
    }

    private void scheduleDue(QueueState state) {
        Set<Long> inForce = new HashSet<>();
        state.entries().forEach(e -> e.lease().ifPresent(lease -> inForce.add(lease.fence())));
        deadlines.keySet().retainAll(inForce);
        grantedAfter.keySet().retainAll(inForce);
        Instant now = clock.instant();
        Optional<Instant> next = Optional.empty();
        for (Instant candidate : deadlines.values()) {
            next = next.map(n -> n.isBefore(candidate) ? n : candidate).or(() -> Optional.of(candidate));
        }
        Optional<Instant> due =
                Stream.concat(next.stream(), state.nextReady(now).stream()).min(Comparator.naturalOrder());
        if (due.isEmpty()) {
            timers.cancel(Due.DUE);
            return;
        }
        Duration wait = Duration.between(now, due.get());
        timers.startSingleTimer(Due.DUE, Due.DUE, wait.isNegative() ? Duration.ZERO : wait.plusMillis(1));
    }
}
