package dev.kiln.problem;

/**
 * The one error type that reaches people. The message is one line that names what was attempted, what is wrong and what
 * to do about it; it never holds a secret or a path of this machine. Below status 500 it carries no stack trace: such a
 * problem is an answer, not a fault.
 */
public class Problem extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final ProblemCode code;
    private final int status;

    public Problem(ProblemCode code, String message) {
        this(code, code.status(), message, null);
    }

    public Problem(ProblemCode code, int status, String message) {
        this(code, status, message, null);
    }

    public Problem(ProblemCode code, String message, Throwable cause) {
        this(code, code.status(), message, cause);
    }

    private Problem(ProblemCode code, int status, String message, Throwable cause) {
        super(message, cause, false, status >= 500);
        this.code = code;
        this.status = status;
    }

    public ProblemCode code() {
        return code;
    }

    /** The HTTP status to answer with. */
    public int status() {
        return status;
    }
}
