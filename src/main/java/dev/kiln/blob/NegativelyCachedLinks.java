package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Ticker;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Remembers for a second, within a bound, that there is no link, so that asking for what does not exist costs the disk
 * little. What this node publishes is found at once. Thread-safe.
 */
public final class NegativelyCachedLinks implements Links {
    private static final Duration LIFE = Duration.ofSeconds(1);
    private static final int BOUND = 10_000;

    private final Links links;
    private final Cache<Key, Boolean> absent;

    public NegativelyCachedLinks(Links links) {
        this(links, Ticker.systemTicker());
    }

    NegativelyCachedLinks(Links links, Ticker ticker) {
        this.links = links;
        absent = Caffeine.newBuilder()
                .expireAfterWrite(LIFE)
                .maximumSize(BOUND)
                .ticker(ticker)
                .build();
    }

    @Override
    public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
        links.publish(repository, digest, link);
        absent.invalidate(new Key(repository, digest));
    }

    /**
     * The look-up runs inside the cache's own, which {@link #publish} waits for before it invalidates: a look-up that
     * began before the link was there cannot leave its "no" behind.
     */
    @Override
    public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
        Found found = new Found();
        try {
            Boolean known = absent.get(new Key(repository, digest), key -> {
                found.link = findUnchecked(repository, digest);
                return found.link.isPresent() ? null : true;
            });
            return known == null ? found.link : Optional.empty();
        } catch (UncheckedIOException e) {
            throw e.getCause();
        }
    }

    private Optional<Link> findUnchecked(RepositoryName repository, Digest digest) {
        try {
            return links.find(repository, digest);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private record Key(RepositoryName repository, Digest digest) {}

    private static final class Found {
        private Optional<Link> link = Optional.empty();
    }
}
