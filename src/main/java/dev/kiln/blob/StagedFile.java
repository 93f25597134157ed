package dev.kiln.blob;

import java.io.Closeable;
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
import java.util.Optional;

/**
 * A file that is being written to the staging folder, buffered, and hashed on the way. Closing removes it, unless it was
 * renamed. Used by one thread at a time.
 */
final class StagedFile implements Closeable {
    private static final int BUFFER = 128 * 1024;

    /** Any failed write or flush leaves the file's content unknown, so that nothing but closing is left to do. */
    private enum State {
        OPEN,
        COMMITTED,
        FAILED,
        CLOSED
    }

    interface Step {
        void run() throws IOException;
    }

    private final Path path;
    private final Path root;
    private final Optional<MessageDigest> hash;
    private final FileChannel channel;
    private final ByteBuffer buffer = ByteBuffer.allocate(BUFFER);
    private final Out out = new Out();
    private long size;
    private State state = State.OPEN;

    /** @param root on the disk that is the one when it is full */
    StagedFile(Path path, Path root, Optional<MessageDigest> hash) throws IOException {
        this.path = path;
        this.root = root;
        this.hash = hash;
        try {
            channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw DiskFullException.orOther(e, root);
        }
    }

    Path path() {
        return path;
    }

    OutputStream out() {
        return out;
    }

    /** Bytes written so far. */
    long size() {
        return size;
    }

    /** What the bytes passed through, up to the last {@link #drain}. */
    Optional<MessageDigest> hash() {
        return hash;
    }

    /** Hands all bytes to the operating system, so that they can be read. */
    void drain() throws IOException {
        hash.ifPresent(running -> running.update(buffer.duplicate().flip()));
        buffer.flip();
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
        buffer.clear();
    }

    /** Flushes what was drained to disk. */
    void force() throws IOException {
        channel.force(true);
    }

    /** Does what ends the writing. It may be done once, and not after a failure. */
    void commit(Step step) throws IOException {
        guarded(step);
        state = State.COMMITTED;
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
            throw DiskFullException.orOther(e, root);
        }
    }

    @Override
    public void close() throws IOException {
        if (state != State.CLOSED) {
            state = State.CLOSED;
            try {
                channel.close();
            } finally {
                Files.deleteIfExists(path);
            }
        }
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
                guarded(StagedFile.this::drain);
            }
        }
    }
}
