package dev.kiln.http.registry;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.ResponseEntity;
import akka.http.javadsl.model.StatusCodes;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.Links;
import dev.kiln.blob.SettlingContent;
import dev.kiln.http.wire.ByteRange;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.EntityTags;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.repository.Pushes;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;

/** Blobs, each only through a repository that has a link to it, of either kind: a manifest is a blob too. */
final class BlobRoutes {
    /** Who pushed it may delete it. */
    private static final HttpHeader REVALIDATE = Headers.of("Cache-Control", "no-cache");

    private static final HttpHeader ACCEPT_RANGES = Headers.of("Accept-Ranges", "bytes");

    private final SettlingContent content;
    private final Executor blocking;
    private final Pushing pushing;

    /** What is there is remembered for a moment: clients ask for one layer with HEAD and several ranges in a row. */
    private final Cache<Key, Long> sizes = Caffeine.newBuilder()
            .maximumSize(10_000)
            .expireAfterWrite(Duration.ofSeconds(5))
            .build();

    private record Key(RepositoryName repository, Digest digest) {}

    BlobRoutes(SettlingContent content, Executor blocking, Pushing pushing) {
        this.content = content;
        this.blocking = blocking;
        this.pushing = pushing;
    }

    /** @param pushes whether clients push to this repository */
    CompletionStage<HttpResponse> get(Call call, RepositoryName repository, Digest digest, boolean pushes) {
        Key key = new Key(repository, digest);
        Long known = sizes.getIfPresent(key);
        if (known != null) {
            return CompletableFuture.completedFuture(render(call, digest, known, Headers.IMMUTABLE));
        }
        pushing.allowSettling(call);
        CompletionStage<Boolean> found = pushes
                ? CompletableFuture.supplyAsync(() -> used(key), blocking).thenCompose(link -> ofPush(key, link))
                : built(key);
        return found.thenCompose(pushed -> content.size(digest).thenApply(size -> {
                    if (!pushed) {
                        sizes.put(key, size);
                    }
                    return render(call, digest, size, pushed ? REVALIDATE : Headers.IMMUTABLE);
                }))
                .exceptionally(failure -> {
                    throw problem(failure);
                });
    }

    /** False, for it was built; fails where it was not. */
    private CompletionStage<Boolean> built(Key key) {
        return content.link(key.repository(), key.digest()).thenApply(link -> {
            if (link.isEmpty() || isPushed(link.get())) {
                throw unknown();
            }
            return false;
        });
    }

    /** Who is told that a pushed blob is there may be about to push a manifest that refers to it. */
    private Optional<Links.Link> used(Key key) {
        try {
            Optional<Links.Link> link = content.content().links().find(key.repository(), key.digest());
            return link.isPresent() && isPushed(link.get())
                    ? pushing.content().useAsBlob(key.repository(), key.digest())
                    : link;
        } catch (IOException e) {
            throw new CompletionException(e);
        }
    }

    /**
     * Whether a client pushed it. A link that is missing or a manifest's is confirmed by the repository's owner: what a
     * manifest needs is likely to be there though its link does not show yet, and a manifest that was deleted is gone though
     * its link is not. The link is waited for all the same: a manifest may name what only another repository has.
     */
    private CompletionStage<Boolean> ofPush(Key key, Optional<Links.Link> link) {
        if (link.isPresent() && (!isPushed(link.get()) || link.get().kind() == Links.Kind.BLOB)) {
            return CompletableFuture.completedFuture(isPushed(link.get()));
        }
        return isNeeded(key)
                .thenCompose(needed -> needed
                        ? content.awaitLink(key.repository(), key.digest())
                        : CompletableFuture.completedFuture(Optional.empty()))
                .thenCompose(shown ->
                        shown.isPresent() ? CompletableFuture.completedFuture(isPushed(shown.get())) : late(key));
    }

    private CompletionStage<Boolean> isNeeded(Key key) {
        return pushing.repositories()
                .manifest(key.repository(), key.digest())
                .thenCompose(manifest -> manifest.isPresent()
                        ? CompletableFuture.completedFuture(true)
                        : pushing.repositories()
                                .user(key.repository(), key.digest())
                                .thenApply(Optional::isPresent));
    }

    private static boolean isPushed(Links.Link link) {
        return link.origin().equals(Pushes.ORIGIN);
    }

    /** What another node has published shows a moment late. */
    private CompletionStage<Boolean> late(Key key) {
        return content.link(key.repository(), key.digest())
                .thenApplyAsync(
                        link -> {
                            boolean pushed = link.isPresent() && isPushed(link.get());
                            if (link.isEmpty()
                                    || (pushed
                                            && used(key).map(Links.Link::kind).orElse(Links.Kind.MANIFEST)
                                                    != Links.Kind.BLOB)) {
                                throw unknown();
                            }
                            return pushed;
                        },
                        blocking);
    }

    private static Problem unknown() {
        return new Problem(ProblemCode.BLOB_UNKNOWN, "this repository has no blob of that digest");
    }

    private static RuntimeException problem(Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
        if (cause instanceof NoSuchFileException) {
            return new Problem(
                    ProblemCode.BLOB_UNKNOWN, "this repository's blob of that digest is not in the store any more");
        }
        return cause instanceof IOException
                ? new Problem(ProblemCode.UNAVAILABLE, "could not read the content store: try again", cause)
                : new CompletionException(cause);
    }

    private HttpResponse render(Call call, Digest digest, long size, HttpHeader caching) {
        String tag = '"' + digest.value() + '"';
        List<HttpHeader> headers = new ArrayList<>(8);
        headers.add(Headers.of("Docker-Content-Digest", digest.value()));
        headers.add(Headers.of("ETag", tag));
        headers.add(caching);
        headers.add(ACCEPT_RANGES);
        headers.add(Headers.NO_SNIFF);
        if (EntityTags.named(call.headers("if-none-match"), tag)) {
            return HttpResponse.create().withStatus(StatusCodes.NOT_MODIFIED).withHeaders(headers);
        }
        ByteRange range = range(call, tag, size);
        if (range instanceof ByteRange.Unsatisfiable) {
            return ErrorResponses.of(
                    ProblemCode.REQUEST_INVALID,
                    StatusCodes.RANGE_NOT_SATISFIABLE.intValue(),
                    "the blob has " + size + " bytes, none of them in that range",
                    Map.of(),
                    List.of(Headers.of("Content-Range", "bytes */" + size)));
        }
        if (range instanceof ByteRange.Part part) {
            headers.add(Headers.of("Content-Range", part.contentRange(size)));
            return HttpResponse.create()
                    .withStatus(StatusCodes.PARTIAL_CONTENT)
                    .withHeaders(headers)
                    .withEntity(entity(call, digest, part.offset(), part.length()));
        }
        return HttpResponse.create().withHeaders(headers).withEntity(entity(call, digest, 0, size));
    }

    /** A range means something for GET only (RFC 9110, 14.2), and only if the client's part is of this content. */
    private static ByteRange range(Call call, String tag, long size) {
        List<String> ranges = call.headers("range");
        if (!call.isGet() || ranges.size() != 1) {
            return new ByteRange.Whole();
        }
        boolean same = call.header("if-range").map(v -> v.strip().equals(tag)).orElse(true);
        return same ? ByteRange.parse(ranges.get(0), size) : new ByteRange.Whole();
    }

    private ResponseEntity entity(Call call, Digest digest, long offset, long length) {
        if (length == 0) {
            return HttpEntities.create(ContentTypes.APPLICATION_OCTET_STREAM, ByteString.emptyByteString());
        }
        // Akka would open a HEAD's stream only to cancel it.
        Source<ByteString, ?> bytes =
                call.isHead() ? Source.empty() : content.content().blobs().read(digest, offset, length);
        return HttpEntities.create(ContentTypes.APPLICATION_OCTET_STREAM, length, bytes);
    }
}
