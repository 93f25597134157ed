package dev.kiln.repository;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.cluster.sharding.typed.javadsl.EntityRef;
import akka.japi.function.Function;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.Found;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.repository.RepositoryCommand.Referrers;
import dev.kiln.sharding.Owners;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** How this node reaches the owners of repositories. */
public final class ShardedRepositories implements Repositories {
    private static final Duration ASK_TIMEOUT = Duration.ofSeconds(8);

    private final Owners owners;
    private final ClusterSharding sharding;

    private ShardedRepositories(ActorSystem<?> system) {
        this.owners = Owners.get(system);
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
                                new RepositoryName(entity.getEntityId()), maxManifests, unlinker, clock))
                .withStopMessage(new RepositoryEntity.Stop()));
        return repositories;
    }

    public <A> CompletionStage<A> ask(RepositoryName name, Function<ActorRef<A>, RepositoryCommand> command) {
        return owners.ask(owner(name), command, ASK_TIMEOUT);
    }

    private EntityRef<RepositoryCommand> owner(RepositoryName name) {
        return sharding.entityRefFor(RepositoryEntity.TYPE_KEY, name.value());
    }

    @Override
    public CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Digest digest) {
        return this.<Found>ask(repository, replyTo -> new RepositoryCommand.GetManifest(digest, replyTo))
                .thenApply(Found::manifest);
    }

    @Override
    public CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Tag tag) {
        return this.<Found>ask(repository, replyTo -> new RepositoryCommand.GetTag(tag, replyTo))
                .thenApply(Found::manifest);
    }

    @Override
    public CompletionStage<Optional<Digest>> user(RepositoryName repository, Digest digest) {
        return this.<RepositoryCommand.User>ask(repository, replyTo -> new RepositoryCommand.GetUser(digest, replyTo))
                .thenApply(RepositoryCommand.User::manifest);
    }

    @Override
    public CompletionStage<List<Tag>> tags(RepositoryName repository, String after) {
        return this.<RepositoryCommand.Tags>ask(repository, replyTo -> new RepositoryCommand.ListTags(after, replyTo))
                .thenApply(RepositoryCommand.Tags::tags);
    }

    @Override
    public CompletionStage<Referrers> referrers(
            RepositoryName repository, Digest subject, Optional<String> artifactType, Optional<Digest> after) {
        return ask(repository, replyTo -> new RepositoryCommand.ListReferrers(subject, artifactType, after, replyTo));
    }

    @Override
    public CompletionStage<BeginAnswer> begin(RepositoryName repository, List<Digest> digests) {
        return ask(repository, replyTo -> new RepositoryCommand.Begin(digests, replyTo));
    }

    @Override
    public CompletionStage<PutAnswer> put(
            RepositoryName repository, BeginAnswer.Pinned pin, PushedManifest manifest, List<Tag> tags, Pusher by) {
        return ask(
                repository,
                replyTo -> new RepositoryCommand.Put(pin.incarnation(), pin.pin(), manifest, tags, by, replyTo));
    }

    @Override
    public void release(RepositoryName repository, BeginAnswer.Pinned pin) {
        owner(repository).tell(new RepositoryCommand.Release(pin.incarnation(), pin.pin()));
    }

    @Override
    public CompletionStage<DeleteAnswer> deleteTag(RepositoryName repository, Tag tag, Pusher by) {
        return ask(repository, replyTo -> new RepositoryCommand.DeleteTag(tag, by, replyTo));
    }

    @Override
    public CompletionStage<DeleteAnswer> deleteManifest(RepositoryName repository, Digest digest, Pusher by) {
        return ask(repository, replyTo -> new RepositoryCommand.DeleteManifest(digest, by, replyTo));
    }

    @Override
    public CompletionStage<DeleteAnswer> deleteBlob(RepositoryName repository, Digest digest) {
        return ask(repository, replyTo -> new RepositoryCommand.Drop(digest, Optional.empty(), replyTo));
    }
}
