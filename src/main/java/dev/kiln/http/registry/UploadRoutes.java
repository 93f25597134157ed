package dev.kiln.http.registry;

import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import dev.kiln.blob.UploadChunk;
import dev.kiln.blob.Uploads;
import dev.kiln.blob.Uploads.OffsetException;
import dev.kiln.http.registry.RegistryPath.Upload;
import dev.kiln.http.registry.SettlingUploads.Work;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Blobs on their way in (distribution specification, "Pushing blobs"). Any node goes on with an upload of any other. */
final class UploadRoutes {
    private static final Logger LOG = LoggerFactory.getLogger(UploadRoutes.class);

    /** For a large blob to be hashed and flushed after its last byte. */
    private static final Duration FINISHING = Duration.ofMinutes(15);

    private final Pushing pushing;
    private final Allowance allowance;
    private final UploadBody body;
    private final SettlingUploads settling;

    /** @param allowance of all these uploads together */
    UploadRoutes(Pushing pushing, Allowance allowance) {
        this.pushing = pushing;
        this.allowance = allowance;
        this.body = new UploadBody(pushing.materializer(), allowance);
        this.settling = new SettlingUploads(pushing);
    }

    private Uploads uploads() {
        return pushing.content().uploads();
    }

    /** {@code POST /v2/<name>/blobs/uploads/}, without {@code mount} */
    CompletionStage<HttpResponse> begin(Call call, RepositoryName name) {
        allowance.spendOne();
        Optional<Digest> digest = call.query().one("digest").map(UploadRoutes::digest);
        String algorithm = call.query()
                .one("digest-algorithm")
                .map(UploadRoutes::known)
                .or(() -> digest.map(Digest::algorithm))
                .orElse("sha256");
        return settling.once(() -> uploads().open(name, algorithm)).thenCompose(id -> {
            Upload upload = new Upload(name, id);
            return digest.isEmpty()
                    ? CompletableFuture.completedFuture(progress(call, StatusCodes.ACCEPTED.intValue(), upload, 0))
                    : whole(call, upload, digest.get());
        });
    }

    /** {@code POST /v2/<name>/blobs/uploads/?digest=<digest>}: all of it in one request, or nothing of it. */
    private CompletionStage<HttpResponse> whole(Call call, Upload upload, Digest digest) {
        return finish(call, upload, new Place(0, false), Long.MAX_VALUE, digest).exceptionallyCompose(failure -> {
            pushing.blocking().execute(() -> {
                try {
                    uploads().cancel(upload.name(), upload.id());
                } catch (IOException e) {
                    LOG.debug("an upload could not be cancelled; it expires", e);
                }
            });
            return CompletableFuture.failedFuture(UploadFailures.problem(failure));
        });
    }

    /** {@code GET|HEAD|PATCH|PUT|DELETE /v2/<name>/blobs/uploads/<id>} */
    CompletionStage<HttpResponse> handle(Call call, Upload upload) {
        pushing.allowSettling(call);
        if (call.isRead()) {
            return settling.offset(upload)
                    .thenApply(offset -> progress(call, StatusCodes.NO_CONTENT.intValue(), upload, offset));
        }
        if (call.isDelete()) {
            return settling.shown(() -> {
                if (!uploads().cancel(upload.name(), upload.id())) {
                    throw UploadFailures.unknown();
                }
                return HttpResponse.create().withStatus(StatusCodes.NO_CONTENT).withHeaders(List.of(Headers.NO_STORE));
            });
        }
        Supplier<CompletionStage<HttpResponse>> take;
        if (call.isPatch()) {
            take = () -> patch(call, upload);
        } else if (call.isPut()) {
            take = () -> put(call, upload);
        } else {
            return CompletableFuture.completedFuture(ErrorResponses.of(
                    ProblemCode.UNSUPPORTED,
                    "an upload takes chunks by PATCH and ends with PUT",
                    List.of(Headers.allow("GET, HEAD, PATCH, PUT, DELETE"))));
        }
        return take.get().exceptionally(failure -> {
            if (UploadFailures.cause(failure) instanceof OffsetException wrong) {
                return outOfOrder(call, upload, wrong.offset());
            }
            throw UploadFailures.problem(failure);
        });
    }

    private CompletionStage<HttpResponse> patch(Call call, Upload upload) {
        Optional<ContentRange> range = range(call);
        return place(call, upload, range)
                .thenCompose(from -> append(call, upload, from, range))
                .thenApply(offset -> progress(call, StatusCodes.ACCEPTED.intValue(), upload, offset));
    }

    private CompletionStage<HttpResponse> put(Call call, Upload upload) {
        Digest digest = call.query()
                .one("digest")
                .map(UploadRoutes::digest)
                .orElseThrow(() -> new Problem(
                        ProblemCode.DIGEST_INVALID, "an upload ends with the parameter digest, of the whole blob"));
        Optional<ContentRange> range = range(call);
        if (call.request().entity().isKnownEmpty()) {
            call.allow(FINISHING);
            return settling.offset(upload)
                    .thenCompose(offset -> range.isPresent() && range.get().first() != offset
                            ? CompletableFuture.completedFuture(outOfOrder(call, upload, offset))
                            : end(call, upload, offset, digest));
        }
        return place(call, upload, range)
                .thenCompose(from -> finish(
                        call, upload, from, range.map(ContentRange::length).orElse(Long.MAX_VALUE), digest));
    }

    private CompletionStage<HttpResponse> end(Call call, Upload upload, long seen, Digest digest) {
        return settling.ending(
                upload, seen, () -> created(call, upload.name(), uploads().finish(upload.name(), upload.id(), digest)));
    }

    /**
     * Where a chunk begins.
     *
     * @param from its first byte, as far as this node sees
     * @param atEnd whether that is the end of the upload and no more is known of it
     */
    private record Place(long from, boolean atEnd) {}

    /** Where its range says, or else at the end of what is there. */
    private CompletionStage<Place> place(Call call, Upload upload, Optional<ContentRange> range) {
        OptionalLong length = call.request().entity().getContentLengthOption();
        if (range.isPresent()
                && length.isPresent()
                && length.getAsLong() != range.get().length()) {
            throw new Problem(
                    ProblemCode.SIZE_INVALID,
                    "the body has " + length.getAsLong() + " bytes, and Content-Range says "
                            + range.get().length());
        }
        return range.isPresent()
                ? CompletableFuture.completedFuture(new Place(range.get().first(), false))
                : settling.offset(upload).thenApply(offset -> new Place(offset, true));
    }

    /** What came of a body that breaks off is kept: the client asks how much that is, and goes on there. */
    private CompletionStage<Long> append(Call call, Upload upload, Place place, Optional<ContentRange> range) {
        long most = range.map(ContentRange::length).orElse(Long.MAX_VALUE);
        return take(call, upload, place, most, (chunk, size, failure) -> {
            if (failure != null && !UploadFailures.isBrokenOff(failure)) {
                throw UploadFailures.problem(failure);
            }
            if (failure == null && range.isPresent() && size != most) {
                throw wrongSize(size, most);
            }
            return chunk.size() == 0 ? place.from() : chunk.commit();
        });
    }

    private CompletionStage<HttpResponse> finish(Call call, Upload upload, Place place, long most, Digest digest) {
        return take(call, upload, place, most, (chunk, size, failure) -> {
            if (failure != null) {
                throw UploadFailures.problem(failure);
            }
            if (most != Long.MAX_VALUE && size != most) {
                throw wrongSize(size, most);
            }
            return created(call, upload.name(), chunk.finish(digest));
        });
    }

    private static Problem wrongSize(long size, long most) {
        return new Problem(ProblemCode.SIZE_INVALID, "the body has " + size + " bytes, and Content-Range says " + most);
    }

    /** What becomes of a chunk. */
    private interface Taking<A> {
        /** @param failure of the body, or null */
        A end(UploadChunk chunk, Long size, Throwable failure) throws IOException;
    }

    private <A> CompletionStage<A> take(Call call, Upload upload, Place place, long most, Taking<A> taking) {
        return chunk(upload, place)
                .thenCompose(chunk -> receive(call, chunk, most)
                        .handle((size, failure) -> {
                            Work<A> end = () -> taking.end(chunk, size, failure);
                            return place.atEnd() ? settling.ending(upload, place.from(), end) : settling.ended(end);
                        })
                        .thenCompose(answer -> answer)
                        .whenCompleteAsync((answer, failure) -> close(chunk), pushing.blocking()));
    }

    private static void close(UploadChunk chunk) {
        try {
            chunk.close();
        } catch (IOException e) {
            LOG.debug("what is left of a chunk could not be removed", e);
        }
    }

    private CompletionStage<UploadChunk> chunk(Upload upload, Place place) {
        allowance.spendOne();
        return settling.shown(() -> place.atEnd()
                ? uploads().append(upload.name(), upload.id())
                : uploads().append(upload.name(), upload.id(), place.from()));
    }

    private CompletionStage<Long> receive(Call call, UploadChunk chunk, long most) {
        return body.into(chunk, call.body(), most).thenApply(size -> {
            call.allow(FINISHING);
            return size;
        });
    }

    private static Optional<ContentRange> range(Call call) {
        return call.header("content-range")
                .map(text -> ContentRange.parse(text)
                        .orElseThrow(() -> new Problem(
                                ProblemCode.BLOB_UPLOAD_INVALID,
                                StatusCodes.RANGE_NOT_SATISFIABLE.intValue(),
                                "Content-Range is not of the form <first byte>-<last byte>")));
    }

    static Digest digest(String text) {
        return Digest.parse(text)
                .orElseThrow(() -> new Problem(
                        ProblemCode.DIGEST_INVALID,
                        "the digest is not of the form sha256:<64 lower-case hex digits> or sha512:<128>"));
    }

    private static String known(String algorithm) {
        if (!algorithm.equals("sha256") && !algorithm.equals("sha512")) {
            throw new Problem(ProblemCode.DIGEST_INVALID, "digests are sha256 or sha512 here");
        }
        return algorithm;
    }

    private static HttpResponse progress(Call call, int status, Upload upload, long offset) {
        return HttpResponse.create().withStatus(status).withHeaders(headers(call, upload, offset));
    }

    /** @param offset how many bytes are acknowledged; a range cannot say none, and so none is said as one is */
    private static List<HttpHeader> headers(Call call, Upload upload, long offset) {
        return List.of(
                Headers.of(
                        "Location", RegistryPath.root(call.path()) + upload.name() + "/blobs/uploads/" + upload.id()),
                Headers.of("Range", "0-" + Math.max(0, offset - 1)),
                Headers.of("Docker-Upload-UUID", upload.id()),
                Headers.NO_STORE);
    }

    private static HttpResponse outOfOrder(Call call, Upload upload, long offset) {
        List<HttpHeader> headers = new ArrayList<>(headers(call, upload, offset));
        headers.remove(Headers.NO_STORE);
        return ErrorResponses.of(
                ProblemCode.BLOB_UPLOAD_INVALID,
                StatusCodes.RANGE_NOT_SATISFIABLE.intValue(),
                "the upload goes on at byte " + offset,
                Map.of(),
                headers);
    }

    static HttpResponse created(Call call, RepositoryName name, Descriptor blob) {
        return HttpResponse.create()
                .withStatus(StatusCodes.CREATED)
                .withHeaders(List.of(
                        Headers.of("Location", RegistryPath.root(call.path()) + name + "/blobs/" + blob.digest()),
                        Headers.of("Docker-Content-Digest", blob.digest().value()),
                        Headers.NO_STORE));
    }
}
