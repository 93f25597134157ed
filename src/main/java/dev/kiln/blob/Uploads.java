package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.util.OptionalLong;

/**
 * Upload sessions: blobs on their way in from clients, which any node of the store can go on with at the byte that was
 * acknowledged last. A session ends when it is finished or cancelled, or some time after its last acknowledged byte. An id
 * may be any text: what is no session of the repository is not found. Thread-safe; blocking.
 */
public interface Uploads {
    /** Begins a session of a blob whose digest will be sha256. @return its id, 128 random bits as lower-case hex */
    default String open(RepositoryName repository) throws IOException {
        return open(repository, "sha256");
    }

    /**
     * Begins a session. What ends with a digest of another algorithm than it began with is read once more.
     *
     * @param algorithm {@code sha256} or {@code sha512}
     * @return its id, 128 random bits as lower-case hex
     */
    String open(RepositoryName repository, String algorithm) throws IOException;

    /** How many bytes are acknowledged, or empty when the repository has no such session. */
    OptionalLong offset(RepositoryName repository, String id) throws IOException;

    /**
     * Room for the bytes from {@code from} on. Several writers may be at it at once: the first to end its chunk wins.
     *
     * @throws NoSuchUploadException when the repository has no such session
     * @throws OffsetException when {@code from} is not the offset
     * @throws TooManyChunksException when it has as many chunks as one may have
     * @throws LowOnSpaceException when a disk is below its limit
     */
    UploadChunk append(RepositoryName repository, String id, long from) throws IOException;

    /**
     * As {@link #append(RepositoryName, String, long)}, for bytes that follow on all that was acknowledged before this, also
     * on what another node has taken and what shows only later.
     */
    UploadChunk append(RepositoryName repository, String id) throws IOException;

    /**
     * Makes what is acknowledged a blob of the repository, flushed to disk, and ends the session. After a failure it can be
     * repeated.
     *
     * @throws NoSuchUploadException when the repository has no such session
     * @throws StagedBlob.DigestMismatchException when the bytes are not {@code expected}'s; the session stays as it was
     */
    Descriptor finish(RepositoryName repository, String id, Digest expected) throws IOException;

    /** Ends a session and forgets its bytes. @return false when the repository has no such session */
    boolean cancel(RepositoryName repository, String id) throws IOException;

    /** The repository has no such session: it never had, or it was finished, cancelled, or expired. */
    final class NoSuchUploadException extends IOException {
        private static final long serialVersionUID = 1L;

        NoSuchUploadException() {
            super("there is no such upload in this repository");
        }
    }

    /** Each chunk is a file: one byte at a time would be too many of them. */
    final class TooManyChunksException extends IOException {
        private static final long serialVersionUID = 1L;

        TooManyChunksException(int most) {
            super("the upload has " + most + " chunks, and takes no more: send larger ones");
        }
    }

    /** The bytes do not follow on those that are acknowledged. */
    final class OffsetException extends IOException {
        private static final long serialVersionUID = 1L;

        private final long offset;
        private final boolean late;

        public OffsetException(long offset, boolean late) {
            super("the upload goes on at byte " + offset);
            this.offset = offset;
            this.late = late;
        }

        /** How many bytes are acknowledged, as far as that shows. */
        public long offset() {
            return offset;
        }

        /** Whether more may be acknowledged than shows here yet. */
        public boolean isLate() {
            return late;
        }
    }
}
