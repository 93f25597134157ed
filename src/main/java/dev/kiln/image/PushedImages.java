package dev.kiln.image;

import dev.kiln.blob.SettlingContent;
import dev.kiln.client.Hints;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.image.PullAnswer.Served;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.PushedManifest;
import dev.kiln.repository.Repositories;
import dev.kiln.source.Meaning;
import dev.kiln.source.Sources;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;

/**
 * What clients pushed, as it was pushed, and how it lives beside a source: a tag of the source always wins. Thread-safe,
 * never blocks.
 */
public final class PushedImages {
    private static final Duration RECHECK = Duration.ofMillis(200);

    private final Repositories repositories;
    private final Sources sources;
    private final StoredManifests manifests;
    private final Duration settle;

    /**
     * The pushed images of a node.
     *
     * @param settle how long something may take to show that another node has put into the store
     */
    public PushedImages(
            KilnConfig config, Repositories repositories, Sources sources, SettlingContent content, Duration settle) {
        this.repositories = repositories;
        this.sources = sources;
        this.manifests = new StoredManifests(
                content, config.cache().maxBytes() / 4, config.cache().maxLife());
        this.settle = settle;
    }

    /** What a pushed tag means now. */
    public CompletionStage<Optional<Served>> find(RepositoryName repository, Tag tag) {
        return repositories.manifest(repository, tag).thenCompose(manifest -> read(repository, manifest));
    }

    /** A pushed manifest that was not deleted. */
    public CompletionStage<Optional<Served>> find(RepositoryName repository, Digest digest) {
        return repositories.manifest(repository, digest).thenCompose(manifest -> read(repository, manifest));
    }

    private CompletionStage<Optional<Served>> read(RepositoryName repository, Optional<PushedManifest> manifest) {
        return manifest.isEmpty()
                ? CompletableFuture.completedFuture(Optional.empty())
                : read(repository, manifest.get().digest(), settle)
                        .thenApply(Optional::of)
                        .exceptionally(failure -> {
                            throw cause(failure) instanceof IOException late ? hidden(late) : asIs(failure);
                        });
    }

    private CompletionStage<Served> read(RepositoryName repository, Digest digest, Duration patience) {
        return manifests.find(repository, digest).thenCompose(served -> {
            if (served.isPresent()) {
                return CompletableFuture.completedFuture(served.get());
            }
            if (patience.isZero()) {
                return CompletableFuture.failedFuture(new IOException("the link of " + digest + " does not show"));
            }
            Duration pause = patience.compareTo(RECHECK) < 0 ? patience : RECHECK;
            return CompletableFuture.runAsync(
                            () -> {}, CompletableFuture.delayedExecutor(pause.toMillis(), TimeUnit.MILLISECONDS))
                    .thenCompose(passed -> read(repository, digest, patience.minus(pause)));
        });
    }

    private static Problem hidden(IOException late) {
        return new Problem(
                ProblemCode.UNAVAILABLE, "the manifest does not show in the content store: pull again", late);
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }

    private static CompletionException asIs(Throwable failure) {
        return failure instanceof CompletionException completion ? completion : new CompletionException(failure);
    }

    /** Fails with a {@link Problem} that says why when clients may not push to one of these tags. */
    public CompletionStage<Void> admit(RepositoryConfig config, RepositoryName repository, List<Tag> tags) {
        CompletionStage<Void> admitted = CompletableFuture.completedFuture(null);
        for (Tag tag : tags) {
            if (config.source().isPresent() && !tag.isReferrersFallback()) {
                if (Hints.readings(tag, config.platforms()).stream().anyMatch(Tag::looksLikeCommitId)) {
                    return CompletableFuture.failedFuture(new Problem(
                            ProblemCode.DENIED,
                            "the tag " + tag + " looks like a commit id, which only the source has: choose another"));
                }
                admitted = admitted.thenCompose(before -> isOfSource(config, repository, tag))
                        .thenCompose(ofSource -> ofSource
                                ? CompletableFuture.<Void>failedFuture(new Problem(
                                        ProblemCode.DENIED,
                                        "the tag " + tag + " comes from the source, which a push never replaces"))
                                : CompletableFuture.<Void>completedFuture(null));
            }
        }
        return admitted;
    }

    /**
     * Whether a pull of this tag is answered from the source. Fails with a {@link Problem} when nobody can say.
     */
    public CompletionStage<Boolean> isOfSource(RepositoryConfig config, RepositoryName repository, Tag tag) {
        if (config.source().isEmpty() || tag.isReferrersFallback()) {
            return CompletableFuture.completedFuture(false);
        }
        CompletionStage<Boolean> found = CompletableFuture.completedFuture(false);
        for (Tag reading : Hints.readings(tag, config.platforms())) {
            found = found.thenCompose(before -> before
                    ? CompletableFuture.completedFuture(true)
                    : sources.resolve(repository, reading, config.hop())
                            .exceptionally(late -> new Meaning.Unavailable("git has not answered in time"))
                            .thenApply(meaning -> isFound(reading, meaning)));
        }
        return found;
    }

    private static boolean isFound(Tag tag, Meaning meaning) {
        if (meaning instanceof Meaning.Unavailable unavailable) {
            throw new Problem(
                    ProblemCode.UNAVAILABLE,
                    "whether the source has the tag " + tag + " cannot be said now, try again: "
                            + unavailable.reason());
        }
        return meaning instanceof Meaning.Found;
    }
}
