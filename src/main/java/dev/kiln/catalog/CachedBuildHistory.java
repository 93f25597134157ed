package dev.kiln.catalog;

import com.github.benmanes.caffeine.cache.AsyncCacheLoader;
import com.github.benmanes.caffeine.cache.AsyncLoadingCache;
import com.github.benmanes.caffeine.cache.Caffeine;
import com.github.benmanes.caffeine.cache.Ticker;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.BuildTimes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Asks the catalog at most once a minute for each repository, however many ask, and also while the database is away.
 */
public final class CachedBuildHistory implements BuildHistory {
    private static final Logger LOG = LoggerFactory.getLogger(CachedBuildHistory.class);
    private static final Duration LIFE = Duration.ofMinutes(1);
    private static final Duration UNUSED = Duration.ofHours(1);
    private static final int BOUND = 10_000;

    private final AsyncLoadingCache<RepositoryName, Map<Platform, BuildTimes>> repositories;

    /** @param catalog never blocks */
    public CachedBuildHistory(Function<RepositoryName, CompletionStage<Map<Platform, BuildTimes>>> catalog) {
        this(catalog, Ticker.systemTicker());
    }

    CachedBuildHistory(Function<RepositoryName, CompletionStage<Map<Platform, BuildTimes>>> catalog, Ticker ticker) {
        repositories = Caffeine.newBuilder()
                .maximumSize(BOUND)
                .expireAfterAccess(UNUSED)
                .refreshAfterWrite(LIFE)
                .ticker(ticker)
                .buildAsync(new AsyncCacheLoader<RepositoryName, Map<Platform, BuildTimes>>() {
                    @Override
                    public CompletableFuture<Map<Platform, BuildTimes>> asyncLoad(
                            RepositoryName repository, Executor executor) {
                        return asyncReload(repository, Map.of(), executor);
                    }

                    @Override
                    public CompletableFuture<Map<Platform, BuildTimes>> asyncReload(
                            RepositoryName repository, Map<Platform, BuildTimes> before, Executor executor) {
                        return catalog.apply(repository)
                                .exceptionally(failure -> {
                                    LOG.warn("could not look up how long builds of {} take", repository, failure);
                                    return before;
                                })
                                .toCompletableFuture();
                    }
                });
    }

    @Override
    public Map<Platform, BuildTimes> known(RepositoryName repository) {
        return repositories.get(repository).getNow(Map.of());
    }

    @Override
    public CompletionStage<Map<Platform, BuildTimes>> times(RepositoryName repository) {
        return repositories.get(repository);
    }
}
