package dev.kiln.http.api;

import dev.kiln.build.BuildEta;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildTimes;
import dev.kiln.build.QueueStatus;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/**
 * When the builds of one answer are likely to be done.
 *
 * @param usual how long builds take, of as many repositories as were looked up
 */
record Etas(Map<RepositoryName, Map<Platform, BuildTimes>> usual, Instant now) {
    /** One answer may name thousands of repositories; each may cost a query. */
    private static final int MAX_REPOSITORIES = 100;

    /** An estimate is not worth more waiting: the queue can be looked at while the database is away. */
    private static final Duration PATIENCE = Duration.ofSeconds(2);

    /** For answers about these builds. Of more than 100 repositories, for the first. */
    static CompletionStage<Etas> of(BuildHistory history, InstantSource clock, Collection<BuildKey> builds) {
        Map<RepositoryName, Map<Platform, BuildTimes>> usual = new HashMap<>();
        List<RepositoryName> repositories = builds.stream()
                .map(BuildKey::repository)
                .distinct()
                .limit(MAX_REPOSITORIES)
                .toList();
        List<CompletableFuture<Map<Platform, BuildTimes>>> asked = repositories.stream()
                .map(repository -> history.times(repository)
                        .toCompletableFuture()
                        .copy()
                        .completeOnTimeout(Map.of(), PATIENCE.toMillis(), TimeUnit.MILLISECONDS))
                .toList();
        return CompletableFuture.allOf(asked.toArray(CompletableFuture[]::new)).thenApply(done -> {
            for (int i = 0; i < asked.size(); i++) {
                usual.put(repositories.get(i), asked.get(i).join());
            }
            return new Etas(usual, clock.instant());
        });
    }

    Optional<BuildEta> of(BuildStatus status) {
        return BuildEta.of(status, usual(status.key()), now);
    }

    /** Of what waits; what a worker holds is not the queue's to tell. */
    Optional<BuildEta> of(QueueStatus.Entry entry) {
        return entry.worker().isPresent()
                ? Optional.empty()
                : Optional.of(BuildEta.queued(entry.enqueuedAt(), entry.notBefore(), usual(entry.key()), now));
    }

    private Optional<BuildTimes> usual(BuildKey key) {
        return Optional.ofNullable(
                usual.getOrDefault(key.repository(), Map.of()).get(key.platform()));
    }
}
