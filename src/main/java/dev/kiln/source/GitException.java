package dev.kiln.source;

/**
 * Git gave no usable answer. The message is one line without credentials, and there is no cause: the messages of libraries
 * repeat addresses, and a log prints causes too.
 */
final class GitException extends Exception {
    private static final long serialVersionUID = 1L;

    private final boolean repositoryUnknown;

    private GitException(boolean repositoryUnknown, String message) {
        super(message);
        this.repositoryUnknown = repositoryUnknown;
    }

    static GitException repositoryUnknown(String message) {
        return new GitException(true, message);
    }

    static GitException unavailable(String message) {
        return new GitException(false, message);
    }

    /** Whether git said, definitely, that there is no such repository; else it may be there another time. */
    boolean isRepositoryUnknown() {
        return repositoryUnknown;
    }
}
