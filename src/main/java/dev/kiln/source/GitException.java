package dev.kiln.source;

/**
 * Git gave no usable answer. The message is one line without credentials, and there is no cause: the messages of libraries
 * repeat addresses, and a log prints causes too.
 */
final class GitException extends Exception {
    private static final long serialVersionUID = 1L;

    private enum Kind {
        REPOSITORY_UNKNOWN,
        REFUSED,
        UNAVAILABLE
    }

    private final Kind kind;

    private GitException(Kind kind, String message) {
        super(message);
        this.kind = kind;
    }

    static GitException repositoryUnknown(String message) {
        return new GitException(Kind.REPOSITORY_UNKNOWN, message);
    }

    static GitException refused(String message) {
        return new GitException(Kind.REFUSED, message);
    }

    static GitException unavailable(String message) {
        return new GitException(Kind.UNAVAILABLE, message);
    }

    /** Whether git said, definitely, that there is no such repository; else it may be there another time. */
    boolean isRepositoryUnknown() {
        return kind == Kind.REPOSITORY_UNKNOWN;
    }

    /** Whether this server does not take what git has: it will be the same as long as git has the same. */
    boolean isRefused() {
        return kind == Kind.REFUSED;
    }
}
