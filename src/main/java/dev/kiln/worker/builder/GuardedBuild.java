package dev.kiln.worker.builder;

import dev.kiln.build.FailureClass;
import dev.kiln.worker.guardian.Ending;
import dev.kiln.worker.guardian.Orders;
import dev.kiln.worker.guardian.Remains;
import java.io.BufferedReader;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's side of one guardian. Two threads while it runs: one carries what the build prints, at the pace of the log,
 * the other waits for the guardian's last word.
 */
final class GuardedBuild implements Builder.Running {
    private static final Logger LOG = LoggerFactory.getLogger(GuardedBuild.class);
    private static final int BUFFER = 16 << 10;
    private static final int LONGEST_WORD = 8 << 10;

    private final Builder.Task task;
    private final Orders orders;
    private final OutputStream log;
    private final Guardians guardians;
    private final Process guardian;
    private final DataOutputStream pipe;
    private final Thread printing;
    private final AtomicReference<Builder.Outcome> ordered = new AtomicReference<>();
    private final CompletableFuture<Builder.Outcome> outcome = new CompletableFuture<>();

    // Why what it printed makes it fail, whatever the guardian says.
    private volatile Optional<Builder.Outcome> printingFailed = Optional.empty();
    private volatile boolean writing;

    private GuardedBuild(Builder.Task task, Orders orders, OutputStream log, Guardians guardians, Process guardian) {
        this.task = task;
        this.orders = orders;
        this.log = log;
        this.guardians = guardians;
        this.guardian = guardian;
        this.pipe = new DataOutputStream(guardian.getOutputStream());
        this.printing = daemon("log", this::carryLog);
    }

    static GuardedBuild start(Builder.Task task, Orders orders, OutputStream log, Guardians guardians)
            throws IOException {
        Optional<Process> waiting = guardians.waiting();
        if (waiting.isPresent()) {
            try {
                return start(new GuardedBuild(task, orders, log, guardians, waiting.get()));
            } catch (IOException e) {
                LOG.debug("a guardian that stood by had ended: {}", e.toString());
            }
        }
        return start(new GuardedBuild(task, orders, log, guardians, GuardianProcess.start()));
    }

    private static GuardedBuild start(GuardedBuild build) throws IOException {
        try {
            build.orders.writeTo(build.pipe);
        } catch (IOException e) {
            build.guardian.destroyForcibly();
            throw new IOException("cannot start the build's guardian: it ended at once", e);
        }
        build.printing.start();
        build.daemon("end", build::awaitEnd).start();
        return build;
    }

    private Thread daemon(String name, Runnable work) {
        Thread thread = new Thread(work, "build-" + name + "-slot-" + task.slot());
        thread.setDaemon(true);
        return thread;
    }

    @Override
    public CompletionStage<Builder.Outcome> outcome() {
        return outcome.minimalCompletionStage();
    }

    @Override
    public void renew(Duration lease) {
        // Nine bytes: a pipe takes thousands of them before a guardian that stands still could block this.
        tell(() -> {
            pipe.writeByte(Orders.RENEW);
            pipe.writeLong(lease.toMillis());
        });
    }

    @Override
    public void stop() {
        end(new Builder.Outcome.Stopped("it was told to stop"));
    }

    private void end(Builder.Outcome why) {
        if (ordered.compareAndSet(null, why)) {
            tell(() -> pipe.writeByte(Orders.STOP));
        }
    }

    private interface Words {
        void write() throws IOException;
    }

    private void tell(Words words) {
        synchronized (pipe) {
            try {
                words.write();
                pipe.flush();
            } catch (IOException e) {
                // The guardian has ended; what follows from that comes from its last word, or from the lack of one.
            }
        }
    }

    private void carryLog() {
        long left = task.maxLog();
        byte[] buffer = new byte[BUFFER];
        try (InputStream in = guardian.getInputStream()) {
            for (int read; (read = in.read(buffer)) > 0; ) {
                int taken = (int) Math.min(read, left);
                left -= taken;
                if (printingFailed.isEmpty()) {
                    write(buffer, taken);
                }
                if (taken < read && printingFailed.isEmpty()) {
                    printingFailed(FailureClass.SOURCE, "it printed more than " + Sizes.text(task.maxLog()));
                }
            }
        } catch (IOException e) {
            LOG.debug("the log of {} ended: {}", task.key(), e.toString());
        }
    }

    private void write(byte[] buffer, int length) {
        writing = true;
        try {
            log.write(buffer, 0, length);
            log.flush();
        } catch (IOException e) {
            LOG.warn("the log of {} cannot be kept: {}", task.key(), e.toString());
            printingFailed(FailureClass.INFRASTRUCTURE, "its log could not be kept");
        } finally {
            writing = false;
        }
    }

    private void printingFailed(FailureClass failureClass, String message) {
        Builder.Outcome failed = new Builder.Outcome.Failed(failureClass, message);
        printingFailed = Optional.of(failed);
        end(failed);
    }

    private void awaitEnd() {
        Builder.Outcome result;
        try {
            Optional<Ending> ending = awaitLastWord();
            guardian.waitFor();
            if (ending.isEmpty()) {
                LOG.warn("the guardian of {} ended before its build with code {}", task.key(), guardian.exitValue());
                new Remains(orders.marker(), orders.user(), 0).endAll();
            }
            awaitLog();
            result = ending.map(this::judge)
                    .orElseGet(() -> failed(FailureClass.INFRASTRUCTURE, "the build's guardian process was ended"));
        } catch (IOException | RuntimeException e) {
            LOG.error("cannot tell how {} ended", task.key(), e);
            result = failed(FailureClass.INFRASTRUCTURE, "the server could not tell how the build ended");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            result = new Builder.Outcome.Stopped("the server is ending");
        }
        synchronized (pipe) {
            try {
                pipe.close();
            } catch (IOException e) {
                LOG.trace("the guardian has gone", e);
            }
        }
        outcome.complete(result);
        guardians.standBy();
    }

    private Optional<Ending> awaitLastWord() throws IOException {
        Optional<Ending> ending = Optional.empty();
        try (BufferedReader words =
                new BufferedReader(new InputStreamReader(guardian.getErrorStream(), StandardCharsets.UTF_8))) {
            StringBuilder line = new StringBuilder();
            for (int c; (c = words.read()) >= 0; ) {
                if (c != '\n') {
                    if (line.length() < LONGEST_WORD) {
                        line.append((char) c);
                    }
                    continue;
                }
                Optional<Ending> parsed = Ending.parse(line.toString());
                if (parsed.isPresent()) {
                    ending = parsed;
                } else {
                    LOG.warn("the guardian of {} says: {}", task.key(), line);
                }
                line.setLength(0);
            }
        }
        return ending;
    }

    /** Everything printed is in the log first; but a pipe that a stray still holds open keeps nobody waiting. */
    private void awaitLog() throws InterruptedException {
        do {
            printing.join(TimeUnit.SECONDS.toMillis(5));
        } while (printing.isAlive() && writing);
    }

    private Builder.Outcome judge(Ending ending) {
        return switch (ending.why()) {
            case STOPPED ->
                Optional.ofNullable(ordered.get())
                        .orElseGet(() -> new Builder.Outcome.Stopped("its guardian was told to end"));
            case EXITED -> printingFailed.orElseGet(() -> exited(ending.code(), ending.diskFull()));
            case LEASE_EXPIRED -> new Builder.Outcome.Stopped("its lease was not renewed in time");
            case TIMEOUT -> failed(FailureClass.TIMEOUT, "it took longer than " + Sizes.text(task.timeout()));
            case OUTPUT -> failed(FailureClass.SOURCE, tooMuch());
            case TREE -> failed(FailureClass.SOURCE, "it made deeper or more directories than can be measured");
            case NOT_STARTED -> {
                LOG.warn("cannot set up the processes of {}: {}", task.key(), ending.text());
                yield failed(FailureClass.INFRASTRUCTURE, "the build's processes could not be set up");
            }
        };
    }

    private Builder.Outcome exited(int code, boolean diskFull) {
        if (code == 0) {
            // The image is read by the server: a link in this place would be the build's choice of what is read.
            return Files.isDirectory(task.output(), LinkOption.NOFOLLOW_LINKS)
                    ? new Builder.Outcome.Succeeded()
                    : failed(FailureClass.SOURCE, "the command removed or replaced its output directory");
        }
        if (diskFull) {
            return failed(FailureClass.INFRASTRUCTURE, "the disk of work-dir is full");
        }
        String message = "the command ended with exit code " + code;
        if (code == ExitCodes.TEMPORARY) {
            return failed(FailureClass.INFRASTRUCTURE, message + ", which asks for another attempt");
        }
        if (code == ExitCodes.FILE_TOO_LARGE) {
            return failed(FailureClass.SOURCE, tooMuch());
        }
        if (ExitCodes.bySignal(code)) {
            return failed(FailureClass.INFRASTRUCTURE, message + " (signal " + (code - 128) + ")");
        }
        return failed(
                FailureClass.SOURCE,
                switch (code) {
                    case ExitCodes.NOT_FOUND -> message + ": a program was not found";
                    case ExitCodes.NOT_EXECUTABLE -> message + ": a program cannot be executed";
                    default -> message;
                });
    }

    private String tooMuch() {
        return "it wrote more than " + Sizes.text(task.maxOutput());
    }

    private static Builder.Outcome failed(FailureClass failureClass, String message) {
        return new Builder.Outcome.Failed(failureClass, message);
    }
}
