package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.Locale;
import java.util.Objects;

/** A blob that is being written to the staging folder. sha256 is computed on the way, sha512 by reading once more. */
final class FileStagedBlob implements StagedBlob {
    private static final String SHA256 = "sha256";
    private static final int BUFFER = 128 * 1024;

    /** Any failed write or flush leaves the file's content unknown, so that nothing but closing is left to do. */
    private enum State {
        OPEN,
        COMMITTED,
        FAILED,
        CLOSED
    }

    private final Path file;
    private final BlobLayout layout;
    private final DurableNames names;
    private final FileChannel channel;
    private final MessageDigest sha256 = Digest.sha256(new byte[0]).newMessageDigest();
    private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
    private final Out out = new Out();
    private long size;
    private State state = State.OPEN;

    FileStagedBlob(Path file, BlobLayout layout, DurableNames names) throws IOException {
        this.file = file;
        this.layout = layout;
        this.names = names;
        channel = FileChannel.open(
                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE, StandardOpenOption.READ);
    }

    @Override
    public OutputStream out() {
        return out;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public void commit(Digest expected) throws IOException {
        guarded(() -> {
            drain();
            Digest actual = expected.algorithm().equals(SHA256) ? Digest.of(SHA256, sha256.digest()) : reread(expected);
            if (!actual.equals(expected)) {
                throw new DigestMismatchException(expected, actual);
            }
            publish(expected);
        });
    }

    @Override
    public Digest commit() throws IOException {
        Digest[] digest = new Digest[1];
        guarded(() -> {
            drain();
            digest[0] = Digest.of(SHA256, sha256.digest());
            publish(digest[0]);
        });
        return digest[0];
    }

    @Override
    public void close() throws IOException {
        if (state == State.CLOSED) {
            return;
        }
        boolean published = state == State.COMMITTED;
        state = State.CLOSED;
        try {
            channel.close();
        } finally {
            if (!published) {
                Files.deleteIfExists(file);
            }
        }
    }

    private void publish(Digest digest) throws IOException {
        Path name = layout.blob(digest);
        if (Files.isRegularFile(name) && Files.size(name) == size) {
            names.confirm(name);
            Files.delete(file);
        } else {
            channel.force(true);
            names.publish(file, name);
        }
        state = State.COMMITTED;
    }

    private Digest reread(Digest expected) throws IOException {
        MessageDigest hash = expected.newMessageDigest();
        ByteBuffer chunk = ByteBuffer.allocate(BUFFER);
        for (long position = 0; channel.read(chunk, position) > 0; chunk.clear()) {
            position += chunk.flip().remaining();
            hash.update(chunk);
        }
        return Digest.of(expected.algorithm(), hash.digest());
    }

    private void drain() throws IOException {
        sha256.update(buffer.flip());
        buffer.rewind();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        buffer.clear();
    }

    private void guarded(Step step) throws IOException {
        if (state != State.OPEN) {
            throw new IOException(
                    "could not write a blob: it is already " + state.name().toLowerCase(Locale.ROOT));
        }
        try {
            step.run();
        } catch (IOException e) {
            state = State.FAILED;
            throw DiskFullException.orOther(e, layout.root());
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    private final class Out extends OutputStream {
        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            Objects.checkFromIndexSize(offset, length, bytes.length);
            guarded(() -> {
                int from = offset;
                int end = offset + length;
                while (from < end) {
                    int n = Math.min(end - from, buffer.remaining());
                    buffer.put(bytes, from, n);
                    from += n;
                    size += n;
                    if (!buffer.hasRemaining()) {
                        drain();
                    }
                }
            });
        }

        /** Makes nothing durable: only a commit does. */
        @Override
        public void flush() throws IOException {
            if (state == State.OPEN) {
                guarded(FileStagedBlob.this::drain);
            }
        }
    }
}
