package dev.kiln.worker.builder.jib;

import dev.kiln.blob.BlobStore;
import dev.kiln.blob.LowOnSpaceException;
import dev.kiln.build.FailureClass;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.worker.builder.Builder.Outcome;
import dev.kiln.worker.builder.Builder.Running;
import dev.kiln.worker.builder.Builder.Task;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One attempt on a thread of its own. Whatever ends it first decides the outcome; it is told when the thread is done. */
final class JibAttempt implements Running {
    private static final Logger LOG = LoggerFactory.getLogger(JibAttempt.class);

    private final Task task;
    private final AttemptLog log;
    private final BlobStore store;
    private final BaseImages bases;
    private final ScheduledExecutorService timer;
    private final Thread thread;
    private final Cancellation cancellation = new Cancellation();
    private final AtomicReference<Outcome> decided = new AtomicReference<>();
    private final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    private volatile long leaseEnd;
    private volatile Future<?> leaseWatch = CompletableFuture.completedFuture(null);
    private volatile Future<?> timeout = CompletableFuture.completedFuture(null);

    JibAttempt(Task task, AttemptLog log, BlobStore store, BaseImages bases, ScheduledExecutorService timer) {
        this.task = task;
        this.log = log;
        this.store = store;
        this.bases = bases;
        this.timer = timer;
        this.thread = new Thread(this::run, "jib-" + task.slot());
        thread.setDaemon(true);
    }

    void start(Duration lease) {
        renew(lease);
        watchLease();
        timeout = timer.schedule(this::timedOut, task.timeout().toNanos(), TimeUnit.NANOSECONDS);
        thread.start();
    }

    @Override
    public CompletionStage<Outcome> outcome() {
        return outcome.minimalCompletionStage();
    }

    @Override
    public void renew(Duration lease) {
        leaseEnd = System.nanoTime() + lease.toNanos();
    }

    @Override
    public void stop() {
        end(new Outcome.Stopped("it was told to stop"));
    }

    /** One timer at the lease's end as it was known then; renewing costs nothing. */
    private void watchLease() {
        if (decided.get() != null) {
            return;
        }
        long left = leaseEnd - System.nanoTime();
        if (left <= 0) {
            end(new Outcome.Stopped("its lease was not renewed in time"));
        } else {
            leaseWatch = timer.schedule(this::watchLease, left, TimeUnit.NANOSECONDS);
        }
    }

    private void timedOut() {
        end(new Outcome.Failed(
                FailureClass.TIMEOUT,
                "the build took longer than " + task.timeout().toSeconds() + " s"));
    }

    private void end(Outcome reason) {
        if (decided.compareAndSet(null, reason)) {
            cancellation.cancel();
            thread.interrupt();
        }
    }

    private void run() {
        try {
            decided.compareAndSet(null, build());
        } catch (JibFailure e) {
            LOG.debug("{} failed", task.key(), e);
            fail(e.failureClass(), e.getMessage());
        } catch (InterruptedException e) {
            fail(FailureClass.INFRASTRUCTURE, "the build was interrupted");
        } catch (LowOnSpaceException e) {
            fail(FailureClass.INFRASTRUCTURE, "could not fetch the base image: " + e.getMessage());
        } catch (IOException e) {
            failed(e, e instanceof FileSystemException disk ? disk.getReason() : null);
        } catch (RuntimeException e) {
            failed(e, null);
        } catch (Throwable e) {
            failed(e, null);
            throw e;
        } finally {
            timeout.cancel(false);
            leaseWatch.cancel(false);
            if (decided.get() instanceof Outcome.Failed failed) {
                log.line("failed: " + failed.message());
            } else if (decided.get() instanceof Outcome.Stopped stopped) {
                log.line("stopped: " + stopped.reason());
            }
            outcome.complete(decided.get());
        }
    }

    private void failed(Throwable e, String reason) {
        if (!cancellation.isCancelled()) {
            LOG.warn("the jib build of {} failed", task.key(), e);
        }
        String why = reason == null ? e.getClass().getSimpleName() : reason;
        fail(FailureClass.INFRASTRUCTURE, "the build failed on its worker (" + why + "); the server's log says more");
    }

    private void fail(FailureClass failureClass, String message) {
        decided.compareAndSet(null, new Outcome.Failed(failureClass, message));
    }

    private Outcome build() throws JibFailure, IOException, InterruptedException {
        Platform platform = task.key().platform();
        if (!platform.features().isEmpty() || !platform.osVersion().isEmpty()) {
            throw JibFailure.source("jib builds the same for every feature and os.version, so not for " + platform
                    + "; use a builder of type = command");
        }
        JibFile file = JibFileReader.read(LayerFiles.read(task.checkout(), JibFileReader.FILE, JibFileReader.MAX_SIZE));
        if (!file.platforms().isEmpty() && !file.platforms().contains(platform)) {
            throw JibFailure.source("jib.yaml does not list " + platform + " in 'from.platforms'");
        }
        LayerFiles.Collected files = LayerFiles.collect(task.checkout(), file.layers(), cancellation);
        // jib-core writes every layer compressed twice, in its cache and its tar, and the layout has it as it is
        long room = task.maxOutput() - LayerFiles.sizeOf(task.directory()) - 3 * files.bytes();
        if (room < 0) {
            throw JibFailure.source("the image's files need more room than the build's max-output");
        }
        Optional<BaseImage> base = Optional.empty();
        if (file.baseImage().isPresent()) {
            base = Optional.of(bases.fetch(task.key(), file.baseImage().get(), room, log, cancellation));
        }
        cancellation.check();
        Instant created = file.creationTime().orElse(Instant.ofEpochSecond(task.sourceDateEpoch()));
        var image = new JibRun(task.tmp(), log, cancellation).run(file, files.layers(), base, platform, created);
        Descriptor manifest = new ImageLayout(store, task.output()).write(image, base, platform);
        log.line("built " + manifest.digest() + " for " + platform);
        return new Outcome.Succeeded();
    }
}
