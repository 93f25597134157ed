package dev.kiln.source;

/** A revision's source cannot be had. The message is one line for the person who pulls, without credentials or paths of this machine. */
public final class SourceException extends Exception {
    private static final long serialVersionUID = 1L;

    private final Fault fault;

    public SourceException(Fault fault, String message) {
        super(message);
        this.fault = fault;
    }

    public SourceException(Fault fault, String message, Throwable cause) {
        super(message, cause);
        this.fault = fault;
    }

    public Fault fault() {
        return fault;
    }

    /** Whose fault it is, which decides whether trying again can help. */
    public enum Fault {
        /** The revision's own: it will be the same next time. */
        REVISION,
        /** Git's, the disk's or the content store's: another time it may work. */
        INFRASTRUCTURE
    }
}
