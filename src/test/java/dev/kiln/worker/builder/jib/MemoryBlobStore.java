package dev.kiln.worker.builder.jib;

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

/** Blobs in memory. */
final class MemoryBlobStore implements BlobStore {
    final Map<Digest, byte[]> blobs = new ConcurrentHashMap<>();

    Digest put(byte[] bytes) {
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
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        return new StagedBlob() {
            @Override
            public OutputStream out() {
                return out;
            }

            @Override
            public long size() {
                return out.size();
            }

            @Override
            public void commit(Digest expected) throws IOException {
                Digest actual = Digest.of(
                        expected.algorithm(), expected.newMessageDigest().digest(out.toByteArray()));
                if (!actual.equals(expected)) {
                    throw new DigestMismatchException(expected, actual);
                }
                blobs.put(expected, out.toByteArray());
            }

            @Override
            public Digest commit() {
                return put(out.toByteArray());
            }

            @Override
            public void close() {}
        };
    }

    @Override
    public long free() {
        return Long.MAX_VALUE;
    }
}
