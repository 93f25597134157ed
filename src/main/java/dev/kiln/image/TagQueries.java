package dev.kiln.image;

import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.Sources;
import dev.kiln.source.Sources.TagsAnswer;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.BiFunction;
import java.util.stream.Collectors;

/**
 * What is known of tags, for who asks without pulling: nothing is opened, started or waited for but a look-up in the
 * source, for at most one {@code hop}. Thread-safe, never blocks. Stages fail with a {@link Problem}, or with whatever
 * kept an owner from answering.
 */
final class TagQueries {
    private final KilnConfig config;
    private final ShardedTags tags;
    private final Sources sources;
    private final TagLookUps lookUps;

    TagQueries(KilnConfig config, ShardedTags tags, Sources sources, TagLookUps lookUps) {
        this.config = config;
        this.tags = tags;
        this.sources = sources;
        this.lookUps = lookUps;
    }

    /** As {@link Images#pointers}. */
    CompletionStage<String> pointers(RepositoryName repository, Tag tag) {
        return lookedUp(
                repository,
                tag,
                (found, revision) -> tags.revision(new Series(revision, Optional.empty()))
                        .thenApply(view -> PointerIndex.compose(
                                repository,
                                tag,
                                revision.revision().orElseThrow(),
                                offered(found, view),
                                RevisionSnapshot.children(view))));
    }

    /** As {@link Images#indexes}. */
    CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform) {
        Optional<Platform> flavour = platform.filter(Platform::isFlavour);
        return lookedUp(
                repository,
                tag,
                (found, revision) -> tags.ask(revision, TagEntity.GetIndexes::new)
                        .thenApply(seen -> {
                            List<Platform> platforms =
                                    seen.platforms().isEmpty() ? found.platforms() : seen.platforms();
                            if (flavour.isPresent() && !platforms.contains(flavour.get())) {
                                throw new Problem(ProblemCode.REQUEST_INVALID, flavour.get() + " is not built here");
                            }
                            return IndexHistory.of(new Series(revision, flavour), platforms, seen.indexes());
                        }));
    }

    /** Answers about what a tag means, which must be known within one hop. */
    private <A> CompletionStage<A> lookedUp(
            RepositoryName repository, Tag tag, BiFunction<RepositoryConfig, TagKey, CompletionStage<A>> answer) {
        Optional<RepositoryConfig> found = config.repository(repository);
        if (found.isEmpty() || tag.isReferrersFallback()) {
            return CompletableFuture.failedFuture(
                    new Problem(ProblemCode.MANIFEST_UNKNOWN, "there is no " + tag + " here"));
        }
        return lookUps.revision(new TagKey(repository, tag), found.get())
                .copy()
                .orTimeout(found.get().hop().toMillis(), TimeUnit.MILLISECONDS)
                .thenCompose(revision -> answer.apply(found.get(), new TagKey(repository, revision.asTag())));
    }

    /** As {@link Images#tags}. */
    CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit) {
        Optional<RepositoryConfig> found = config.repository(repository);
        Problem unknown = new Problem(
                ProblemCode.NAME_UNKNOWN, "no repository called " + repository + " is known here; check the name");
        if (found.isEmpty()) {
            return CompletableFuture.failedFuture(unknown);
        }
        return sources.tags(repository, after, limit, found.get().hop()).<List<Tag>>thenApply(answer -> {
            if (answer instanceof TagsAnswer.Listed listed) {
                return listed.tags();
            }
            if (answer instanceof TagsAnswer.Unavailable unavailable) {
                throw new Problem(ProblemCode.UNAVAILABLE, unavailable.reason());
            }
            throw unknown;
        });
    }

    /** What can be pulled of a revision, now or when it is built. */
    private static List<Platform> offered(RepositoryConfig repository, TagEntity.View view) {
        if (view.opened().isEmpty()) {
            return repository.platforms().stream()
                    .filter(platform -> !platform.isFlavour())
                    .toList();
        }
        Set<Platform> built = RevisionSnapshot.children(view).stream()
                .map(IndexComposer.Child::platform)
                .collect(Collectors.toUnmodifiableSet());
        return view.platforms().stream()
                .filter(platform ->
                        built.contains(platform) || repository.platforms().contains(platform))
                .toList();
    }
}
