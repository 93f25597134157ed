package dev.kiln.source;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;

/**
 * A share of one git host in the threads for all: calls beyond it wait here, so that a host which answers nothing cannot
 * take every thread from the repositories of others. What waits is bounded by those who ask. Thread-safe.
 */
final class HostLane implements Executor {
    private final Executor threads;
    private final int width;
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private int running;

    /** @param width calls that run at a time */
    HostLane(Executor threads, int width) {
        this.threads = threads;
        this.width = width;
    }

    @Override
    public void execute(Runnable call) {
        synchronized (this) {
            if (running == width) {
                waiting.add(call);
                return;
            }
            running++;
        }
        start(call);
    }

    private void start(Runnable call) {
        try {
            threads.execute(() -> {
                try {
                    call.run();
                } finally {
                    next();
                }
            });
        } catch (RuntimeException e) {
            next();
            throw e;
        }
    }

    private void next() {
        Runnable call;
        synchronized (this) {
            call = waiting.poll();
            if (call == null) {
                running--;
                return;
            }
        }
        start(call);
    }
}
