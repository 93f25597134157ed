package dev.kiln.worker.builder.jib;

import dev.kiln.blob.BlobStore;
import dev.kiln.config.BuilderConfig;
import dev.kiln.worker.builder.Builder;
import java.io.OutputStream;
import java.time.Duration;
import java.util.concurrent.ScheduledThreadPoolExecutor;

/**
 * Makes images from the checkout's {@code jib.yaml} with jib-core, in this JVM and without any tool on the machine. It
 * runs no code of the source. Each attempt has a thread of its own and, while jib-core works, a few more; all are
 * daemons and end with it. Leaves an OCI layout in the output folder: the same revision gives the same bytes on every
 * machine. Thread-safe.
 */
public final class JibBuilder implements Builder, AutoCloseable {
    private final BlobStore store;
    private final BaseImages bases;
    private final ScheduledThreadPoolExecutor timer;

    /**
     * @param store where base images are kept and found again
     * @param pins which digests base images' names stand for
     */
    public JibBuilder(BuilderConfig.Jib config, BlobStore store, BaseImagePins pins) {
        this.store = store;
        this.bases = new BaseImages(store, pins, config.allowPrivateRegistries());
        this.timer = new ScheduledThreadPoolExecutor(1, task -> {
            Thread thread = new Thread(task, "jib-deadlines");
            thread.setDaemon(true);
            return thread;
        });
        timer.setRemoveOnCancelPolicy(true);
    }

    @Override
    public Running start(Task task, OutputStream log, Duration lease) {
        JibAttempt attempt =
                new JibAttempt(task, new AttemptLog(log, task.directory(), task.maxLog()), store, bases, timer);
        attempt.start(lease);
        return attempt;
    }

    /** Ends the deadlines' thread; no attempt may be running. */
    @Override
    public void close() {
        timer.shutdownNow();
    }
}
