package dev.kiln.worker.output;

import dev.kiln.blob.BlobStore;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.util.List;
import java.util.OptionalLong;

/** What is in the store, by the names that blobs have in an image layout. */
record StoredFiles(BlobStore store) implements ImageFiles {
    private static final String BLOBS = "blobs/";

    /** It was there when its push was answered: what is not is the store's fault, never the image's. */
    @Override
    public boolean has(String name) {
        return true;
    }

    @Override
    public long size(String name) throws IOException {
        OptionalLong size = store.size(digest(name));
        if (size.isEmpty()) {
            // Opening waits for what another node has put there.
            open(name).close();
            size = store.size(digest(name));
        }
        return size.orElseThrow(() -> new NoSuchFileException(digest(name).value()));
    }

    @Override
    public InputStream open(String name) throws IOException {
        return store.open(digest(name));
    }

    private static Digest digest(String name) {
        return new Digest(name.substring(BLOBS.length()).replace('/', ':'));
    }

    @Override
    public List<String> names() {
        return List.of();
    }

    @Override
    public void close() {
        // Nothing is open between two calls.
    }
}
