package dev.kiln.boot;

import akka.Done;
import akka.actor.CoordinatedShutdown;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.AskPattern;
import akka.pattern.Patterns;
import dev.kiln.cluster.Ending;
import dev.kiln.config.ClusterConfig;
import dev.kiln.config.KilnConfig;
import dev.kiln.worker.Worker;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;

/**
 * How this node leaves, in the phases of Akka's coordinated shutdown. First it tells that it wants no more requests and
 * takes no more builds, and goes on as before until the load balancer has seen it; then the listeners stop accepting and
 * what they hold comes to its end ({@code http.HttpServer}), as do running builds; then builds that still run are handed
 * back, shards handed over, and the node leaves the cluster.
 */
final class Departure {
    /** Within the phase's own time. */
    private static final Duration HAND_BACK = Duration.ofSeconds(25);

    private final ActorSystem<?> system;
    private final ClusterConfig.Leaving config;
    private final boolean alone;
    private volatile boolean leaving;

    private Departure(ActorSystem<?> system, KilnConfig config) {
        this.system = system;
        this.config = config.shutdown();
        this.alone = config.cluster().discovery().isEmpty();
    }

    /** @param atOnce told when the cluster has ended this node's membership, so that it must do no more */
    static Departure plan(ActorSystem<?> system, KilnConfig config, Consumer<Ending> atOnce) {
        Departure departure = new Departure(system, config);
        CoordinatedShutdown shutdown = CoordinatedShutdown.get(system);
        shutdown.addTask(CoordinatedShutdown.PhaseBeforeServiceUnbind(), "unready", () -> {
            departure.leaving = true;
            ending(shutdown).ifPresent(atOnce);
            boolean waits = !departure.alone && config.roles().contains(KilnConfig.Role.REGISTRY);
            return waits ? departure.after(departure.config.unready()) : done();
        });
        return departure;
    }

    private CompletionStage<Done> after(Duration time) {
        return Patterns.after(time, system.classicSystem().scheduler(), system.executionContext(), Departure::done);
    }

    private static CompletionStage<Done> done() {
        return CompletableFuture.completedFuture(Done.getInstance());
    }

    private static Optional<Ending> ending(CoordinatedShutdown shutdown) {
        return shutdown.getShutdownReason().flatMap(reason -> {
            if (reason.equals(CoordinatedShutdown.clusterDowningReason())) {
                return Optional.of(Ending.removed("the cluster has removed this node, which it could not reach"));
            }
            if (reason.equals(CoordinatedShutdown.clusterJoinUnsuccessfulReason())) {
                return Optional.of(Ending.removed("the cluster that this node was told of cannot be joined"));
            }
            return reason.equals(CoordinatedShutdown.incompatibleConfigurationDetectedReason())
                    ? Optional.of(Ending.failed("the cluster has other settings of Akka, see the log before this"))
                    : Optional.empty();
        });
    }

    /** Lets the builds of this node's worker come to their end, as far as there is time, and has the others handed back. */
    void of(ActorRef<Worker.Message> worker) {
        CoordinatedShutdown shutdown = CoordinatedShutdown.get(system);
        if (!alone && !config.builds().isZero()) {
            CompletableFuture<Done> finished = new CompletableFuture<>();
            shutdown.addTask(CoordinatedShutdown.PhaseBeforeServiceUnbind(), "finish-builds", () -> {
                AskPattern.<Worker.Message, Done>ask(worker, Worker.Finish::new, config.builds(), system.scheduler())
                        .whenComplete((done, late) -> finished.complete(Done.getInstance()));
                return done();
            });
            shutdown.addTask(CoordinatedShutdown.PhaseServiceRequestsDone(), "finish-builds", () -> finished);
        }
        shutdown.addTask(
                CoordinatedShutdown.PhaseServiceStop(),
                "hand-back-builds",
                () -> AskPattern.<Worker.Message, Done>ask(
                        worker, Worker.HandBack::new, HAND_BACK, system.scheduler()));
    }

    /** Why this node should get no more requests. */
    Optional<String> notReady() {
        return leaving ? Optional.of("the node is shutting down") : Optional.empty();
    }
}
