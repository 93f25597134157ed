package dev.kiln.worker.output;

/**
 * The build's output is not an image that Kiln can take: the fault of the build's source. The message is one line of
 * printable ASCII for the person who pulls, and names no path of the server.
 */
public final class OutputRejectedException extends Exception {
    private static final long serialVersionUID = 1L;

    private static final int MAX_LENGTH = 500;

    public OutputRejectedException(String message) {
        super(printable(message));
    }

    public OutputRejectedException(String message, Throwable cause) {
        super(printable(message), cause);
    }

    /** Names come from the build: they may hold line ends and terminal escapes, and be very long. */
    private static String printable(String text) {
        String ascii = text.replaceAll("[^ -~]", "?");
        return ascii.length() <= MAX_LENGTH ? ascii : ascii.substring(0, MAX_LENGTH - 3) + "...";
    }
}
