package dev.kiln.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.benmanes.caffeine.cache.AsyncCache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.ContentStore;
import dev.kiln.image.DockerForm.NoDockerFormException;
import dev.kiln.image.PullAnswer.Served;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Images for clients that know Docker's media types only: what such a pull gets is translated when it is first asked for,
 * and published with its link before it is answered, so that its digest can be pulled for ever. Clients that take OCI types
 * pass through.
 */
public final class DockerTypedImages implements Images {
    private static final Logger LOG = LoggerFactory.getLogger(DockerTypedImages.class);
    private static final int BOUND = 10_000;
    private static final String ORIGIN = "docker:";

    private record Key(RepositoryName repository, Digest original) {}

    /** What became of a document: its Docker form in the store, or why there is none. */
    private sealed interface Translation {
        record Stored(Descriptor descriptor) implements Translation {}

        record None(String reason) implements Translation {}
    }

    private final Images images;
    private final ContentStore store;
    private final Executor storeExecutor;

    /** By the digest of the original. Forgetting one costs that it is made again, which gives the same bytes. */
    private final AsyncCache<Key, Translation> translations =
            Caffeine.newBuilder().maximumSize(BOUND).buildAsync();

    /**
     * Translates what {@code images} serves.
     *
     * @param storeExecutor for blocking reads and writes of the store
     */
    public DockerTypedImages(Images images, ContentStore store, Executor storeExecutor) {
        this.images = images;
        this.store = store;
        this.storeExecutor = storeExecutor;
    }

    @Override
    public CompletionStage<PullAnswer> pull(Pull pull) {
        CompletionStage<PullAnswer> answer = images.pull(pull);
        return pull.form().isDocker()
                ? answer.thenCompose(a -> a instanceof Served served && isOci(served.descriptor())
                        ? translated(pull.repository(), served).thenApply(s -> s)
                        : CompletableFuture.completedFuture(a))
                : answer;
    }

    @Override
    public CompletionStage<String> pointers(RepositoryName repository, Tag tag) {
        return images.pointers(repository, tag);
    }

    @Override
    public CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform) {
        return images.indexes(repository, tag, platform);
    }

    /** Whatever a digest names is served as it is, whoever asks. */
    @Override
    public CompletionStage<Optional<Served>> manifest(RepositoryName repository, Digest digest) {
        return images.manifest(repository, digest);
    }

    @Override
    public CompletionStage<List<Tag>> tags(RepositoryName repository) {
        return images.tags(repository);
    }

    private static boolean isOci(Descriptor descriptor) {
        return descriptor.mediaType().equals(MediaTypes.OCI_INDEX)
                || descriptor.mediaType().equals(MediaTypes.OCI_MANIFEST);
    }

    private CompletionStage<Served> translated(RepositoryName repository, Served original) {
        Key key = new Key(repository, original.descriptor().digest());
        return translations
                .get(
                        key,
                        (k, unused) ->
                                CompletableFuture.supplyAsync(() -> translate(repository, original), storeExecutor))
                .exceptionally(failure -> {
                    throw unavailable(failure);
                })
                .thenCompose(translation -> {
                    if (translation instanceof Translation.None none) {
                        throw new Problem(
                                ProblemCode.MANIFEST_UNKNOWN,
                                424,
                                none.reason() + "; use a client that takes OCI media types");
                    }
                    Descriptor stored = ((Translation.Stored) translation).descriptor();
                    return images.manifest(repository, stored.digest())
                            .thenApply(served -> served.map(s -> withMissing(s, original))
                                    .orElseThrow(() -> {
                                        translations.synchronous().invalidate(key);
                                        return new Problem(
                                                ProblemCode.UNAVAILABLE,
                                                "a manifest is missing from the store; pull again");
                                    }));
                });
    }

    private static Served withMissing(Served translated, Served original) {
        return original.missing().isEmpty()
                ? translated
                : new Served(translated.descriptor(), translated.bytes(), original.missing());
    }

    private Translation translate(RepositoryName repository, Served original) {
        try {
            byte[] bytes = original.bytes().toArray();
            Descriptor descriptor = original.descriptor();
            return new Translation.Stored(
                    MediaTypes.isIndex(descriptor.mediaType())
                            ? publishList(repository, descriptor, bytes)
                            : publishManifest(repository, descriptor, bytes));
        } catch (NoDockerFormException e) {
            return new Translation.None(e.getMessage());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Its manifests first: a list that can be pulled lists nothing that cannot. */
    private Descriptor publishList(RepositoryName repository, Descriptor index, byte[] bytes)
            throws IOException, NoDockerFormException {
        Map<Digest, Descriptor> manifests = new HashMap<>();
        for (JsonNode child : ImageManifest.parseObject(bytes).path("manifests")) {
            Descriptor listed = ImageManifest.descriptor(child);
            manifests.put(
                    listed.digest(),
                    isOci(listed) ? publishManifest(repository, listed, read(listed.digest())) : listed);
        }
        return store.publishManifest(
                repository, MediaTypes.DOCKER_LIST, DockerForm.list(bytes, manifests), ORIGIN + index.digest());
    }

    private Descriptor publishManifest(RepositoryName repository, Descriptor manifest, byte[] bytes)
            throws IOException, NoDockerFormException {
        return store.publishManifest(
                repository, MediaTypes.DOCKER_MANIFEST, DockerForm.manifest(bytes), ORIGIN + manifest.digest());
    }

    private byte[] read(Digest digest) throws IOException {
        try (InputStream in = store.blobs().open(digest)) {
            return in.readNBytes(ImageManifest.MAX_SIZE);
        }
    }

    private static Problem unavailable(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        LOG.error("could not put an image into Docker's media types", cause);
        return cause instanceof UncheckedIOException
                ? new Problem(
                        ProblemCode.UNAVAILABLE,
                        "the image could not be stored in Docker's media types; pull again",
                        cause)
                : new Problem(ProblemCode.INTERNAL, "the server failed; its log says more", cause);
    }
}
