package dev.kiln.blob;

import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** A log that is being written on this node. Wakes those who have read all there is. Thread-safe. */
final class OpenLog extends OutputStream {
    /** The {@link #turn} of a log that is closed. */
    static final long ENDED = -1;

    private final Path root;
    private final Consumer<OpenLog> onClose;
    private final Set<Runnable> waiting = new LinkedHashSet<>();

    /** Not a channel, which the interrupt of one writer would close for all. */
    private final FileOutputStream file;

    private long turn;

    OpenLog(Path file, Path root, Consumer<OpenLog> onClose) throws IOException {
        this.root = root;
        this.onClose = onClose;
        this.file = new FileOutputStream(file.toFile());
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public void write(byte[] bytes, int offset, int count) throws IOException {
        List<Runnable> woken;
        synchronized (this) {
            if (turn == ENDED) {
                throw new IOException("could not write to a build's log: it is closed");
            }
            try {
                file.write(bytes, offset, count);
            } catch (IOException e) {
                throw DiskFullException.orOther(e, root);
            }
            turn++;
            woken = drain();
        }
        woken.forEach(Runnable::run);
    }

    /** Those who follow see the end also when the last flush fails. */
    @Override
    public void close() throws IOException {
        List<Runnable> woken;
        synchronized (this) {
            if (turn == ENDED) {
                return;
            }
            turn = ENDED;
            woken = drain();
        }
        onClose.accept(this);
        woken.forEach(Runnable::run);
        try (file) {
            file.getFD().sync();
        } catch (IOException e) {
            throw DiskFullException.orOther(e, root);
        }
    }

    /** Another number after each write, and {@link #ENDED} after the last. */
    synchronized long turn() {
        return turn;
    }

    /**
     * Arranges for {@code wake} to be run, once, when the turn is no longer {@code seen}.
     *
     * @return false when that is so already; {@code wake} is then not kept
     */
    synchronized boolean await(long seen, Runnable wake) {
        return turn == seen && waiting.add(wake);
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
