package dev.kiln.testing;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.blob.BlobStore;
import dev.kiln.blob.StagedBlob;
import dev.kiln.oci.Digest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.NoSuchFileException;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;

/** Blobs in memory; can be told to be full. */
public final class MemoryBlobStore implements BlobStore {
    public final Map<Digest, byte[]> blobs = new ConcurrentHashMap<>();
    /** Whether every write fails from now on. */
    public volatile boolean full;

    public Digest put(byte[] bytes) {
        Digest digest = Digest.sha256(bytes);
        blobs.put(digest, bytes);
        return digest;
    }

    @Override
    public OptionalLong size(Digest digest) {
        byte[] bytes = blobs.get(digest);
        return bytes == null ? OptionalLong.empty() : OptionalLong.of(bytes.length);
    }

    @Override
    public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
        throw new UnsupportedOperationException();
    }

    @Override
    public InputStream open(Digest digest) throws IOException {
        byte[] bytes = blobs.get(digest);
        if (bytes == null) {
            throw new NoSuchFileException(digest.value());
        }
        return new ByteArrayInputStream(bytes);
    }

    @Override
    public StagedBlob stage() {
        return new Staged();
    }

    @Override
    public long free() {
        return Long.MAX_VALUE;
    }

    private final class Staged implements StagedBlob {
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public OutputStream out() {
            return new OutputStream() {
                @Override
                public void write(int b) throws IOException {
                    checkSpace();
                    bytes.write(b);
                }

                @Override
                public void write(byte[] some, int offset, int length) throws IOException {
                    checkSpace();
                    bytes.write(some, offset, length);
                }
            };
        }

        private void checkSpace() throws IOException {
            if (full) {
                throw new IOException("No space left on device");
            }
        }

        @Override
        public long size() {
            return bytes.size();
        }

        @Override
        public void commit(Digest expected) throws IOException {
            Digest actual =
                    Digest.of(expected.algorithm(), expected.newMessageDigest().digest(bytes.toByteArray()));
            if (!actual.equals(expected)) {
                throw new DigestMismatchException(expected, actual);
            }
            blobs.put(expected, bytes.toByteArray());
        }

        @Override
        public Digest commit() {
            return put(bytes.toByteArray());
        }

        @Override
        public void close() {}
    }
}
