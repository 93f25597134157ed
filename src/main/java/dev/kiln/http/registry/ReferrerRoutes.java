package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.blob.SettlingContent;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.PushedManifest;
import dev.kiln.repository.RepositoryCommand.Referrers;
import java.io.IOException;
import java.io.InputStream;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Who says something about a manifest: signatures, bills of materials (distribution specification, "Listing Referrers"). The
 * repository's owner knows who they are; their annotations are read from the manifests themselves.
 */
final class ReferrerRoutes {
    /** Of an answer, unless one referrer is larger by itself: it takes some tens of times its size while it is made. */
    private static final int MAX_BYTES = 256 * 1024;

    /** What is read for one answer. */
    private static final long MAX_READ = 4L * ImageManifest.MAX_SIZE;

    private static final int ROOM = 1024;
    private static final String FILTER = "artifactType";
    private static final String LAST = "last";

    private final SettlingContent content;
    private final Pushing pushing;

    /** Answers that may be larger than that are made one at a time. */
    private final Lock large = new ReentrantLock();

    ReferrerRoutes(SettlingContent content, Pushing pushing) {
        this.content = content;
        this.pushing = pushing;
    }

    /** No referrers. */
    static HttpResponse none() {
        return render(index(), List.of());
    }

    /** {@code GET /v2/<name>/referrers/<digest>[?artifactType=<type>][&last=<digest>]} */
    CompletionStage<HttpResponse> list(Call call, RepositoryName name, Digest subject) {
        Optional<String> type = call.query().one(FILTER).filter(text -> !text.isEmpty());
        Optional<Digest> last = call.query().one(LAST).map(UploadRoutes::digest);
        pushing.allowSettling(call);
        return pushing.repositories()
                .referrers(name, subject, type, last)
                .thenCompose(page -> read(call.path(), page, type)
                        .exceptionallyCompose(failure -> isLate(failure)
                                ? shown(page).thenCompose(waited -> read(call.path(), page, type))
                                : CompletableFuture.failedFuture(failure)));
    }

    private CompletionStage<HttpResponse> read(String path, Referrers page, Optional<String> type) {
        return CompletableFuture.supplyAsync(() -> answer(path, page, type), pushing.blocking());
    }

    private static boolean isLate(Throwable failure) {
        return failure.getCause() instanceof Problem problem && problem.getCause() instanceof NoSuchFileException;
    }

    /** Waits for all of them at once: a page takes no longer than one manifest. */
    private CompletionStage<Boolean> shown(Referrers page) {
        return CompletableFuture.allOf(page.manifests().stream()
                        .map(manifest -> content.size(manifest.digest()).toCompletableFuture())
                        .toArray(CompletableFuture<?>[]::new))
                .handle((all, failure) -> failure == null);
    }

    private HttpResponse answer(String path, Referrers page, Optional<String> type) {
        if (page.manifests().stream().allMatch(m -> m.descriptor().size() <= MAX_BYTES)) {
            return page(path, page.manifests(), page.more(), type);
        }
        large.lock();
        try {
            return page(path, page.manifests(), page.more(), type);
        } finally {
            large.unlock();
        }
    }

    private HttpResponse page(String path, List<PushedManifest> manifests, boolean more, Optional<String> type) {
        ObjectNode index = index();
        ArrayNode listed = index.withArray("manifests");
        long bytes = ROOM;
        long read = 0;
        boolean cut = more;
        Optional<Digest> end = Optional.empty();
        for (PushedManifest manifest : manifests) {
            read += manifest.descriptor().size();
            if (read > MAX_READ && end.isPresent()) {
                cut = true;
                break;
            }
            ObjectNode descriptor = descriptor(manifest);
            annotations(manifest.digest(), descriptor);
            long size = ErrorResponses.bytes(descriptor).length + 1L;
            // One that is larger than an answer by itself is listed all the same.
            if (bytes + size > MAX_BYTES && end.isPresent()) {
                cut = true;
                break;
            }
            bytes += size;
            listed.add(descriptor);
            end = Optional.of(manifest.digest());
        }
        List<HttpHeader> headers = new ArrayList<>();
        type.ifPresent(applied -> headers.add(Headers.of("OCI-Filters-Applied", FILTER)));
        if (cut && end.isPresent()) {
            String filter = type.map(text -> FILTER + "=" + URLEncoder.encode(text, StandardCharsets.UTF_8) + "&")
                    .orElse("");
            headers.add(Headers.of(
                    "Link",
                    "<" + path + "?" + filter + LAST + "="
                            + URLEncoder.encode(end.get().value(), StandardCharsets.UTF_8) + ">; rel=\"next\""));
        }
        return render(index, headers);
    }

    private static ObjectNode descriptor(PushedManifest manifest) {
        ObjectNode descriptor = JsonNodeFactory.instance
                .objectNode()
                .put("mediaType", manifest.descriptor().mediaType())
                .put("digest", manifest.digest().value())
                .put("size", manifest.descriptor().size());
        manifest.artifactType().ifPresent(type -> descriptor.put(FILTER, type));
        return descriptor;
    }

    private void annotations(Digest digest, ObjectNode descriptor) {
        try (InputStream in = content.content().blobs().open(digest)) {
            Map<String, String> all = ImageManifest.annotations(in);
            if (!all.isEmpty()) {
                all.forEach(descriptor.putObject("annotations")::put);
            }
        } catch (NoSuchFileException e) {
            throw new Problem(ProblemCode.UNAVAILABLE, "a referrer does not show in the content store: try again", e);
        } catch (IOException e) {
            throw new Problem(ProblemCode.UNAVAILABLE, "could not read the content store: try again", e);
        }
    }

    private static ObjectNode index() {
        ObjectNode index =
                JsonNodeFactory.instance.objectNode().put("schemaVersion", 2).put("mediaType", MediaTypes.OCI_INDEX);
        index.putArray("manifests");
        return index;
    }

    private static HttpResponse render(ObjectNode index, List<HttpHeader> headers) {
        List<HttpHeader> all = new ArrayList<>(headers);
        all.add(Headers.NO_SNIFF);
        all.add(Headers.NO_STORE);
        return HttpResponse.create()
                .withHeaders(all)
                .withEntity(HttpEntities.create(
                        ManifestRoutes.contentType(MediaTypes.OCI_INDEX), ErrorResponses.bytes(index)));
    }
}
