package dev.kiln.worker;

import akka.Done;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.actor.typed.javadsl.TimerScheduler;
import dev.kiln.build.BuildQueue;
import dev.kiln.config.KilnConfig;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;

/**
 * This node's worker: asks the queue for work for its free slots, and gives each lease it is granted to an attempt. Every
 * ask names the leases it holds, which renews them; so a lease's term here begins when an ask was sent, never later.
 */
public final class Worker extends AbstractBehavior<Worker.Message> {
    private static final int REMEMBERED_ASKS = 100;

    public sealed interface Message {}

    /** Start nothing new, end what runs and give it back; {@code done} is told when nothing runs any more. */
    public record HandBack(ActorRef<Done> done) implements Message {}

    /** Start nothing new and let what runs go on; {@code done} is told when nothing runs any more. */
    public record Finish(ActorRef<Done> done) implements Message {}

    private record Free(long fence) implements Message {}

    private record News(BuildQueue.WorkerNews news) implements Message {}

    private enum Tick implements Message {
        ASK
    }

    private record Running(long fence, int slot, ActorRef<Attempt.Message> attempt) {}

    private final TimerScheduler<Message> timers;
    private final String name;
    private final String incarnation;
    private final KilnConfig.Worker config;
    private final KilnConfig.Queue queueConfig;
    private final BuildQueue.Peer queue;
    private final AttemptFactory attempts;
    private final LongSupplier nanoTime;
    private final ActorRef<BuildQueue.WorkerNews> news;

    private final BitSet busy = new BitSet();
    private final Map<Long, Running> running = new HashMap<>();
    private final Map<Long, Asked> asked = new HashMap<>();
    private long sequence;
    /** When the last ask that the queue has answered was sent. */
    private long answeredAskSentAt;

    /** Whom to tell that nothing runs; while there is anybody, nothing new is started. */
    private final List<ActorRef<Done>> leaving = new ArrayList<>();

    private record Asked(long sentAt, Set<Long> held) {}

    /** Makes the behaviour of one attempt. */
    @FunctionalInterface
    public interface AttemptFactory {
        /**
         * @param leaseEnd in the worker's {@code nanoTime}
         * @param free to be run when nothing of the attempt is left in its slot
         */
        Behavior<Attempt.Message> create(BuildQueue.Granted lease, int slot, long leaseEnd, Runnable free);
    }

    /**
     * The worker of this node.
     *
     * @param name the node's, the same over restarts
     * @param incarnation this process's, never the same
     * @param nanoTime a monotonic clock
     */
    public static Behavior<Message> create(
            String name,
            String incarnation,
            KilnConfig.Worker config,
            KilnConfig.Queue queueConfig,
            BuildQueue.Peer queue,
            AttemptFactory attempts,
            LongSupplier nanoTime) {
        return Behaviors.setup(context -> Behaviors.withTimers(timers ->
                new Worker(context, timers, name, incarnation, config, queueConfig, queue, attempts, nanoTime)));
    }

    private Worker(
            ActorContext<Message> context,
            TimerScheduler<Message> timers,
            String name,
            String incarnation,
            KilnConfig.Worker config,
            KilnConfig.Queue queueConfig,
            BuildQueue.Peer queue,
            AttemptFactory attempts,
            LongSupplier nanoTime) {
        super(context);
        this.timers = timers;
        this.name = name;
        this.incarnation = incarnation;
        this.config = config;
        this.queueConfig = queueConfig;
        this.queue = queue;
        this.attempts = attempts;
        this.nanoTime = nanoTime;
        this.news = context.messageAdapter(BuildQueue.WorkerNews.class, News::new);
        this.answeredAskSentAt = nanoTime.getAsLong();
        ask();
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(News.class, this::onNews)
                .onMessageEquals(Tick.ASK, () -> {
                    ask();
                    return this;
                })
                .onMessage(Finish.class, finish -> onLeaving(finish.done()))
                .onMessage(HandBack.class, this::onHandBack)
                .onMessage(Free.class, this::onFree)
                .build();
    }

    private void ask() {
        sequence++;
        Set<Long> held = Set.copyOf(running.keySet());
        asked.put(sequence, new Asked(nanoTime.getAsLong(), held));
        asked.remove(sequence - REMEMBERED_ASKS);
        int free = !leaving.isEmpty() ? 0 : config.slots() - busy.cardinality();
        queue.tell(new BuildQueue.Ask(
                news, name, incarnation, sequence, config.slots(), free, config.platforms(), config.builders(), held));
        timers.startSingleTimer(Tick.ASK, Tick.ASK, queueConfig.ask());
    }

    private Behavior<Message> onNews(News news) {
        if (news.news() instanceof BuildQueue.Granted granted) {
            onGranted(granted);
        } else if (news.news() instanceof BuildQueue.Renewed renewed) {
            onRenewed(renewed);
        }
        return this;
    }

    private void onGranted(BuildQueue.Granted granted) {
        if (running.containsKey(granted.fence())) {
            return;
        }
        int slot = busy.nextClearBit(0);
        if (slot >= config.slots() || !leaving.isEmpty()) {
            queue.tell(new BuildQueue.Return(
                    granted.key(), granted.fence(), "the worker has no free slot", Optional.empty()));
            return;
        }
        busy.set(slot);
        // It may have been granted before the last ask was sent, but not before the queue answered the one before.
        long leaseEnd = answeredAskSentAt + term(queueConfig.lease());
        ActorRef<Message> self = getContext().getSelf();
        Runnable free = () -> self.tell(new Free(granted.fence()));
        ActorRef<Attempt.Message> attempt =
                getContext().spawn(attempts.create(granted, slot, leaseEnd, free), "attempt-" + granted.fence());
        running.put(granted.fence(), new Running(granted.fence(), slot, attempt));
        // Names the lease at once: until then the queue takes the grant for one that may have been lost.
        ask();
    }

    private void onRenewed(BuildQueue.Renewed renewed) {
        Asked ask = asked.get(renewed.sequence());
        if (ask == null) {
            return;
        }
        if (ask.sentAt() - answeredAskSentAt > 0) {
            answeredAskSentAt = ask.sentAt();
        }
        for (Running attempt : List.copyOf(running.values())) {
            if (renewed.valid().contains(attempt.fence())) {
                attempt.attempt().tell(new Attempt.Renew(ask.sentAt() + term(renewed.term())));
            } else if (ask.held().contains(attempt.fence())) {
                attempt.attempt().tell(new Attempt.Stop("its lease is over"));
            }
        }
    }

    /** In nanoseconds: one renewal less than the queue's, so that the work has ended before another worker gets it. */
    private long term(Duration lease) {
        return lease.minus(queueConfig.ask()).toNanos();
    }

    private Behavior<Message> onHandBack(HandBack handBack) {
        running.values().forEach(r -> r.attempt().tell(new Attempt.Stop("the node is shutting down")));
        return onLeaving(handBack.done());
    }

    private Behavior<Message> onLeaving(ActorRef<Done> done) {
        leaving.add(done);
        tellIfDone();
        return this;
    }

    private Behavior<Message> onFree(Free free) {
        Optional.ofNullable(running.remove(free.fence())).ifPresent(ended -> busy.clear(ended.slot()));
        tellIfDone();
        ask();
        return this;
    }

    private void tellIfDone() {
        if (running.isEmpty()) {
            leaving.forEach(done -> done.tell(Done.getInstance()));
        }
    }
}
