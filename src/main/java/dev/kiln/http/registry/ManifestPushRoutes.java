package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import akka.stream.StreamLimitReachedException;
import akka.util.ByteString;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Forwarding;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.ManifestDocument;
import dev.kiln.repository.Pusher;
import dev.kiln.repository.Pushes.Outcome;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/** Manifests on their way in (distribution specification, "Pushing Manifests"). */
final class ManifestPushRoutes {
    private static final int MAX_TAGS = 100;
    private static final Duration BODY_TIME = Duration.ofSeconds(30);

    /** Of all manifests that are being received and read together. */
    private static final long MAX_BYTES = 64L * 1024 * 1024;

    /** A manifest that is read takes some tens of times its size: of large ones, few at a time. */
    private static final int LARGE = 256 * 1024;

    private final Pushing pushing;
    private final Forwarding forwarding;
    private final AtomicLong bytes = new AtomicLong();
    private final Semaphore large = new Semaphore(2);

    ManifestPushRoutes(Pushing pushing, Forwarding forwarding) {
        this.pushing = pushing;
        this.forwarding = forwarding;
    }

    /** Who pushes or deletes, as the journal keeps it. */
    Pusher pusher(Call call) {
        return new Pusher(
                call.header("user-agent").orElse(""), forwarding.origin(call).address());
    }

    /** {@code PUT /v2/<name>/manifests/<tag>}: parameters {@code tag} mean something beside a digest only. */
    CompletionStage<HttpResponse> byTag(Call call, RepositoryConfig config, RepositoryName name, Tag tag) {
        return push(call, config, name, Optional.empty(), List.of(tag));
    }

    /** {@code PUT /v2/<name>/manifests/<digest>[?tag=<tag>&tag=…]} */
    CompletionStage<HttpResponse> byDigest(Call call, RepositoryConfig config, RepositoryName name, Digest digest) {
        return push(call, config, name, Optional.of(digest), tags(call));
    }

    private static List<Tag> tags(Call call) {
        List<String> texts = call.query().all("tag");
        if (texts.size() > MAX_TAGS) {
            throw new Problem(
                    ProblemCode.UNSUPPORTED,
                    StatusCodes.URI_TOO_LONG.intValue(),
                    "a push sets at most " + MAX_TAGS + " tags at once");
        }
        Set<Tag> tags = new LinkedHashSet<>();
        for (String text : texts) {
            tags.add(Tag.parse(text)
                    .orElseThrow(() -> new Problem(
                            ProblemCode.NAME_INVALID,
                            "a parameter tag is outside the grammar: letters, digits, . _ -, at most 128 characters")));
        }
        return List.copyOf(tags);
    }

    private CompletionStage<HttpResponse> push(
            Call call, RepositoryConfig config, RepositoryName name, Optional<Digest> digest, List<Tag> tags) {
        pushing.allowSettling(call);
        return pushing.images()
                .admit(config, name, tags)
                .thenCompose(admitted -> receive(
                        call,
                        digest,
                        received -> pushing.pushes()
                                .push(
                                        name,
                                        received.document(),
                                        received.digest(),
                                        received.bytes().toArrayUnsafe(),
                                        tags,
                                        pusher(call))
                                .thenApply(outcome -> outcome instanceof Outcome.Missing missing
                                        ? missing(missing.digests())
                                        : stored(name, received, digest.isEmpty() ? List.of() : tags))));
    }

    /** A manifest that has come, and is one. */
    record Received(ManifestDocument document, Digest digest, ByteString bytes) {}

    /**
     * What comes of a manifest, whose bytes count as long as that takes.
     *
     * @param digest by which it is pushed; empty: by a tag
     */
    CompletionStage<HttpResponse> receive(
            Call call, Optional<Digest> digest, Function<Received, CompletionStage<HttpResponse>> then) {
        Optional<String> contentType = contentType(call);
        return read(call)
                .thenCompose(body -> CompletableFuture.supplyAsync(
                                () -> new Received(
                                        parse(body, contentType, digest),
                                        digest.orElseGet(() -> Digest.sha256(body)),
                                        ByteString.fromArrayUnsafe(body)),
                                pushing.blocking())
                        .thenCompose(then)
                        .whenComplete((answer, failure) -> bytes.addAndGet(-body.length)));
    }

    /** Counts what has come, until it is given back. */
    private CompletionStage<byte[]> read(Call call) {
        long length = call.request().entity().getContentLengthOption().orElse(ImageManifest.MAX_SIZE);
        if (length > ImageManifest.MAX_SIZE) {
            throw tooLarge();
        }
        if (bytes.addAndGet(length) > MAX_BYTES) {
            bytes.addAndGet(-length);
            throw new Problem(ProblemCode.TOOMANYREQUESTS, "too many manifests come at once: try again in a moment");
        }
        return call.bytes(ImageManifest.MAX_SIZE, BODY_TIME, pushing.materializer())
                .handle((body, failure) -> {
                    if (failure != null) {
                        bytes.addAndGet(-length);
                        throw isTooLarge(failure)
                                ? tooLarge()
                                : new Problem(ProblemCode.MANIFEST_INVALID, "the manifest did not come whole in time");
                    }
                    bytes.addAndGet(body.size() - length);
                    return body.toArray();
                });
    }

    private static boolean isTooLarge(Throwable failure) {
        return failure instanceof StreamLimitReachedException
                || failure.getCause() instanceof StreamLimitReachedException;
    }

    private static Problem tooLarge() {
        return new Problem(
                ProblemCode.MANIFEST_INVALID,
                StatusCodes.CONTENT_TOO_LARGE.intValue(),
                "the manifest is larger than 4 MiB");
    }

    private ManifestDocument parse(byte[] body, Optional<String> contentType, Optional<Digest> digest) {
        if (digest.isPresent() && !digest.get().isOf(body)) {
            throw new Problem(ProblemCode.DIGEST_INVALID, "the manifest's digest is not the one it is pushed by");
        }
        if (body.length < LARGE) {
            return ManifestDocument.parse(body, contentType);
        }
        large.acquireUninterruptibly();
        try {
            return ManifestDocument.parse(body, contentType);
        } finally {
            large.release();
        }
    }

    /** Parameters are ignored, as the specification asks; what means nothing in particular is as if absent. */
    private static Optional<String> contentType(Call call) {
        String text = call.request().entity().getContentType().toString();
        int semicolon = text.indexOf(';');
        String type =
                (semicolon < 0 ? text : text.substring(0, semicolon)).strip().toLowerCase(Locale.ROOT);
        return type.equals("none/none") || type.equals("application/octet-stream") || type.equals("application/json")
                ? Optional.empty()
                : Optional.of(type);
    }

    static HttpResponse missing(List<Digest> digests) {
        return ErrorResponses.ofAll(
                ProblemCode.MANIFEST_BLOB_UNKNOWN,
                "the manifest refers to blobs or manifests that this repository does not have, such as "
                        + digests.get(0),
                digests.stream().map(each -> Map.of("digest", each.value())).toList());
    }

    static HttpResponse stored(RepositoryName name, Received manifest, List<Tag> tags) {
        List<HttpHeader> headers = new ArrayList<>();
        headers.add(Headers.of("Location", RegistryPath.PREFIX + name + "/manifests/" + manifest.digest()));
        headers.add(Headers.of("Docker-Content-Digest", manifest.digest().value()));
        manifest.document().subject().ifPresent(subject -> headers.add(Headers.of("OCI-Subject", subject.value())));
        tags.forEach(tag -> headers.add(Headers.of("OCI-Tag", tag.value())));
        headers.add(Headers.NO_STORE);
        return HttpResponse.create().withStatus(StatusCodes.CREATED).withHeaders(headers);
    }
}
