package dev.kiln.worker.output;

import dev.kiln.blob.BlobStore;
import dev.kiln.blob.StagedBlob;
import dev.kiln.blob.StagedBlob.DigestMismatchException;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.zip.ZipException;

/** Copies one image's blobs into the store, each checked and each once, within a limit for all. Memory is one buffer. */
final class Intake {
    private final BlobStore store;
    private final long limit;
    private final byte[] buffer = new byte[256 * 1024];
    private final Map<Digest, Long> taken = new HashMap<>();
    private long total;

    Intake(BlobStore store, long limit) {
        this.store = store;
        this.limit = limit;
    }

    /**
     * Publishes the blob {@code digest} from what {@code source} opens.
     *
     * @return its size in bytes
     * @throws OutputRejectedException when the bytes are not the digest's or the image is too large
     */
    long take(Digest digest, Source source) throws IOException, OutputRejectedException {
        Long known = taken.get(digest);
        if (known != null) {
            return known;
        }
        try (InputStream in = source.open();
                StagedBlob blob = store.stage()) {
            for (int n = read(in, digest); n >= 0; n = read(in, digest)) {
                total += n;
                if (total > limit) {
                    throw tooLarge();
                }
                blob.out().write(buffer, 0, n);
            }
            blob.commit(digest);
            taken.put(digest, blob.size());
            return blob.size();
        } catch (DigestMismatchException e) {
            throw new OutputRejectedException("the image's blob " + digest + " is damaged: " + e.getMessage(), e);
        }
    }

    /** Refuses an image whose blobs are too large together, before any of them is copied. */
    void checkTotal(Collection<Descriptor> blobs) throws OutputRejectedException {
        long sum = 0;
        for (Descriptor blob : Set.copyOf(blobs)) {
            if (blob.size() > limit - sum) {
                throw tooLarge();
            }
            sum += blob.size();
        }
    }

    /** The store's errors pass as they are; those of a broken compressed stream are the build's fault. */
    private int read(InputStream in, Digest digest) throws IOException, OutputRejectedException {
        try {
            return in.read(buffer);
        } catch (ZipException | EOFException e) {
            throw new OutputRejectedException("the layer " + digest + " is not valid gzip", e);
        }
    }

    private OutputRejectedException tooLarge() {
        return new OutputRejectedException(
                "the image is larger than the " + limit + " bytes that build.max-output allows");
    }

    interface Source {
        InputStream open() throws IOException, OutputRejectedException;
    }
}
