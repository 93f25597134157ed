package dev.kiln.cluster;

import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.QuickStart;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/**
 * A node's process under a supervisor: one that ends without being told to is started again, on the same folders. Its log
 * goes on over all its lives. Thread-safe.
 */
final class ClusterNode implements AutoCloseable {
    private final Path directory;
    private final List<String> on;
    private final URI http;
    private Process process;
    private boolean wanted;
    private int lives;

    /** @param on what its command line begins with, such as the host it runs on */
    ClusterNode(Path directory, String config, List<String> on, URI http) {
        this.directory = directory;
        this.on = on;
        this.http = http;
        try {
            Files.createDirectories(directory);
            Files.writeString(
                    directory.resolve("kiln.conf"),
                    "kiln { data-dir = \"%1$s/data\", work-dir = \"%1$s/work\" }\n".formatted(directory) + config);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    URI http() {
        return http;
    }

    synchronized void start() {
        wanted = true;
        launch();
    }

    private synchronized void launch() {
        List<String> command = new ArrayList<>(on);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(QuickStart.options("-Xmx512m"));
        command.addAll(List.of(
                "-jar",
                KilnProcess.jar().toString(),
                "serve",
                "--config",
                directory.resolve("kiln.conf").toString()));
        try {
            lives++;
            process = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.appendTo(
                            directory.resolve("kiln.log").toFile()))
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        process.onExit().thenAccept(this::ended);
    }

    /** Supervisors wait for a moment, so that a node that cannot start does not take the machine. */
    private synchronized void ended(Process life) {
        if (wanted && life.pid() == process.pid()) {
            CompletableFuture.delayedExecutor(1, TimeUnit.SECONDS).execute(this::again);
        }
    }

    private synchronized void again() {
        if (wanted) {
            launch();
        }
    }

    /** How often it was started. */
    synchronized int lives() {
        return lives;
    }

    /** As {@code kill -9}; the supervisor starts it again. */
    synchronized void kill() {
        process.destroyForcibly();
    }

    /** Ends it in good order, and keeps it ended. Returns when the process is gone. */
    void stop() {
        Process ending;
        synchronized (this) {
            wanted = false;
            ending = process;
            ending.destroy();
        }
        await(ending);
    }

    /** Stands still, as a machine that is paused. */
    synchronized void freeze() {
        signal("STOP", process.pid());
    }

    synchronized void thaw() {
        signal("CONT", process.pid());
    }

    private static void signal(String name, long pid) {
        try {
            new ProcessBuilder("kill", "-" + name, Long.toString(pid))
                    .start()
                    .onExit()
                    .join();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void await(Process process) {
        try {
            if (!process.waitFor(180, TimeUnit.SECONDS)) {
                throw new IllegalStateException("process " + process.pid() + " did not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Whether {@code name} is the one it bears in the queue. */
    boolean isCalled(String name) {
        try {
            return Files.readString(directory.resolve("data/node-name")).strip().equals(name);
        } catch (IOException e) {
            return false; // it has not got so far yet
        }
    }

    String log() {
        try {
            return Files.readString(directory.resolve("kiln.log"));
        } catch (IOException e) {
            return "";
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            wanted = false;
            if (process == null) {
                return;
            }
            process.destroyForcibly();
        }
        await(process);
    }

    @Override
    public String toString() {
        return directory.getFileName().toString();
    }
}
