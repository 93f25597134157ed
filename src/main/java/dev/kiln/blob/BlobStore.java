package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.util.OptionalLong;

/**
 * Bytes by digest. What can be read has been checked: the only way in is {@link StagedBlob#commit}. All methods block on
 * the disk and belong on a blocking dispatcher, except that a {@link #read} does its work in its own stream.
 */
public interface BlobStore {
    /** The size in bytes of a blob that is here, or empty. */
    OptionalLong size(Digest digest) throws IOException;

    /**
     * The bytes {@code [offset, offset + length)} of a blob. The stream fails when the blob is not here. Fast for large
     * blobs: it seeks, and emits large chunks.
     */
    Source<ByteString, NotUsed> read(Digest digest, long offset, long length);

    /** The whole blob. @throws java.nio.file.NoSuchFileException when it is not here */
    InputStream open(Digest digest) throws IOException;

    /** Room for a new blob, on the file system of the store. */
    StagedBlob stage() throws IOException;

    /** Bytes still free for new blobs. */
    long free() throws IOException;
}
