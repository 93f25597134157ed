package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.OutputStream;

/**
 * A blob on its way in. Write to {@link #out}, then {@link #commit} once; closing without a commit leaves nothing
 * behind. Used by one thread at a time.
 */
public interface StagedBlob extends AutoCloseable {
    /** Where the bytes go. Buffered; counts and hashes what passes. */
    OutputStream out();

    /** Bytes written so far. */
    long size();

    /**
     * Publishes the bytes under {@code expected}, flushed to disk before it returns and atomic: other readers see the
     * whole blob or none. A blob that is already there stays as it is.
     *
     * @throws DigestMismatchException when the bytes are not {@code expected}'s; nothing is published
     */
    void commit(Digest expected) throws IOException;

    /** As {@link #commit}, for bytes whose digest is not known before. @return their sha256 digest */
    Digest commit() throws IOException;

    @Override
    void close() throws IOException;

    /** The bytes are not those that the digest names. */
    final class DigestMismatchException extends IOException {
        private static final long serialVersionUID = 1L;

        public DigestMismatchException(Digest expected, Digest actual) {
            super("the content's digest is " + actual + ", not " + expected);
        }
    }
}
