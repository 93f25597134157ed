package dev.kiln.image;

import akka.util.ByteString;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.Links;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.repository.Pushes;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;

/** Manifests and indexes by digest, as the content store has them, with a bounded cache. Thread-safe, never blocks. */
final class StoredManifests {
    private record Key(RepositoryName repository, Digest digest) {}

    private final ContentStore store;
    private final Executor storeExecutor;
    private final Cache<Key, PullAnswer.Served> cache;

    /**
     * @param storeExecutor for blocking reads of the store
     * @param maxBytes of what is cached
     * @param maxLife of what is cached
     */
    StoredManifests(ContentStore store, Executor storeExecutor, long maxBytes, Duration maxLife) {
        this.store = store;
        this.storeExecutor = storeExecutor;
        this.cache = Caffeine.newBuilder()
                .maximumWeight(maxBytes)
                .<Key, PullAnswer.Served>weigher(
                        (key, served) -> 500 + served.bytes().size())
                .expireAfterWrite(maxLife)
                .build();
    }

    /** Empty when the repository has none of that digest. Fails with {@link UncheckedIOException}. */
    CompletionStage<Optional<PullAnswer.Served>> find(RepositoryName repository, Digest digest) {
        Key key = new Key(repository, digest);
        PullAnswer.Served cached = cache.getIfPresent(key);
        return cached == null
                ? CompletableFuture.supplyAsync(() -> read(key), storeExecutor)
                : CompletableFuture.completedFuture(Optional.of(cached));
    }

    private Optional<PullAnswer.Served> read(Key key) {
        try {
            Optional<Links.Link> link =
                    store.links().find(key.repository(), key.digest()).filter(l -> l.kind() == Links.Kind.MANIFEST);
            if (link.isEmpty()) {
                return Optional.empty();
            }
            try (InputStream in = store.blobs().open(key.digest())) {
                byte[] bytes = in.readNBytes(ImageManifest.MAX_SIZE);
                PullAnswer.Served served = new PullAnswer.Served(
                        new Descriptor(link.get().mediaType(), key.digest(), bytes.length),
                        ByteString.fromArrayUnsafe(bytes),
                        List.of(),
                        link.get().origin().equals(Pushes.ORIGIN));
                cache.put(key, served);
                return Optional.of(served);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
