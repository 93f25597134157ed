package dev.kiln.cluster;

/**
 * Why a node ends by itself.
 *
 * @param text one line for its operator
 * @param exitCode of its process
 */
public record Ending(String text, int exitCode) {
    /** Something is wrong, here or in the configuration. */
    private static final int FAILED = 1;
    /** Nothing is wrong with this node: it is to be started again. */
    private static final int REMOVED = 3;

    public static Ending failed(String text) {
        return new Ending(text, FAILED);
    }

    public static Ending removed(String text) {
        return new Ending(text, REMOVED);
    }
}
