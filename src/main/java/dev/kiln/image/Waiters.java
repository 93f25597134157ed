package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.HashMap;
import java.util.Map;
import java.util.function.BiConsumer;

/** This node's waiters, one for each revision that somebody waits for. */
final class Waiters extends AbstractBehavior<Waiters.Message> {
    private static final int MAX_WAITERS = 20_000;

    sealed interface Message {}

    record Wait(TagKey revision, RepositoryConfig config, RevisionWaiter.Join join) implements Message {}

    private record Idle(TagKey revision) implements Message {}

    private final BiConsumer<TagKey, RevisionSnapshot> seen;
    private final RevisionWaiter.Peers.Shared peers;
    private final Map<TagKey, ActorRef<RevisionWaiter.Message>> waiters = new HashMap<>();

    /** @param seen told of each new state of a revision, from the waiters' threads */
    static Behavior<Message> create(RevisionWaiter.Peers.Shared peers, BiConsumer<TagKey, RevisionSnapshot> seen) {
        return Behaviors.setup(context -> new Waiters(context, peers, seen));
    }

    private Waiters(
            ActorContext<Message> context,
            RevisionWaiter.Peers.Shared peers,
            BiConsumer<TagKey, RevisionSnapshot> seen) {
        super(context);
        this.peers = peers;
        this.seen = seen;
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(Wait.class, this::onWait)
                .onMessage(Idle.class, this::onIdle)
                .build();
    }

    private Behavior<Message> onWait(Wait wait) {
        ActorRef<RevisionWaiter.Message> waiter = waiters.get(wait.revision());
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
            waiters.put(wait.revision(), waiter);
        }
        waiter.tell(wait.join());
        return this;
    }

    private ActorRef<RevisionWaiter.Message> spawn(Wait wait) {
        TagKey revision = wait.revision();
        ActorRef<Message> self = getContext().getSelf();
        return getContext()
                .spawnAnonymous(RevisionWaiter.create(
                        revision,
                        wait.config(),
                        new RevisionWaiter.Peers(peers, snapshot -> seen.accept(revision, snapshot)),
                        () -> self.tell(new Idle(revision))));
    }

    /** A pull that was sent on before this message is still answered: a waiter stops only when nobody waits. */
    private Behavior<Message> onIdle(Idle idle) {
        ActorRef<RevisionWaiter.Message> waiter = waiters.remove(idle.revision());
        if (waiter != null) {
            waiter.tell(new RevisionWaiter.Stop());
        }
        return this;
    }
}
