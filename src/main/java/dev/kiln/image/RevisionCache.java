package dev.kiln.image;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.config.KilnConfig;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/** Revisions as this node last saw them, and the questions to their owners that keep them fresh. Thread-safe, never blocks. */
final class RevisionCache {
    /** @param renewal the one question that its owner is asked about it, however many want to know */
    private record Cached(RevisionSnapshot snapshot, Instant until, AtomicReference<CompletableFuture<Void>> renewal) {}

    private final KilnConfig.Cache terms;
    private final ShardedTags tags;
    private final Clock clock;
    private final Cache<Series, Cached> revisions;

    /** @param maxBytes of what is cached */
    RevisionCache(KilnConfig.Cache terms, long maxBytes, ShardedTags tags, Clock clock) {
        this.terms = terms;
        this.tags = tags;
        this.clock = clock;
        this.revisions = Caffeine.newBuilder()
                .maximumWeight(maxBytes)
                .<Series, Cached>weigher((series, cached) -> 2000
                        + cached.snapshot().index().map(i -> i.bytes().size()).orElse(0))
                .build();
    }

    void remember(Series series, RevisionSnapshot snapshot) {
        Duration life = snapshot.complete() ? terms.maxLife() : terms.partialLife();
        Cached latest = new Cached(snapshot, clock.instant().plus(life), new AtomicReference<>());
        // Two waiters may overlap: an index never shrinks.
        revisions.asMap().merge(series, latest, (old, now) -> snapshot.isBehind(old.snapshot()) ? old : now);
    }

    /** Whether it was seen, however long ago. */
    boolean knows(Series series) {
        return revisions.getIfPresent(series) != null;
    }

    /**
     * What was seen last, if that is {@code good}, given until when it is fresh. What is complete and asked for often is
     * renewed before, so that nobody waits for it.
     */
    Optional<RevisionSnapshot> known(Series series, Predicate<Instant> good) {
        Cached cached = revisions.getIfPresent(series);
        if (cached == null || !good.test(cached.until())) {
            return Optional.empty();
        }
        if (cached.snapshot().complete() && isDue(cached.until(), clock.instant())) {
            renew(series, cached);
        }
        return Optional.of(cached.snapshot());
    }

    private boolean isDue(Instant until, Instant now) {
        Instant from = until.minus(terms.maxLife().dividedBy(TagLookUps.RENEWAL));
        return !now.isBefore(from) && now.isBefore(until);
    }

    /**
     * For what was complete when it was seen last, and is no longer {@code good}: completes when its owner has been asked,
     * which is most likely all that is needed. The caller must not complete it.
     */
    Optional<CompletableFuture<Void>> renewal(Series series, Predicate<Instant> good) {
        return Optional.ofNullable(revisions.getIfPresent(series))
                .filter(cached -> cached.snapshot().complete() && !good.test(cached.until()))
                .map(cached -> renew(series, cached));
    }

    private CompletableFuture<Void> renew(Series series, Cached cached) {
        CompletableFuture<Void> mine = new CompletableFuture<>();
        CompletableFuture<Void> others = cached.renewal().compareAndExchange(null, mine);
        if (others != null) {
            return others;
        }
        RevisionSnapshot snapshot = cached.snapshot();
        tags.revision(series, snapshot.index().map(index -> index.descriptor().digest()))
                .thenAccept(view -> {
                    if (view.unchanged()) {
                        remember(series, snapshot);
                    } else {
                        seen(series, view);
                    }
                })
                .whenComplete((done, failure) -> mine.complete(null));
        return mine;
    }

    /** What the owner knows of a series, remembered; empty for a revision that nobody has pulled. */
    CompletionStage<Optional<RevisionSnapshot>> look(Series series) {
        return tags.revision(series).thenApply(view -> seen(series, view));
    }

    private Optional<RevisionSnapshot> seen(Series series, TagEntity.View view) {
        Optional<RevisionSnapshot> seen =
                view.opened().map(opened -> RevisionSnapshot.of(series.revision(), view, Map.of()));
        seen.ifPresent(snapshot -> remember(series, snapshot));
        return seen;
    }
}
