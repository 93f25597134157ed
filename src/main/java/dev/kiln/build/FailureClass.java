package dev.kiln.build;

/** Whose fault a failure is, which decides whether it is tried again and how long it is remembered. */
public enum FailureClass {
    /** The revision's own fault: remembered for {@code failure-memory} or until retried. */
    SOURCE,
    /** The disk's, git's, the store's or the machine's: tried again with back-off. */
    INFRASTRUCTURE,
    /** It took longer than {@code build.timeout}: remembered like the source's own fault. */
    TIMEOUT,
    /** An operator cancelled it: remembered until retried. */
    CANCELLED
}
