package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.japi.function.Function;
import dev.kiln.blob.ContentStore;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.sharding.Owners;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;

/** How this node reaches the owners of tags. Thread-safe; stages fail with a TimeoutException when an owner is away. */
public final class ShardedTags {
    /** What an index's link says made it. */
    public static final String INDEX_ORIGIN = "index";

    private static final Duration ASK_TIMEOUT = Duration.ofSeconds(8);

    private final Owners owners;
    private final ClusterSharding sharding;

    private ShardedTags(ActorSystem<?> system) {
        this.owners = Owners.get(system);
        this.sharding = ClusterSharding.get(system);
    }

    /**
     * Starts the shards of tags on this node. Once for each actor system.
     *
     * @param storeExecutor for blocking writes to the store
     */
    public static ShardedTags init(ActorSystem<?> system, ContentStore store, Executor storeExecutor, Clock clock) {
        ShardedTags tags = new ShardedTags(system);
        TagEntity.Publisher publisher =
                (key, index) -> CompletableFuture.supplyAsync(() -> publish(store, key, index), storeExecutor);
        tags.sharding.init(Entity.of(
                TagEntity.TYPE_KEY, entity -> TagEntity.create(TagKey.of(entity.getEntityId()), publisher, clock)));
        return tags;
    }

    public <A> CompletionStage<A> ask(TagKey key, Function<ActorRef<A>, TagEntity.Command> command) {
        return owners.ask(sharding.entityRefFor(TagEntity.TYPE_KEY, key.toString()), command, ASK_TIMEOUT);
    }

    /** What a revision's owner knows of one of its series. */
    CompletionStage<TagEntity.View> revision(Series series) {
        return revision(series, Optional.empty());
    }

    /**
     * What a revision's owner knows of one of its series.
     *
     * @param complete as in {@link TagEntity.GetRevision}
     */
    CompletionStage<TagEntity.View> revision(Series series, Optional<Digest> complete) {
        return ask(series.revision(), replyTo -> new TagEntity.GetRevision(series.flavour(), complete, replyTo));
    }

    private static Descriptor publish(ContentStore store, TagKey key, String index) {
        try {
            return store.publishManifest(
                    key.repository(), MediaTypes.OCI_INDEX, index.getBytes(StandardCharsets.UTF_8), INDEX_ORIGIN);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
