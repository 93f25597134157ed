package dev.kiln.sharding;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.Extension;
import akka.actor.typed.ExtensionId;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.ClusterEvent.MemberRemoved;
import akka.cluster.sharding.typed.javadsl.EntityRef;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Subscribe;
import akka.japi.function.Function;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;

/**
 * How this node asks the owners of things, wherever sharding has them. What is on its way to a node that dies is lost, and
 * until the cluster has removed that node, sharding sends there what is asked later, too: so whatever has no answer when a
 * node is removed is sent again. Who is asked must bear to be asked more than once. Thread-safe.
 */
public final class Owners implements Extension {
    private static final ExtensionId<Owners> ID = new ExtensionId<>() {
        @Override
        public Owners createExtension(ActorSystem<?> system) {
            return new Owners(system);
        }
    };

    /** After a removal: what is sent while sharding has not heard of it itself is lost as well, and on a busy machine it may be slow. */
    private static final List<Duration> AGAIN = List.of(Duration.ofMillis(100), Duration.ofSeconds(1));

    private final ActorSystem<?> system;
    private final Executor dispatcher;
    private final Set<Runnable> unanswered = ConcurrentHashMap.newKeySet();

    private Owners(ActorSystem<?> system) {
        this.system = system;
        this.dispatcher = system.dispatchers().lookup(DispatcherSelector.defaultDispatcher());
        system.systemActorOf(watch(unanswered), "kiln-owners", Props.empty());
    }

    public static Owners get(ActorSystem<?> system) {
        return system.registerExtension(ID);
    }

    /**
     * Asks an owner. The stage completes on the default dispatcher, and fails with a TimeoutException when no answer comes
     * in time.
     */
    public <C, A> CompletionStage<A> ask(EntityRef<C> owner, Function<ActorRef<A>, C> question, Duration timeout) {
        Question<C> asked = new Question<>(owner);
        CompletableFuture<A> answer = new CompletableFuture<>();
        // Akka's stages run what depends on them in CompletableFuture's own pool, which on small machines is a new
        // thread each.
        AskPattern.<C, A>ask(owner, replyTo -> made(asked, question.apply(replyTo)), timeout, system.scheduler())
                .whenCompleteAsync(
                        (said, failure) -> {
                            unanswered.remove(asked);
                            if (failure == null) {
                                answer.complete(said);
                            } else {
                                answer.completeExceptionally(failure);
                            }
                        },
                        dispatcher);
        return answer;
    }

    /** What can be asked again: there is a message only from now on. */
    private <C> C made(Question<C> asked, C message) {
        asked.message = message;
        unanswered.add(asked);
        return message;
    }

    /** By identity: many ask the same. */
    private static final class Question<C> implements Runnable {
        private final EntityRef<C> owner;
        private volatile C message;

        Question(EntityRef<C> owner) {
            this.owner = owner;
        }

        @Override
        public void run() {
            owner.tell(message);
        }
    }

    private static Behavior<Object> watch(Set<Runnable> unanswered) {
        return Behaviors.withTimers(timers -> Behaviors.setup(context -> {
            ActorRef<MemberRemoved> removals = context.messageAdapter(MemberRemoved.class, removed -> removed);
            Cluster.get(context.getSystem()).subscriptions().tell(Subscribe.create(removals, MemberRemoved.class));
            return Behaviors.receive(Object.class)
                    .onMessage(MemberRemoved.class, removed -> {
                        // Each removal by itself: the next may follow at once.
                        AGAIN.forEach(delay -> timers.startSingleTimer(
                                removed.member().uniqueAddress() + " " + delay, "ask again", delay));
                        return Behaviors.same();
                    })
                    .onMessageEquals("ask again", () -> {
                        unanswered.forEach(Runnable::run);
                        return Behaviors.same();
                    })
                    .build();
        }));
    }
}
