package dev.kiln.repository;

import akka.util.ByteString;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.Links;
import dev.kiln.blob.PushedContent;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/**
 * Puts manifests into repositories: has the owner hold on to what they refer to, looks whether it is all there, publishes
 * bytes and link, and has the owner record it. Whatever happens in between, a manifest that was answered as stored is
 * complete, and of one that was not nothing can be reached. Thread-safe, never blocks.
 */
public final class Pushes {
    /** The origin of a link to what a client pushed. */
    public static final String ORIGIN = "push";

    /** How often a push is begun again whose pin was lost: owners move seldom. */
    private static final int TRIES = 5;

    private static final Duration RECHECK = Duration.ofMillis(200);

    private final Repositories repositories;
    private final PushedContent content;
    private final ContentStore store;
    private final Executor blocking;
    private final boolean sparse;
    private final Duration settle;

    /** What becomes of a push. */
    public sealed interface Outcome {
        /** It is durable, and every later look-up on any node sees it. */
        record Stored() implements Outcome {}

        /** The manifest refers to these, and they are not here. */
        record Missing(List<Digest> digests) implements Outcome {
            public Missing {
                digests = List.copyOf(digests);
            }
        }
    }

    /**
     * The pushes of a node.
     *
     * @param store what was built, beside what was pushed: manifests may refer to either
     * @param blocking for reads and writes of the store
     * @param sparse whether what a manifest refers to may be missing
     * @param settle how long something may take to show that another node has put into the store
     */
    public Pushes(
            Repositories repositories,
            PushedContent content,
            ContentStore store,
            Executor blocking,
            boolean sparse,
            Duration settle) {
        this.repositories = repositories;
        this.content = content;
        this.store = store;
        this.blocking = blocking;
        this.sparse = sparse;
        this.settle = settle;
    }

    /** A manifest on its way in. */
    private record Push(
            RepositoryName repository,
            ManifestDocument document,
            Digest digest,
            ByteString bytes,
            List<Tag> tags,
            Pusher by) {}

    /**
     * Pushes a manifest; idempotent. Fails with a {@link Problem}.
     *
     * @param digest of the bytes
     * @param bytes of the document, which nobody changes any more
     * @param tags that mean it from now on
     */
    public CompletionStage<Outcome> push(
            RepositoryName repository,
            ManifestDocument document,
            Digest digest,
            byte[] bytes,
            List<Tag> tags,
            Pusher by) {
        return attempt(new Push(repository, document, digest, ByteString.fromArrayUnsafe(bytes), tags, by), 1, settle);
    }

    /**
     * What an image manifest that is pushed nowhere would lack in a repository; what is there counts as used now. Fails
     * with a {@link Problem} where something has another size than it says.
     */
    public CompletionStage<List<Digest>> missing(RepositoryName repository, ManifestDocument document) {
        return missing(repository, document, settle);
    }

    private CompletionStage<List<Digest>> missing(
            RepositoryName repository, ManifestDocument document, Duration patience) {
        return CompletableFuture.supplyAsync(() -> lookFor(repository, document, Set.of()), blocking)
                .thenCompose(missing -> missing.isEmpty() || patience.isZero()
                        ? CompletableFuture.completedFuture(missing)
                        : pause(patience).thenCompose(left -> missing(repository, document, left)));
    }

    private CompletionStage<Outcome> attempt(Push push, int number, Duration patience) {
        List<Digest> needed = new ArrayList<>();
        push.document().references().forEach(r -> needed.add(r.descriptor().digest()));
        needed.add(push.digest());
        return repositories.begin(push.repository(), needed).thenCompose(begun -> {
            if (!(begun instanceof BeginAnswer.Pinned pin)) {
                return CompletableFuture.failedFuture(new Problem(
                        ProblemCode.TOOMANYREQUESTS,
                        "too many pushes to this repository are under way: try again in a moment"));
            }
            return pinned(push, pin, number, patience);
        });
    }

    private CompletionStage<Outcome> pinned(Push push, BeginAnswer.Pinned pin, int number, Duration patience) {
        return CompletableFuture.supplyAsync(() -> prepare(push, pin), blocking)
                .handle((missing, failure) -> {
                    if (failure == null && missing.isEmpty()) {
                        return record(push, pin, number, patience);
                    }
                    repositories.release(push.repository(), pin);
                    if (failure != null) {
                        return CompletableFuture.<Outcome>failedFuture(failure);
                    }
                    // What another node has put there may show a moment late, and be known to the owner by then.
                    return patience.isZero()
                            ? CompletableFuture.<Outcome>completedFuture(new Outcome.Missing(missing))
                            : pause(patience).thenCompose(left -> attempt(push, number, left));
                })
                .thenCompose(outcome -> outcome);
    }

    /** Waits for a moment. @return what is left of the patience */
    private static CompletionStage<Duration> pause(Duration patience) {
        Duration pause = patience.compareTo(RECHECK) < 0 ? patience : RECHECK;
        return CompletableFuture.supplyAsync(
                () -> patience.minus(pause),
                CompletableFuture.delayedExecutor(pause.toMillis(), TimeUnit.MILLISECONDS));
    }

    private CompletionStage<Outcome> record(Push push, BeginAnswer.Pinned pin, int number, Duration patience) {
        PushedManifest manifest =
                push.document().pushed(push.digest(), push.bytes().size());
        return repositories
                .put(push.repository(), pin, manifest, push.tags(), push.by())
                .thenCompose(answer -> {
                    if (answer instanceof PutAnswer.Stored) {
                        return CompletableFuture.completedFuture(new Outcome.Stored());
                    }
                    if (answer instanceof PutAnswer.Full full) {
                        return CompletableFuture.failedFuture(new Problem(ProblemCode.DENIED, full.message()));
                    }
                    return number < TRIES
                            ? attempt(push, number + 1, patience)
                            : CompletableFuture.failedFuture(new Problem(
                                    ProblemCode.UNAVAILABLE, "the repository's owner does not settle: push again"));
                });
    }

    /** Looks for what the manifest needs, and publishes it when all is there. @return what is missing */
    private List<Digest> prepare(Push push, BeginAnswer.Pinned pin) {
        try {
            List<Digest> missing = lookFor(push.repository(), push.document(), pin.manifests());
            if (missing.isEmpty() || sparse) {
                content.publishManifest(
                        push.repository(),
                        new Descriptor(
                                push.document().mediaType(),
                                push.digest(),
                                push.bytes().size()),
                        push.bytes().toArrayUnsafe());
                return List.of();
            }
            return missing;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @param manifests those that were pushed: a link comes before its manifest is recorded, and may be all that there is */
    private List<Digest> lookFor(RepositoryName repository, ManifestDocument document, Set<Digest> manifests) {
        try {
            List<Digest> missing = new ArrayList<>();
            for (ManifestDocument.Reference reference : document.references()) {
                if (!isThere(repository, reference, manifests) && !reference.optional()) {
                    missing.add(reference.descriptor().digest());
                }
            }
            return missing;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean isThere(RepositoryName repository, ManifestDocument.Reference reference, Set<Digest> manifests)
            throws IOException {
        Descriptor wanted = reference.descriptor();
        Predicate<Links.Link> fits =
                link -> !reference.manifest() || isManifest(link, manifests.contains(wanted.digest()));
        // Of an image that was pushed for a build, and of what was mounted, the pushed link is a blob's: the built one
        // counts.
        if (content.use(repository, wanted.digest()).filter(fits).isEmpty()
                && store.links().find(repository, wanted.digest()).filter(fits).isEmpty()) {
            return false;
        }
        OptionalLong size = store.blobs().size(wanted.digest());
        if (size.isEmpty()) {
            return false;
        }
        if (size.getAsLong() != wanted.size()) {
            throw new Problem(
                    ProblemCode.SIZE_INVALID,
                    "the manifest says that " + wanted.digest() + " has " + wanted.size() + " bytes; it has "
                            + size.getAsLong());
        }
        return true;
    }

    private static boolean isManifest(Links.Link link, boolean recorded) {
        return link.kind() == Links.Kind.MANIFEST && (recorded || !link.origin().equals(ORIGIN));
    }
}
