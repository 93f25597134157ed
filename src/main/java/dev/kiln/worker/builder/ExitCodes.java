package dev.kiln.worker.builder;

/** What a command says by its exit code, as shells and sysexits.h have it. */
final class ExitCodes {
    /** EX_TEMPFAIL. */
    static final int TEMPORARY = 75;

    static final int NOT_EXECUTABLE = 126;
    static final int NOT_FOUND = 127;

    /** Ended by SIGXFSZ: a file grew beyond the limit. */
    static final int FILE_TOO_LARGE = 128 + 25;

    private ExitCodes() {}

    static boolean bySignal(int code) {
        return code >= 129 && code <= 159;
    }
}
