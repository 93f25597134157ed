package dev.kiln.image;

import com.fasterxml.jackson.databind.JsonNode;
import com.github.benmanes.caffeine.cache.AsyncCache;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.ContentStore;
import dev.kiln.client.Hint;
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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.stream.Stream;
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
        /** @param without platforms whose images have no Docker form, and why: a list lists the others only */
        record Stored(Descriptor descriptor, Map<Platform, String> without) implements Translation {}

        record None(String reason) implements Translation {}
    }

    private final Images images;
    private final ContentStore store;
    private final Executor storeExecutor;

    /** By the digest of the original. Forgetting one costs that it is made again, which gives the same bytes. */
    private final AsyncCache<Key, Translation> translations =
            Caffeine.newBuilder().maximumSize(BOUND).buildAsync();

    /** Of what the store has, the same with what it lacks: one object, so that others can keep what they make of it. */
    private final Cache<Served, Served> incomplete =
            Caffeine.newBuilder().weakKeys().maximumSize(BOUND).build();

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
                        ? translated(pull, served)
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
    public CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit) {
        return images.tags(repository, after, limit);
    }

    private static boolean isOci(Descriptor descriptor) {
        return descriptor.mediaType().equals(MediaTypes.OCI_INDEX)
                || descriptor.mediaType().equals(MediaTypes.OCI_MANIFEST);
    }

    private CompletionStage<PullAnswer> translated(Pull pull, Served original) {
        RepositoryName repository = pull.repository();
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
                    Optional<String> refusal = refusal(translation, pull);
                    if (refusal.isPresent()) {
                        return CompletableFuture.completedFuture(new PullAnswer.BuildFailed(
                                refusal.get() + "; use a client that takes OCI media types", Optional.empty()));
                    }
                    Translation.Stored stored = (Translation.Stored) translation;
                    List<Platform> lacks = Stream.concat(
                                    original.missing().stream(), stored.without().keySet().stream())
                            .toList();
                    return images.manifest(repository, stored.descriptor().digest())
                            .thenApply(served -> served.map(s -> lacking(s, lacks))
                                    .orElseThrow(() -> {
                                        translations.synchronous().invalidate(key);
                                        return new Problem(
                                                ProblemCode.UNAVAILABLE,
                                                "a manifest is missing from the store; pull again");
                                    }));
                });
    }

    /** Why this pull cannot be answered: the platform it asks for has no Docker form, or it wants all and one has none. */
    private static Optional<String> refusal(Translation translation, Pull pull) {
        if (translation instanceof Translation.None none) {
            return Optional.of(none.reason());
        }
        Map<Platform, String> without = ((Translation.Stored) translation).without();
        return pull.plan().wholeIndex()
                ? without.values().stream().findFirst()
                : pull.hint()
                        .or(() -> pull.otherwise().flatMap(Pull::hint))
                        .map(Hint::platform)
                        .map(Platform::plain)
                        .map(without::get);
    }

    private Served lacking(Served translated, List<Platform> lacks) {
        if (lacks.isEmpty()) {
            return translated;
        }
        Served known = incomplete.getIfPresent(translated);
        if (known == null || !known.missing().equals(lacks)) {
            known = new Served(translated.descriptor(), translated.bytes(), lacks);
            incomplete.put(translated, known);
        }
        return known;
    }

    private Translation translate(RepositoryName repository, Served original) {
        try {
            byte[] bytes = original.bytes().toArray();
            Descriptor descriptor = original.descriptor();
            return MediaTypes.isIndex(descriptor.mediaType())
                    ? publishList(repository, descriptor, bytes)
                    : new Translation.Stored(publishManifest(repository, descriptor, bytes), Map.of());
        } catch (NoDockerFormException e) {
            return new Translation.None(e.getMessage());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Its manifests first: a list that can be pulled lists nothing that cannot. */
    private Translation publishList(RepositoryName repository, Descriptor index, byte[] bytes) throws IOException {
        Map<Digest, Descriptor> manifests = new HashMap<>();
        Map<Platform, String> without = new LinkedHashMap<>();
        for (JsonNode child : ImageManifest.parseObject(bytes).path("manifests")) {
            Descriptor listed = ImageManifest.descriptor(child);
            try {
                manifests.put(
                        listed.digest(),
                        isOci(listed) ? publishManifest(repository, listed, read(listed.digest())) : listed);
            } catch (NoDockerFormException e) {
                Platform platform = platform(child.path("platform"));
                without.put(platform, platform + ": " + e.getMessage());
            }
        }
        if (manifests.isEmpty()) {
            return new Translation.None(without.values().iterator().next());
        }
        return new Translation.Stored(
                store.publishManifest(
                        repository, MediaTypes.DOCKER_LIST, DockerForm.list(bytes, manifests), ORIGIN + index.digest()),
                without);
    }

    /** @param json of an index that Kiln composed */
    private static Platform platform(JsonNode json) {
        return new Platform(
                json.path("os").asText(),
                json.path("architecture").asText(),
                json.path("variant").asText(""),
                json.path("os.version").asText(""),
                List.of());
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
