package dev.kiln.repository;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.AskPattern;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.japi.function.Function;
import dev.kiln.oci.RepositoryName;
import java.time.Clock;
import java.time.Duration;
import java.util.concurrent.CompletionStage;

/** How this node reaches the owners of repositories. Thread-safe; stages fail with a TimeoutException when one is away. */
public final class ShardedRepositories {
    private static final Duration ASK_TIMEOUT = Duration.ofSeconds(8);

    private final ActorSystem<?> system;
    private final ClusterSharding sharding;

    private ShardedRepositories(ActorSystem<?> system) {
        this.system = system;
        this.sharding = ClusterSharding.get(system);
    }

    /**
     * Starts the shards of repositories on this node. Once for each actor system.
     *
     * @param maxManifests how many manifests, and how many tags, one repository takes
     */
    public static ShardedRepositories init(ActorSystem<?> system, int maxManifests, Unlinker unlinker, Clock clock) {
        ShardedRepositories repositories = new ShardedRepositories(system);
        repositories.sharding.init(Entity.of(
                RepositoryEntity.TYPE_KEY,
                entity -> RepositoryEntity.create(
                        new RepositoryName(entity.getEntityId()), maxManifests, unlinker, clock)));
        return repositories;
    }

    public <A> CompletionStage<A> ask(RepositoryName name, Function<ActorRef<A>, RepositoryCommand> command) {
        return AskPattern.ask(
                sharding.entityRefFor(RepositoryEntity.TYPE_KEY, name.value()),
                command,
                ASK_TIMEOUT,
                system.scheduler());
    }

    public void tell(RepositoryName name, RepositoryCommand command) {
        sharding.entityRefFor(RepositoryEntity.TYPE_KEY, name.value()).tell(command);
    }
}
