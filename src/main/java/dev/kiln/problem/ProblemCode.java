package dev.kiln.problem;

/**
 * Every code an error under /v2 can carry: those of the distribution specification ("Error Codes"), and under /api the
 * same words. The default status is what the specification or the clients' behaviour (docs/clients.md) asks for.
 */
public enum ProblemCode {
    BLOB_UNKNOWN(404),
    BLOB_UPLOAD_INVALID(400),
    BLOB_UPLOAD_UNKNOWN(404),
    DENIED(403),
    DIGEST_INVALID(400),
    MANIFEST_BLOB_UNKNOWN(404),
    MANIFEST_INVALID(400),
    MANIFEST_UNKNOWN(404),
    NAME_INVALID(400),
    NAME_UNKNOWN(404),
    SIZE_INVALID(400),
    TOOMANYREQUESTS(429),
    UNAUTHORIZED(401),
    UNAVAILABLE(503),
    UNSUPPORTED(405),
    /** A request that is wrong in itself: a hint, a header or a parameter. Under /v2 this is told as {@link #UNSUPPORTED}. */
    REQUEST_INVALID(400),
    /** Under /api: nothing is known by that id. */
    NOT_FOUND(404),
    /** Under /api: the state of the thing does not allow it. */
    CONFLICT(409),
    INTERNAL(500);

    private final int status;

    ProblemCode(int status) {
        this.status = status;
    }

    /** The HTTP status this code is answered with unless a {@link Problem} says otherwise. */
    public int status() {
        return status;
    }
}
