package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.locks.LockSupport;

/**
 * A store for those on a blocking thread who open only what an event or a manifest names: what another node has published
 * and does not show yet is waited for. Thread-safe.
 */
public final class PatientBlobStore implements BlobStore {
    private static final Duration PAUSE = Duration.ofMillis(200);

    private final BlobStore store;
    private final Duration settle;

    /** @param settle how long a blob is waited for */
    public PatientBlobStore(BlobStore store, Duration settle) {
        this.store = store;
        this.settle = settle;
    }

    @Override
    public OptionalLong size(Digest digest) throws IOException {
        return store.size(digest);
    }

    @Override
    public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
        return store.read(digest, offset, length);
    }

    @Override
    public InputStream open(Digest digest) throws IOException {
        long deadline = System.nanoTime() + settle.toNanos();
        while (true) {
            try {
                return store.open(digest);
            } catch (NoSuchFileException e) {
                if (System.nanoTime() - deadline >= 0 || Thread.currentThread().isInterrupted()) {
                    throw e;
                }
                LockSupport.parkNanos(PAUSE.toNanos());
            }
        }
    }

    @Override
    public StagedBlob stage() throws IOException {
        return store.stage();
    }

    @Override
    public long free() throws IOException {
        return store.free();
    }
}
