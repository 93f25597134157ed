package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.OutputStream;

/**
 * Bytes on their way into an upload session. Write to {@link #out}, then {@link #commit} or {@link #finish}; either may be
 * repeated where it failed for what the session has before these bytes. Closing without either leaves nothing behind. Used by
 * one thread at a time.
 */
public interface UploadChunk extends AutoCloseable {
    /** Where the bytes go. Buffered. Fails with a {@link LowOnSpaceException} once a disk is below its limit. */
    OutputStream out();

    /** Bytes written so far. */
    long size();

    /**
     * Acknowledges the bytes: flushed to disk before it returns.
     *
     * @return the session's new offset
     * @throws Uploads.OffsetException when another writer was first; nothing is added
     * @throws Uploads.NoSuchUploadException when the session has ended meanwhile
     */
    long commit() throws IOException;

    /**
     * Adds the bytes and makes the whole a blob, as {@link Uploads#finish}. When that fails, the session is as it was
     * without these bytes.
     *
     * @throws Uploads.NoSuchUploadException when the session has ended meanwhile
     * @throws StagedBlob.DigestMismatchException when the bytes are not {@code expected}'s
     */
    Descriptor finish(Digest expected) throws IOException;

    @Override
    void close() throws IOException;
}
