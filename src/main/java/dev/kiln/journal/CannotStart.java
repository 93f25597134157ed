package dev.kiln.journal;

/** Something on this machine or in the database keeps the node from starting. The message is one line for its operator. */
public final class CannotStart extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public CannotStart(String message) {
        super(message);
    }

    public CannotStart(String message, Throwable cause) {
        super(message, cause);
    }
}
