package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Ticker;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Remembers which links this node has published lately, since other nodes may not see them yet. Longer than any
 * {@code store.settle}, and more than a node publishes in that time. Thread-safe.
 */
public final class RecentLinks implements Links {
    private static final Duration LIFE = Duration.ofMinutes(2);
    private static final int BOUND = 50_000;

    private final Links links;
    private final Cache<Key, Boolean> published;

    RecentLinks(Links links) {
        this(links, Ticker.systemTicker());
    }

    RecentLinks(Links links, Ticker ticker) {
        this.links = links;
        published = Caffeine.newBuilder()
                .expireAfterWrite(LIFE)
                .maximumSize(BOUND)
                .ticker(ticker)
                .build();
    }

    @Override
    public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
        links.publish(repository, digest, link);
        published.put(new Key(repository, digest), true);
    }

    @Override
    public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
        return links.find(repository, digest);
    }

    /** Whether this node has published the link lately, and it is still there. Blocking only when it has. */
    public boolean hasPublished(RepositoryName repository, Digest digest) throws IOException {
        return published.getIfPresent(new Key(repository, digest)) != null
                && links.find(repository, digest).isPresent();
    }

    private record Key(RepositoryName repository, Digest digest) {}
}
