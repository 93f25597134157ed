package dev.kiln.source;

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
final class MemoryBlobStore implements BlobStore {
    final Map<Digest, byte[]> blobs = new ConcurrentHashMap<>();
    volatile boolean full;

    @Override
    public OptionalLong size(Digest digest) {
        return blobs.containsKey(digest) ? OptionalLong.of(blobs.get(digest).length) : OptionalLong.empty();
    }

    @Override
    public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
        throw new UnsupportedOperationException();
    }

    @Override
    public InputStream open(Digest digest) throws IOException {
        byte[] bytes = blobs.get(digest);
        if (bytes == null) {
            throw new NoSuchFileException(digest.toString());
        }
        return new ByteArrayInputStream(bytes);
    }

    @Override
    public StagedBlob stage() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        OutputStream out = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                if (full) {
                    throw new IOException("No space left on device");
                }
                bytes.write(b);
            }
        };
        return new StagedBlob() {
            @Override
            public OutputStream out() {
                return out;
            }

            @Override
            public long size() {
                return bytes.size();
            }

            @Override
            public void commit(Digest expected) {
                blobs.put(expected, bytes.toByteArray());
            }

            @Override
            public Digest commit() {
                Digest digest = Digest.sha256(bytes.toByteArray());
                commit(digest);
                return digest;
            }

            @Override
            public void close() {
                // nothing to let go of
            }
        };
    }

    @Override
    public long free() {
        return Long.MAX_VALUE;
    }
}
