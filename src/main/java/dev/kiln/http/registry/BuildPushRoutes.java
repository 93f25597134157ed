package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpResponse;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.UploadChunk;
import dev.kiln.blob.Uploads;
import dev.kiln.build.Builds;
import dev.kiln.build.PushAnswer;
import dev.kiln.build.PushToken;
import dev.kiln.config.KilnConfig;
import dev.kiln.http.registry.ManifestPushRoutes.Received;
import dev.kiln.http.registry.RegistryPath.Blob;
import dev.kiln.http.registry.RegistryPath.ManifestByDigest;
import dev.kiln.http.registry.RegistryPath.ManifestByTag;
import dev.kiln.http.registry.RegistryPath.Upload;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The image of one running build on its way in, below {@code /v2/b/<token>/}: blobs as in every push, and one manifest by
 * digest, which becomes the build's result. What comes before that is a blob that was pushed, the manifest too, and goes after
 * the grace time when nothing came of it. Nothing is asked for but the token.
 */
final class BuildPushRoutes {
    /** For the worker to take in a large image. */
    private static final Duration TAKING = Duration.ofMinutes(16);

    /** How often the bytes of an image may come: what broke off is sent again. */
    private static final int TIMES = 2;

    private final KilnConfig config;
    private final Builds builds;
    private final Pushing pushing;
    private final BlobRoutes blobs;
    private final ManifestPushRoutes manifests;

    /** What each token may still bring by this node; who holds one may push until the disk is full otherwise. */
    private final Cache<PushToken, Allowance> allowances =
            Caffeine.newBuilder().maximumSize(10_000).build();

    BuildPushRoutes(KilnConfig config, Builds builds, Pushing pushing, BlobRoutes blobs, ManifestPushRoutes manifests) {
        this.config = config;
        this.builds = builds;
        this.pushing = pushing;
        this.blobs = blobs;
        this.manifests = manifests;
    }

    /** A request below {@code /v2/b/<token>/<name>/}. */
    CompletionStage<HttpResponse> handle(Call call, PushToken token, RegistryPath.Named path) {
        if (path instanceof ManifestByTag && call.isPut()) {
            // PUT /v2/b/<token>/<name>/manifests/<tag>
            throw new Problem(
                    ProblemCode.DENIED, "a build's image is pushed by its digest: the source says what tags mean");
        }
        if ((path instanceof ManifestByTag || path instanceof ManifestByDigest) && call.isRead()) {
            // GET|HEAD /v2/b/<token>/<name>/manifests/<reference>: many clients look before they push
            throw new Problem(ProblemCode.MANIFEST_UNKNOWN, "nothing is pulled by a token: pull without it");
        }
        if (path instanceof ManifestByDigest manifest && call.isPut()) {
            // PUT /v2/b/<token>/<name>/manifests/<digest>
            return put(call, token, manifest.name(), manifest.digest());
        }
        return isOfPush(call, path)
                ? ask(token, path.name()).thenCompose(open -> ofPush(call, token, path))
                : CompletableFuture.completedFuture(ErrorResponses.of(
                        ProblemCode.UNSUPPORTED,
                        "a token is for pushing one image",
                        List.of(Headers.allow(allowed(path)))));
    }

    private static String allowed(RegistryPath.Named path) {
        if (path instanceof RegistryPath.Uploads) {
            return "POST";
        }
        if (path instanceof ManifestByDigest) {
            return "GET, HEAD, PUT";
        }
        return path instanceof Blob || path instanceof ManifestByTag ? "GET, HEAD" : "";
    }

    private static boolean isOfPush(Call call, RegistryPath.Named path) {
        return (path instanceof RegistryPath.Uploads && call.isPost())
                || path instanceof Upload
                || (path instanceof Blob && call.isRead());
    }

    private CompletionStage<HttpResponse> ofPush(Call call, PushToken token, RegistryPath.Named path) {
        if (path instanceof Blob blob) {
            return blobs.get(call, blob.name(), blob.digest(), true);
        }
        UploadRoutes uploads = new UploadRoutes(pushing, allowances.get(token, key -> allowance(path.name())));
        if (path instanceof Upload upload) {
            return uploads.handle(call, upload);
        }
        // What it could mount from elsewhere it could read: a token is for pushing.
        return uploads.begin(call, path.name());
    }

    private Allowance allowance(RepositoryName name) {
        long image = config.repository(name).orElseThrow().build().maxOutput();
        return Allowance.of(TIMES * Math.min(image, Long.MAX_VALUE / TIMES));
    }

    private CompletionStage<Void> ask(PushToken token, RepositoryName name) {
        return builds.push(token.build(name), token, Optional.empty()).thenAccept(answer -> {
            if (!(answer instanceof PushAnswer.Open)) {
                throw denied(answer);
            }
        });
    }

    private static Problem denied(PushAnswer answer) {
        String why = answer instanceof PushAnswer.Refused refused ? refused.message() : "the build has its image";
        return new Problem(
                ProblemCode.DENIED, "nothing can be pushed with this token: " + why + "; each attempt has its own");
    }

    /** One that is repeated, since its answer was lost, is answered as it was. */
    private CompletionStage<HttpResponse> put(Call call, PushToken token, RepositoryName name, Digest digest) {
        BuildKey build = token.build(name);
        return builds.push(build, token, Optional.empty())
                .thenCompose(answer -> answer instanceof PushAnswer.Open
                        ? CompletableFuture.completedFuture(false)
                        : isResult(build, digest, answer))
                .thenCompose(done -> manifests.receive(
                        call,
                        Optional.of(digest),
                        received -> done
                                ? CompletableFuture.completedFuture(
                                        ManifestPushRoutes.stored(name, received, List.of()))
                                : complete(call, token, name, received)));
    }

    private CompletionStage<Boolean> isResult(BuildKey build, Digest digest, PushAnswer refused) {
        return builds.status(build).thenApply(status -> {
            if (status.manifest().map(Descriptor::digest).equals(Optional.of(digest))) {
                return true;
            }
            throw denied(refused);
        });
    }

    private CompletionStage<HttpResponse> complete(Call call, PushToken token, RepositoryName name, Received manifest) {
        if (!MediaTypes.isImageManifest(manifest.document().mediaType())) {
            throw new Problem(
                    ProblemCode.MANIFEST_INVALID,
                    "a build has the image of one platform: push its manifest, and no index");
        }
        call.allow(TAKING);
        return pushing.pushes()
                .missing(name, manifest.document())
                .thenCompose(missing -> missing.isEmpty()
                        ? CompletableFuture.supplyAsync(() -> store(name, manifest), pushing.blocking())
                                .thenCompose(stored -> builds.push(token.build(name), token, Optional.of(stored)))
                                .thenCompose(answer -> taken(token.build(name), name, manifest, answer))
                        : CompletableFuture.completedFuture(ManifestPushRoutes.missing(missing)));
    }

    /** Messages between nodes are small: the worker finds it in the store, as it does the rest of the image. */
    private Descriptor store(RepositoryName name, Received manifest) {
        Uploads into = pushing.content().uploads();
        try (UploadChunk chunk = into.append(name, into.open(name), 0)) {
            chunk.out().write(manifest.bytes().toArrayUnsafe());
            chunk.finish(manifest.digest());
            return new Descriptor(
                    manifest.document().mediaType(),
                    manifest.digest(),
                    manifest.bytes().size());
        } catch (IOException e) {
            throw UploadFailures.problem(new UncheckedIOException(e));
        }
    }

    private CompletionStage<HttpResponse> taken(
            BuildKey build, RepositoryName name, Received manifest, PushAnswer answer) {
        if (answer instanceof PushAnswer.Rejected rejected) {
            throw new Problem(ProblemCode.MANIFEST_INVALID, "the build has failed: " + rejected.message());
        }
        if (answer instanceof PushAnswer.NotTaken failed) {
            throw new Problem(
                    ProblemCode.UNAVAILABLE,
                    "the image could not be taken in, and the build's next attempt has another token: "
                            + failed.message());
        }
        return (answer instanceof PushAnswer.Stored
                        ? CompletableFuture.completedFuture(true)
                        : isResult(build, manifest.digest(), answer))
                .thenApply(done -> ManifestPushRoutes.stored(name, manifest, List.of()));
    }
}
