package dev.kiln.http.registry;

import dev.kiln.blob.LowOnSpaceException;
import dev.kiln.blob.StagedBlob.DigestMismatchException;
import dev.kiln.blob.Uploads.NoSuchUploadException;
import dev.kiln.blob.Uploads.TooManyChunksException;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.CompletionException;

/** What a client is told of an upload that failed. */
final class UploadFailures {
    private UploadFailures() {}

    static Problem unknown() {
        return new Problem(
                ProblemCode.BLOB_UPLOAD_UNKNOWN,
                "there is no such upload in this repository: it ended or expired, begin a new one");
    }

    /** Whether the client broke off, rather than that its bytes could not be taken. */
    static boolean isBrokenOff(Throwable failure) {
        return !(cause(failure) instanceof IOException) && !(cause(failure) instanceof Problem);
    }

    /** What is wrong, without what it was carried in. */
    static Throwable cause(Throwable failure) {
        Throwable cause = failure;
        while ((cause instanceof CompletionException || cause instanceof UncheckedIOException)
                && cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    static Problem problem(Throwable failure) {
        Throwable cause = cause(failure);
        if (cause instanceof Problem problem) {
            return problem;
        }
        if (cause instanceof NoSuchUploadException) {
            return unknown();
        }
        if (cause instanceof TooManyChunksException) {
            return new Problem(ProblemCode.BLOB_UPLOAD_INVALID, cause.getMessage());
        }
        if (cause instanceof DigestMismatchException) {
            return new Problem(ProblemCode.DIGEST_INVALID, cause.getMessage());
        }
        if (cause instanceof LowOnSpaceException) {
            return new Problem(ProblemCode.UNAVAILABLE, cause.getMessage(), cause);
        }
        if (cause instanceof IOException) {
            return new Problem(ProblemCode.UNAVAILABLE, "the content store could not be written: try again", cause);
        }
        return new Problem(ProblemCode.BLOB_UPLOAD_INVALID, "the body did not come whole: send the rest of it");
    }
}
