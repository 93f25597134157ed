package dev.kiln.source;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.japi.function.Function;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.sharding.Owners;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;

/** {@link Sources} on the cluster's sharded source entities. Thread-safe. */
public final class ShardedSources implements Sources {
    private final Owners owners;
    private final ClusterSharding sharding;

    private ShardedSources(ActorSystem<?> system) {
        this.owners = Owners.get(system);
        this.sharding = ClusterSharding.get(system);
    }

    /**
     * Starts the shards of sources on this node. Once for each actor system.
     *
     * @param gitExecutor for calls that block on git
     */
    public static ShardedSources init(ActorSystem<?> system, GitSources sources, Executor gitExecutor) {
        ShardedSources sharded = new ShardedSources(system);
        Map<String, HostLanes> lanes = new ConcurrentHashMap<>();
        sharded.sharding.init(Entity.of(SourceEntity.TYPE_KEY, entity -> {
            RepositoryName name = new RepositoryName(entity.getEntityId());
            return SourceEntity.create(
                    name, sources, lanes.computeIfAbsent(sources.host(name), host -> HostLanes.on(gitExecutor)));
        }));
        return sharded;
    }

    @Override
    public CompletionStage<Meaning> resolve(RepositoryName repository, Tag tag, Duration timeout) {
        return ask(repository, replyTo -> new SourceEntity.Resolve(tag, replyTo), timeout);
    }

    @Override
    public CompletionStage<ArchiveAnswer> archive(RepositoryName repository, Revision revision, Duration timeout) {
        return ask(repository, replyTo -> new SourceEntity.Archive(revision, replyTo), timeout);
    }

    @Override
    public CompletionStage<TagsAnswer> tags(RepositoryName repository, String after, int limit, Duration timeout) {
        return ask(repository, replyTo -> new SourceEntity.ListTags(after, limit, replyTo), timeout);
    }

    private <A> CompletionStage<A> ask(
            RepositoryName repository, Function<ActorRef<A>, SourceEntity.Command> command, Duration timeout) {
        return owners.ask(sharding.entityRefFor(SourceEntity.TYPE_KEY, repository.value()), command, timeout);
    }
}
