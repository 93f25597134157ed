package dev.kiln.image;

import akka.util.ByteString;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.Links;
import dev.kiln.blob.SettlingContent;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.repository.Pushes;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Manifests and indexes by digest, as the content store has them, with a bounded cache. Thread-safe, never blocks. */
final class StoredManifests {
    private record Key(RepositoryName repository, Digest digest) {}

    private final SettlingContent content;
    private final Cache<Key, PullAnswer.Served> cache;

    /**
     * @param maxBytes of what is cached
     * @param maxLife of what is cached
     */
    StoredManifests(SettlingContent content, long maxBytes, Duration maxLife) {
        this.content = content;
        this.cache = Caffeine.newBuilder()
                .maximumWeight(maxBytes)
                .<Key, PullAnswer.Served>weigher(
                        (key, served) -> 500 + served.bytes().size())
                .expireAfterWrite(maxLife)
                .build();
    }

    /** Empty when the repository has none of that digest. Fails with an {@link java.io.IOException} as cause. */
    CompletionStage<Optional<PullAnswer.Served>> find(RepositoryName repository, Digest digest) {
        Key key = new Key(repository, digest);
        PullAnswer.Served cached = cache.getIfPresent(key);
        return cached == null ? read(key) : CompletableFuture.completedFuture(Optional.of(cached));
    }

    private CompletionStage<Optional<PullAnswer.Served>> read(Key key) {
        return content.link(key.repository(), key.digest())
                .thenCompose(found -> found.filter(link -> link.kind() == Links.Kind.MANIFEST)
                        .map(link -> content.bytes(key.digest(), ImageManifest.MAX_SIZE)
                                .thenApply(bytes -> Optional.of(keep(key, link, bytes))))
                        .orElseGet(() -> CompletableFuture.completedFuture(Optional.empty())));
    }

    private PullAnswer.Served keep(Key key, Links.Link link, byte[] bytes) {
        PullAnswer.Served served = new PullAnswer.Served(
                new Descriptor(link.mediaType(), key.digest(), bytes.length),
                ByteString.fromArrayUnsafe(bytes),
                List.of(),
                link.origin().equals(Pushes.ORIGIN));
        cache.put(key, served);
        return served;
    }
}
