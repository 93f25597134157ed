package dev.kiln.http.registry;

import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.concurrent.atomic.AtomicLong;

/** How many bytes some uploads may bring together. Thread-safe. */
final class Allowance {
    private static final int CONTENT_TOO_LARGE = 413;
    /** What a file or folder takes, however small it is. */
    private static final int LEAST = 4096;

    private final long bytes;
    private final AtomicLong left;

    private Allowance(long bytes) {
        this.bytes = bytes;
        this.left = new AtomicLong(bytes);
    }

    static Allowance of(long bytes) {
        return new Allowance(bytes);
    }

    /** As many as there is space for. */
    static Allowance unlimited() {
        return new Allowance(Long.MAX_VALUE);
    }

    /** As {@link #spend}, for a file or folder that is about to be made. */
    void spendOne() {
        spend(LEAST);
    }

    /** Fails with a {@link Problem} when that is more than is left; from then on always. */
    void spend(long received) {
        if (left.addAndGet(-received) < 0) {
            throw new Problem(
                    ProblemCode.SIZE_INVALID,
                    CONTENT_TOO_LARGE,
                    "more than the " + bytes + " bytes have come that this build may push, which are twice its"
                            + " build.max-output");
        }
    }
}
