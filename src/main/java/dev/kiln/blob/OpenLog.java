package dev.kiln.blob;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;

/** A log that is being written on this node. Wakes those who have read all there is. Thread-safe. */
final class OpenLog extends OutputStream {
    private final Path root;
    private final FileChannel channel;
    private final Consumer<OpenLog> onClose;
    private final Set<Runnable> waiting = new LinkedHashSet<>();
    private long length;
    private boolean closed;

    OpenLog(Path file, Path root, Consumer<OpenLog> onClose) throws IOException {
        this.root = root;
        this.onClose = onClose;
        channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int count) throws IOException {
        Objects.checkFromIndexSize(offset, count, bytes.length);
        ByteBuffer buffer = ByteBuffer.wrap(bytes, offset, count);
        List<Runnable> woken;
        synchronized (this) {
            try {
                while (buffer.hasRemaining()) {
                    length += channel.write(buffer);
                }
            } catch (IOException e) {
                throw DiskFullException.orOther(e, root);
            } finally {
                woken = drain();
            }
        }
        woken.forEach(Runnable::run);
    }

    /** Those who follow see the end also when the last flush fails. */
    @Override
    public void close() throws IOException {
        List<Runnable> woken;
        synchronized (this) {
            if (closed) {
                return;
            }
            closed = true;
            woken = drain();
        }
        onClose.accept(this);
        woken.forEach(Runnable::run);
        try (channel) {
            channel.force(true);
        }
    }

    synchronized boolean isClosed() {
        return closed;
    }

    /**
     * Arranges for {@code wake} to be run, once, when there is something after {@code position} or the log is closed.
     *
     * @return false when that is so already; {@code wake} is then not kept
     */
    synchronized boolean await(long position, Runnable wake) {
        return !closed && length <= position && waiting.add(wake);
    }

    /** Forgets {@code wake}, so that a long silence does not gather those who have left. */
    synchronized void leave(Runnable wake) {
        waiting.remove(wake);
    }

    private List<Runnable> drain() {
        List<Runnable> all = List.copyOf(waiting);
        waiting.clear();
        return all;
    }
}
