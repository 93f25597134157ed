package dev.kiln.worker.guardian;

import java.io.DataInputStream;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;

/**
 * Runs one command for a server and sees to its end. It ends the whole build when the server says so, when the server is
 * gone (end-of-file on standard input), when no renewed lease comes in time (a server that stands still does not close
 * its pipe), and when a limit is reached. The build's output goes straight into the guardian's standard output; its own
 * words, {@link Ending} last, go to standard error.
 */
public final class Guardian {
    private static final int MAX_SETUP_TEXT = 4096;
    private static final long MAX_MILLIS = TimeUnit.DAYS.toMillis(3650);

    private final Orders orders;
    private final Path directory;
    private final long started = System.nanoTime();

    // All guarded by this.
    private Process process;
    private Ending.Why why;
    private long leaseEnd;
    private long timeoutEnd = Long.MAX_VALUE;
    private boolean over;

    private volatile boolean diskFull;

    private Guardian(Orders orders) {
        this.orders = orders;
        this.directory = Path.of(orders.directory());
        this.leaseEnd = nanos(orders.leaseMillis());
    }

    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(System.in);
        Guardian guardian = new Guardian(Orders.readFrom(in));
        guardian.inBackground("orders", () -> guardian.obey(in));
        guardian.inBackground("deadlines", guardian::watchDeadlines);
        guardian.inBackground("disk", guardian::watchDisk);
        // A guardian that is asked to end (a machine going down) takes its build with it.
        Thread last = new Thread(() -> guardian.end(Ending.Why.STOPPED), "last");
        Runtime.getRuntime().addShutdownHook(last);
        Ending ending = guardian.run();
        try (OutputStream report = new FileOutputStream(FileDescriptor.err)) {
            report.write(ending.line().concat("\n").getBytes(StandardCharsets.UTF_8));
        }
        Runtime.getRuntime().halt(0);
    }

    /**
     * Runs the command on this thread, the main one, which lives as long as the guardian: the command asks the kernel to
     * be killed when the thread that started it ends.
     */
    private Ending run() throws IOException, InterruptedException {
        if (!orders.namespaces() && orders.user() >= 0) {
            // An earlier life of the node may have left what only the user tells.
            endAll(new Remains("", orders.user(), 0));
        }
        ProcessBuilder builder = new ProcessBuilder(orders.command());
        builder.environment().clear();
        builder.environment().putAll(orders.environment());
        builder.environment()
                .put("KILN_GUARDIAN", Long.toString(ProcessHandle.current().pid()));
        builder.directory(new File("/"));
        builder.redirectInput(new File("/dev/null"));
        builder.redirectOutput(ProcessBuilder.Redirect.INHERIT);
        Process child;
        try {
            child = builder.start();
        } catch (IOException e) {
            return new Ending(Ending.Why.NOT_STARTED, 75, false, String.valueOf(e.getMessage()));
        }
        synchronized (this) {
            process = child;
        }
        StringBuilder setup = new StringBuilder();
        boolean ready = awaitReady(child.getErrorStream(), setup);
        int code = child.waitFor();
        synchronized (this) {
            if (why == null) {
                why = ready ? Ending.Why.EXITED : Ending.Why.NOT_STARTED;
            }
        }
        endAll(new Remains(orders.namespaces() ? "" : orders.marker(), orders.user(), 0));
        synchronized (this) {
            over = true;
            notifyAll();
        }
        diskFull |= DiskUse.full(directory);
        synchronized (this) {
            if (why == Ending.Why.EXITED) {
                // What was written since the last look counts too.
                Ending.Why reached = measure();
                why = reached == null ? why : reached;
            }
            return new Ending(why, code, diskFull, setup.toString());
        }
    }

    /** As long as /proc cannot be read, nobody can say that all have ended. */
    private void endAll(Remains remains) throws InterruptedException {
        for (boolean ended = false; !ended; ) {
            try {
                remains.endAll();
                ended = true;
            } catch (IOException e) {
                synchronized (this) {
                    wait(50);
                }
            }
        }
    }

    /** Reads until the command has ended, the only holder of the other end. */
    private boolean awaitReady(InputStream in, StringBuilder setup) throws IOException {
        boolean ready = false;
        byte[] buffer = new byte[1024];
        for (int read; (read = in.read(buffer)) > 0; ) {
            if (setup.length() < MAX_SETUP_TEXT) {
                setup.append(new String(buffer, 0, read, StandardCharsets.UTF_8));
            }
            if (!ready && setup.indexOf(Orders.READY) >= 0) {
                ready = true;
                synchronized (this) {
                    timeoutEnd = elapsed() + nanos(orders.timeoutMillis());
                    notifyAll();
                }
            }
        }
        return ready;
    }

    private void obey(DataInputStream in) throws InterruptedException {
        try {
            for (int order; (order = in.read()) >= 0; ) {
                if (order == Orders.RENEW) {
                    long millis = in.readLong();
                    synchronized (this) {
                        leaseEnd = elapsed() + nanos(millis);
                        notifyAll();
                    }
                } else if (order == Orders.STOP) {
                    end(Ending.Why.STOPPED);
                }
            }
        } catch (IOException e) {
            // as good as end-of-file
        }
        end(Ending.Why.STOPPED);
    }

    private void watchDeadlines() throws InterruptedException {
        Ending.Why reached;
        synchronized (this) {
            long left;
            while ((left = Math.min(leaseEnd, timeoutEnd) - elapsed()) > 0) {
                wait(TimeUnit.NANOSECONDS.toMillis(left) + 1);
            }
            reached = leaseEnd <= timeoutEnd ? Ending.Why.LEASE_EXPIRED : Ending.Why.TIMEOUT;
        }
        end(reached);
    }

    private void watchDisk() throws InterruptedException {
        while (true) {
            long before = elapsed();
            diskFull |= DiskUse.full(directory);
            Ending.Why reached = measure();
            if (reached != null) {
                end(reached);
            }
            // A large tree takes long to walk: never more than a tenth of a core.
            long took = TimeUnit.NANOSECONDS.toMillis(elapsed() - before);
            synchronized (this) {
                wait(Math.max(orders.checkMillis(), 10 * took));
            }
        }
    }

    private Ending.Why measure() {
        return switch (DiskUse.measure(directory, orders.maxOutput())) {
            case WITHIN -> null;
            case ABOVE -> Ending.Why.OUTPUT;
            case TOO_COMPLEX -> Ending.Why.TREE;
        };
    }

    /** Ends everything; the first reason is the one that counts. Returns when all is over. */
    private void end(Ending.Why reason) {
        Process child;
        synchronized (this) {
            if (why == null) {
                why = reason;
            }
        }
        for (int round = 0; ; round++) {
            synchronized (this) {
                if (over) {
                    return;
                }
                child = process;
            }
            try {
                if (child != null) {
                    kill(child, round);
                }
                synchronized (this) {
                    if (!over) {
                        wait(50);
                    }
                }
            } catch (IOException | InterruptedException e) {
                // The next round tries again: giving up is not among the choices.
            }
        }
    }

    private void kill(Process child, int round) throws IOException, InterruptedException {
        if (!orders.namespaces()) {
            new Remains(orders.marker(), orders.user(), child.isAlive() ? child.pid() : 0).end();
            return;
        }
        // Its only child is the first process of the namespace, which takes all others with it; the command itself
        // is left to wait for that, so that its end says that all have ended.
        child.children().forEach(ProcessHandle::destroyForcibly);
        if (round > 100) {
            child.destroyForcibly();
        }
    }

    private static long nanos(long millis) {
        return TimeUnit.MILLISECONDS.toNanos(Math.min(millis, MAX_MILLIS));
    }

    private long elapsed() {
        return System.nanoTime() - started;
    }

    private interface Work {
        void run() throws InterruptedException;
    }

    private void inBackground(String name, Work work) {
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (InterruptedException | RuntimeException e) {
                        end(Ending.Why.STOPPED);
                    }
                },
                name);
        thread.setDaemon(true);
        thread.start();
    }
}
