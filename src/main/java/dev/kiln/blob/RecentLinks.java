package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.time.Duration;

/**
 * Which links this node has published lately, since other nodes may not see them yet: for longer than any
 * {@code store.settle}, and more than a node publishes in that time. Thread-safe.
 */
final class RecentLinks {
    private static final Duration LIFE = Duration.ofMinutes(2);
    private static final int BOUND = 50_000;

    private final Cache<Key, Boolean> published =
            Caffeine.newBuilder().expireAfterWrite(LIFE).maximumSize(BOUND).build();

    private record Key(RepositoryName repository, Digest digest) {}

    /** To be called when the link is there. */
    void add(RepositoryName repository, Digest digest) {
        published.put(new Key(repository, digest), true);
    }

    boolean contains(RepositoryName repository, Digest digest) {
        return published.getIfPresent(new Key(repository, digest)) != null;
    }
}
