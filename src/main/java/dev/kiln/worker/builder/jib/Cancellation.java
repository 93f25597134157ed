package dev.kiln.worker.builder.jib;

import java.util.ArrayList;
import java.util.List;

/**
 * How other threads end an attempt whose thread may be anywhere: an interrupt does not wake a thread that reads from a
 * socket, so whoever blocks registers what does. Thread-safe.
 */
final class Cancellation {
    private final List<Runnable> actions = new ArrayList<>();
    private boolean cancelled;

    /** Something that {@link #cancel} must end; closing it says that it has ended by itself. */
    interface Registration extends AutoCloseable {
        @Override
        void close();
    }

    /**
     * @param action ends some work at once; run by another thread, at most once
     * @throws InterruptedException when it is cancelled already; the action is not run
     */
    synchronized Registration onCancel(Runnable action) throws InterruptedException {
        if (cancelled) {
            throw new InterruptedException("the attempt was ended");
        }
        actions.add(action);
        return () -> remove(action);
    }

    private synchronized void remove(Runnable action) {
        actions.remove(action);
    }

    /** Runs every registered action; those that come later find it cancelled. */
    synchronized void cancel() {
        cancelled = true;
        actions.forEach(Runnable::run);
        actions.clear();
    }

    synchronized boolean isCancelled() {
        return cancelled;
    }

    /** @throws InterruptedException when the attempt was ended */
    void check() throws InterruptedException {
        if (isCancelled()) {
            throw new InterruptedException("the attempt was ended");
        }
    }
}
