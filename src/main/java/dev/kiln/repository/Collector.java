package dev.kiln.repository;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.cluster.typed.ClusterSingleton;
import akka.cluster.typed.ClusterSingletonSettings;
import akka.cluster.typed.SingletonActor;
import dev.kiln.blob.Sweep;
import dev.kiln.repository.CollectionRound.Owners;
import dev.kiln.repository.CollectionRound.Step;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Executor;

/**
 * Has removed what was pushed and nothing needs any more, while pushes, pulls and deletes go on. One for the cluster, which
 * saves work: two at a time do no harm, and neither does the end of one between any two steps.
 */
public final class Collector {
    /** Of the nodes that have the repositories' owners. */
    private static final String ROLE = "registry";

    private static final Duration FIRST = Duration.ofMinutes(1);

    sealed interface Command {}

    private record Begin() implements Command {}

    private record Next(Optional<Step> step) implements Command {}

    private record Failed(Throwable failure) implements Command {}

    private final ActorContext<Command> context;
    private final TimerScheduler<Command> timers;
    private final Sweep sweep;
    private final Owners owners;
    private final Executor blocking;
    private final Duration every;

    private Collector(
            ActorContext<Command> context,
            TimerScheduler<Command> timers,
            Sweep sweep,
            Owners owners,
            Executor blocking,
            Duration every) {
        this.context = context;
        this.timers = timers;
        this.sweep = sweep;
        this.owners = owners;
        this.blocking = blocking;
        this.every = every;
    }

    /**
     * Starts it on one of the nodes that call this.
     *
     * @param every how long it rests after each round
     */
    public static void init(
            ActorSystem<?> system, Sweep sweep, ShardedRepositories repositories, Executor blocking, Duration every) {
        ClusterSingleton.get(system)
                .init(SingletonActor.of(create(sweep, repositories::ask, blocking, every), "collector")
                        .withSettings(ClusterSingletonSettings.create(system).withRole(ROLE)));
    }

    static Behavior<Command> create(Sweep sweep, Owners owners, Executor blocking, Duration every) {
        return Behaviors.setup(context -> Behaviors.withTimers(
                timers -> new Collector(context, timers, sweep, owners, blocking, every).resting()));
    }

    private Behavior<Command> resting() {
        timers.startSingleTimer(new Begin(), every.compareTo(FIRST) < 0 ? every : FIRST);
        return Behaviors.receive(Command.class)
                .onMessage(Begin.class, begin -> run(new CollectionRound(sweep, owners, blocking).begin()))
                .onMessage(Next.class, next -> next.step().map(this::run).orElseGet(this::rest))
                .onMessage(Failed.class, failed -> {
                    context.getLog()
                            .warn(
                                    "Could not look through what was pushed: {}",
                                    failed.failure().toString());
                    return rest();
                })
                .build();
    }

    private Behavior<Command> run(Step step) {
        context.pipeToSelf(step.run(), (next, failure) -> failure == null ? new Next(next) : new Failed(failure));
        return Behaviors.same();
    }

    private Behavior<Command> rest() {
        timers.startSingleTimer(new Begin(), every);
        return Behaviors.same();
    }
}
