package dev.kiln.worker.builder;

import java.io.IOException;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where a node's guardians come from. One waits for its orders while nothing else is to be done, so that who pulls does
 * not wait for a JVM to start. Thread-safe; nothing blocks longer than it takes to start a process.
 */
public final class Guardians implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Guardians.class);

    // All guarded by this.
    private Optional<Process> waiting = Optional.empty();
    private boolean closed;

    /** Has one wait for the next build. */
    public synchronized void standBy() {
        if (closed || waiting.filter(Process::isAlive).isPresent()) {
            return;
        }
        try {
            waiting = Optional.of(GuardianProcess.start());
        } catch (IOException e) {
            // The build that needs one tries again, and fails with the reason.
            LOG.debug("no guardian stands by: {}", e.toString());
        }
    }

    /** The one that waits, which may end at any moment; the caller's from now on. */
    synchronized Optional<Process> waiting() {
        Optional<Process> taken = waiting.filter(Process::isAlive);
        waiting = Optional.empty();
        return taken;
    }

    /** Ends the one that waits; those that were taken see the end of their pipes. */
    @Override
    public synchronized void close() {
        closed = true;
        waiting.ifPresent(Process::destroyForcibly);
        waiting = Optional.empty();
    }
}
