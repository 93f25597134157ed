package dev.kiln.catalog;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.cluster.sharding.typed.ShardedDaemonProcessSettings;
import akka.cluster.sharding.typed.javadsl.ShardedDaemonProcess;
import akka.projection.ProjectionBehavior;
import java.util.Optional;
import java.util.function.IntFunction;

/** Projections that run somewhere on the registry nodes, each once in the cluster. */
final class DaemonProcesses {
    private DaemonProcesses() {}

    /** Keeps {@code count} of them running; called on every registry node alike. */
    static void init(
            ActorSystem<?> system,
            String name,
            int count,
            IntFunction<Behavior<ProjectionBehavior.Command>> projection) {
        // From here alone their coordinator has the role: else it is due on the oldest node, though that is a builder,
        // and then nowhere.
        String role = system.settings().config().getString("akka.cluster.sharding.role");
        ShardedDaemonProcess.get(system)
                .init(
                        ProjectionBehavior.Command.class,
                        name,
                        count,
                        projection,
                        ShardedDaemonProcessSettings.create(system).withRole(role),
                        Optional.of(ProjectionBehavior.stopMessage()));
    }
}
