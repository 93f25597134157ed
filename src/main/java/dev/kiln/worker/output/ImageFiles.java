package dev.kiln.worker.output;

import dev.kiln.oci.ImageManifest;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;

/**
 * The files that a build left, in a directory or in an archive, by names such as {@code blobs/sha256/abc}. Nothing that
 * is reached through it lies outside of the output.
 */
interface ImageFiles extends Closeable {
    boolean has(String name) throws IOException, OutputRejectedException;

    /** In bytes. */
    long size(String name) throws IOException, OutputRejectedException;

    /** The caller closes it. It ends after {@link #size} bytes or earlier. */
    InputStream open(String name) throws IOException, OutputRejectedException;

    /** Some of the names at the top, for an error message. */
    List<String> names();

    /** A JSON document, whole. */
    default byte[] document(String name) throws IOException, OutputRejectedException {
        if (size(name) > ImageManifest.MAX_SIZE) {
            throw new OutputRejectedException(name + " is larger than 4 MiB");
        }
        try (InputStream in = open(name)) {
            return in.readNBytes(ImageManifest.MAX_SIZE);
        }
    }
}
