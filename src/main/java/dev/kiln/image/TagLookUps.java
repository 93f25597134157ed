package dev.kiln.image;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
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
 * for each tag however many ask. As long as a repository's refs are the same, one look-up is good for all its tags.
 * Thread-safe, never blocks.
 */
final class TagLookUps {
    private static final int REMEMBERED = 100_000;

    /** Of the time for which an answer is good, the last part in which it is asked for anew while it is still given. */
    static final int RENEWAL = 3;

    /** An answer that is renewed too early, since the source has not asked git again yet, is left alone for a while. */
    private static final int PAUSE = 10;

    /** For how long what git said is good. */
    private record Life(Instant until, Instant renewFrom) {
        static Life of(Meaning.Found found, Duration refresh, Instant now) {
            Instant until = found.observedAt().plus(refresh);
            Instant last = until.minus(refresh.dividedBy(RENEWAL));
            Instant soon = now.plus(refresh.dividedBy(PAUSE));
            return new Life(until, last.isAfter(soon) ? last : soon);
        }

        boolean isOver(Instant now) {
            return !now.isBefore(until);
        }

        boolean isDue(Instant now) {
            return !now.isBefore(renewFrom) && !isOver(now);
        }
    }

    /** @param refs as in {@link Meaning.Found} */
    private record CachedRef(Revision revision, String ref, Optional<Digest> refs, Life life) {
        static CachedRef of(Meaning.Found found, Life life) {
            return new CachedRef(found.revision(), found.ref(), found.refs(), life);
        }

        boolean says(Meaning.Found found) {
            return revision.equals(found.revision()) && ref.equals(found.ref());
        }
    }

    /** All refs of a repository, as they were seen last. */
    private record SeenRefs(Digest refs, Life life) {}

    private final ShardedTags tags;
    private final Sources sources;
    private final Clock clock;
    private final Cache<TagKey, CachedRef> refs =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();
    private final Cache<RepositoryName, SeenRefs> repositories =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();
    private final ConcurrentMap<TagKey, CompletableFuture<Revision>> running = new ConcurrentHashMap<>();
    /** The look-ups that are made for all tags of a repository. */
    private final ConcurrentMap<RepositoryName, CompletableFuture<Meaning>> renewals = new ConcurrentHashMap<>();

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
        if (cached == null) {
            return Optional.empty();
        }
        Optional<Life> common = commonLife(ref, cached);
        Life life = common.orElse(cached.life());
        if (!good.test(life.until())) {
            return Optional.empty();
        }
        if (life.isDue(clock.instant()) && !(common.isPresent() && renewals.containsKey(ref.repository()))) {
            revision(ref, repository);
        }
        return Optional.of(cached.revision());
    }

    /** Of all tags that were looked up since the repository's refs changed last, if that is one of them. */
    private Optional<Life> commonLife(TagKey key, CachedRef cached) {
        return cached.refs()
                .flatMap(then -> Optional.ofNullable(repositories.getIfPresent(key.repository()))
                        .filter(seen -> seen.refs().equals(then)))
                .map(SeenRefs::life);
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
            CachedRef cached = refs.getIfPresent(key);
            return cached != null && commonLife(key, cached).isPresent()
                    ? lookUpForAll(key, repository, cached)
                    : lookUpInSource(key, repository);
        }
        // A revision that was pulled before needs no git.
        return tags.<TagEntity.View>ask(
                        key, replyTo -> new TagEntity.GetRevision(Optional.empty(), Optional.empty(), replyTo))
                .thenCompose(view -> view.opened().isPresent()
                        ? CompletableFuture.completedFuture(key.revision().get())
                        : lookUpInSource(key, repository));
    }

    private CompletionStage<Revision> lookUpForAll(TagKey key, RepositoryConfig repository, CachedRef cached) {
        CompletableFuture<Meaning> mine = new CompletableFuture<>();
        CompletableFuture<Meaning> others = renewals.putIfAbsent(key.repository(), mine);
        if (others != null) {
            return others.handle(
                            (meaning, failure) -> commonLife(key, cached).filter(life -> !life.isOver(clock.instant())))
                    .thenCompose(life -> life.isPresent()
                            ? CompletableFuture.completedFuture(cached.revision())
                            : lookUpInSource(key, repository));
        }
        // The others wait for what git says, not for what comes of it for this tag.
        return resolve(key, repository)
                .whenComplete((meaning, failure) -> {
                    renewals.remove(key.repository(), mine);
                    mine.complete(meaning);
                })
                .thenCompose(meaning -> onMeaning(key, repository, meaning));
    }

    private CompletionStage<Revision> lookUpInSource(TagKey key, RepositoryConfig repository) {
        return resolve(key, repository).thenCompose(meaning -> onMeaning(key, repository, meaning));
    }

    /** What git says of a tag. What it says of all refs with it is remembered. */
    private CompletionStage<Meaning> resolve(TagKey key, RepositoryConfig repository) {
        return sources.resolve(key.repository(), key.tag(), repository.hop()).thenApply(meaning -> {
            if (meaning instanceof Meaning.Found found && key.revision().isEmpty()) {
                Life life = life(found, repository);
                found.refs().ifPresent(refs -> remember(key.repository(), new SeenRefs(refs, life)));
            }
            return meaning;
        });
    }

    private Life life(Meaning.Found found, RepositoryConfig repository) {
        return Life.of(found, repository.source().orElseThrow().refresh(), clock.instant());
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
        Life life = life(there, repository);
        CachedRef cached = refs.getIfPresent(key);
        if (cached != null && cached.says(there)) {
            // Its owner has recorded it already.
            refs.put(key, CachedRef.of(there, life));
            return CompletableFuture.completedFuture(there.revision());
        }
        return tags.<TagEntity.Meant>ask(
                        key,
                        replyTo -> new TagEntity.Observe(there.revision(), there.ref(), there.observedAt(), replyTo))
                .thenApply(meant -> {
                    Revision revision = meant.revision().orElseThrow();
                    if (revision.equals(there.revision())) {
                        refs.put(key, CachedRef.of(there, life));
                    }
                    return revision;
                });
    }

    private void remember(RepositoryName repository, SeenRefs latest) {
        // Answers of two look-ups may overtake each other.
        repositories
                .asMap()
                .merge(
                        repository,
                        latest,
                        (old, now) -> old.life().until().isAfter(now.life().until()) ? old : now);
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }
}
