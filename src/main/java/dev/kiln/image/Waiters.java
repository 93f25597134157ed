package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;

/** This node's waiters, one for each series that somebody waits for. */
final class Waiters extends AbstractBehavior<Waiters.Message> {
    private static final int MAX_WAITERS = 20_000;

    sealed interface Message {}

    record Wait(Series series, RepositoryConfig config, RevisionWaiter.Join join) implements Message {}

    /** Nobody waits for this outcome any more. */
    record Leave(Series series, CompletableFuture<Outcome> outcome) implements Message {}

    private record Idle(Series series, ActorRef<RevisionWaiter.Message> waiter) implements Message {}

    private record Gone(Series series, ActorRef<RevisionWaiter.Message> waiter) implements Message {}

    private final BiConsumer<Series, RevisionSnapshot> seen;
    private final RevisionWaiter.Peers.Shared peers;
    private final Map<Series, ActorRef<RevisionWaiter.Message>> waiters = new HashMap<>();

    /** @param seen told of each new state of a series, from the waiters' threads */
    static Behavior<Message> create(RevisionWaiter.Peers.Shared peers, BiConsumer<Series, RevisionSnapshot> seen) {
        return Behaviors.supervise(Behaviors.<Message>setup(context -> new Waiters(context, peers, seen)))
                .onFailure(SupervisorStrategy.restart());
    }

    private Waiters(
            ActorContext<Message> context,
            RevisionWaiter.Peers.Shared peers,
            BiConsumer<Series, RevisionSnapshot> seen) {
        super(context);
        this.peers = peers;
        this.seen = seen;
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(Wait.class, this::onWait)
                .onMessage(Leave.class, leave -> {
                    Optional.ofNullable(waiters.get(leave.series()))
                            .ifPresent(waiter -> waiter.tell(new RevisionWaiter.Leave(leave.outcome())));
                    return this;
                })
                .onMessage(Idle.class, this::onIdle)
                .onMessage(Gone.class, this::onGone)
                .build();
    }

    private Behavior<Message> onWait(Wait wait) {
        ActorRef<RevisionWaiter.Message> waiter = waiters.get(wait.series());
        if (waiter == null) {
            if (waiters.size() >= MAX_WAITERS) {
                wait.join()
                        .outcome()
                        .completeExceptionally(new Problem(
                                ProblemCode.UNAVAILABLE,
                                "this node waits for too many images already; try again in a moment"));
                return this;
            }
            waiter = spawn(wait);
            waiters.put(wait.series(), waiter);
        }
        waiter.tell(wait.join());
        return this;
    }

    private ActorRef<RevisionWaiter.Message> spawn(Wait wait) {
        Series series = wait.series();
        ActorRef<Message> self = getContext().getSelf();
        ActorRef<RevisionWaiter.Message> waiter = getContext()
                .spawnAnonymous(RevisionWaiter.create(
                        series,
                        wait.config(),
                        new RevisionWaiter.Peers(peers, snapshot -> seen.accept(series, snapshot)),
                        who -> self.tell(new Idle(series, who))));
        getContext().watchWith(waiter, new Gone(series, waiter));
        return waiter;
    }

    /** A pull that was sent on before this message is still answered: a waiter stops only when nobody waits. */
    private Behavior<Message> onIdle(Idle idle) {
        waiters.remove(idle.series(), idle.waiter());
        idle.waiter().tell(new RevisionWaiter.Stop());
        return this;
    }

    /** It may have failed: the next pull gets a new one. */
    private Behavior<Message> onGone(Gone gone) {
        waiters.remove(gone.series(), gone.waiter());
        return this;
    }
}
