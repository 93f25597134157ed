package dev.kiln.image;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.Revision;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.Meaning;
import dev.kiln.source.Sources;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.function.Predicate;

/**
 * What tags mean, for this node: what was seen last, and else a look-up at the tag's owner and its source, one at a time
 * for each tag however many ask. Thread-safe, never blocks.
 */
final class TagLookUps {
    private static final int REMEMBERED = 100_000;

    /** Of the time for which an answer is good, the last part in which it is asked for anew while it is still given. */
    static final int RENEWAL = 3;

    /** An answer that is renewed too early, since the source has not asked git again yet, is left alone for a while. */
    private static final int PAUSE = 10;

    private record CachedRef(Revision revision, String ref, Instant until, Instant renewFrom) {
        static CachedRef of(Meaning.Found found, Duration refresh, Instant now) {
            Instant until = found.observedAt().plus(refresh);
            Instant last = until.minus(refresh.dividedBy(RENEWAL));
            Instant soon = now.plus(refresh.dividedBy(PAUSE));
            return new CachedRef(found.revision(), found.ref(), until, last.isAfter(soon) ? last : soon);
        }

        boolean says(Meaning.Found found) {
            return revision.equals(found.revision()) && ref.equals(found.ref());
        }
    }

    private final ShardedTags tags;
    private final Sources sources;
    private final Clock clock;
    private final Cache<TagKey, CachedRef> refs =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();
    private final ConcurrentMap<TagKey, CompletableFuture<Revision>> running = new ConcurrentHashMap<>();

    TagLookUps(ShardedTags tags, Sources sources, Clock clock) {
        this.tags = tags;
        this.sources = sources;
        this.clock = clock;
    }

    /**
     * What a ref was last seen to mean, if that is {@code good}, given until when it is fresh. What is asked for often is
     * renewed before, so that nobody waits for it.
     */
    Optional<Revision> known(TagKey ref, RepositoryConfig repository, Predicate<Instant> good) {
        CachedRef cached = refs.getIfPresent(ref);
        if (cached == null || !good.test(cached.until())) {
            return Optional.empty();
        }
        Instant now = clock.instant();
        if (!now.isBefore(cached.renewFrom()) && now.isBefore(cached.until())) {
            revision(ref, repository);
        }
        return Optional.of(cached.revision());
    }

    /**
     * Which revision a tag means now. Fails with a {@link Problem}: unknown, or nobody can tell; or with the owner's
     * time-out. The caller must not complete it.
     */
    CompletableFuture<Revision> revision(TagKey key, RepositoryConfig repository) {
        CompletableFuture<Revision> mine = new CompletableFuture<>();
        CompletableFuture<Revision> others = running.putIfAbsent(key, mine);
        if (others != null) {
            return others;
        }
        lookUp(key, repository).whenComplete((revision, failure) -> {
            running.remove(key, mine);
            if (failure == null) {
                mine.complete(revision);
            } else {
                mine.completeExceptionally(cause(failure));
            }
        });
        return mine;
    }

    private CompletionStage<Revision> lookUp(TagKey key, RepositoryConfig repository) {
        if (key.revision().isEmpty()) {
            return lookUpInSource(key, repository);
        }
        // A revision that was pulled before needs no git.
        return tags.<TagEntity.View>ask(key, replyTo -> new TagEntity.GetRevision(Optional.empty(), replyTo))
                .thenCompose(view -> view.opened().isPresent()
                        ? CompletableFuture.completedFuture(key.revision().get())
                        : lookUpInSource(key, repository));
    }

    private CompletionStage<Revision> lookUpInSource(TagKey key, RepositoryConfig repository) {
        return sources.resolve(key.repository(), key.tag(), repository.hop())
                .thenCompose(meaning -> onMeaning(key, repository, meaning));
    }

    private CompletionStage<Revision> onMeaning(TagKey key, RepositoryConfig repository, Meaning meaning) {
        if (meaning instanceof Meaning.Unknown unknown) {
            return CompletableFuture.failedFuture(new UnknownTag(
                    unknown.repositoryUnknown() ? ProblemCode.NAME_UNKNOWN : ProblemCode.MANIFEST_UNKNOWN,
                    unknown.reason()));
        }
        if (meaning instanceof Meaning.Unavailable unavailable) {
            return tags.ask(key, TagEntity.GetMeaning::new)
                    .thenApply(meant -> meant.revision()
                            .orElseThrow(() -> new Problem(ProblemCode.UNAVAILABLE, unavailable.reason())));
        }
        Meaning.Found there = (Meaning.Found) meaning;
        if (key.revision().isPresent()) {
            return CompletableFuture.completedFuture(there.revision());
        }
        Duration refresh = repository.source().orElseThrow().refresh();
        CachedRef cached = refs.getIfPresent(key);
        if (cached != null && cached.says(there)) {
            // Its owner has recorded it already.
            refs.put(key, CachedRef.of(there, refresh, clock.instant()));
            return CompletableFuture.completedFuture(there.revision());
        }
        return tags.<TagEntity.Meant>ask(
                        key,
                        replyTo -> new TagEntity.Observe(there.revision(), there.ref(), there.observedAt(), replyTo))
                .thenApply(meant -> {
                    Revision revision = meant.revision().orElseThrow();
                    if (revision.equals(there.revision())) {
                        refs.put(key, CachedRef.of(there, refresh, clock.instant()));
                    }
                    return revision;
                });
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }
}
