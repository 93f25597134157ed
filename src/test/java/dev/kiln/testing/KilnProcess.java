package dev.kiln.testing;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.awaitility.Awaitility;

/**
 * The packaged product as its user runs it: {@code java -jar kiln.jar serve} in a process of its own, on free ports of
 * 127.0.0.1. Can be killed and started again on the same folders.
 */
public final class KilnProcess implements AutoCloseable {
    private static final Pattern GREETING =
            Pattern.compile("Kiln serves images on (https?://\\S+), and operators on (http://\\S+)");

    private final Path directory;
    private final List<String> javaOptions;
    private final List<Path> classes = new ArrayList<>();
    private final Map<String, String> environment = new HashMap<>();
    private final int firstUser = BuildUsers.next();
    private Process process;
    private URI registry;
    private URI admin;

    private KilnProcess(Path directory, List<String> javaOptions) {
        this.directory = directory;
        this.javaOptions = List.copyOf(javaOptions);
    }

    /**
     * Starts a server with {@code directory/data} and {@code directory/work}, and returns when it listens.
     *
     * @param config HOCON, on top of free ports and these folders
     * @param javaOptions such as {@code -Xmx512m}; without any it is a {@link QuickStart}
     */
    public static KilnProcess start(Path directory, String config, String... javaOptions) {
        KilnProcess server = new KilnProcess(directory, List.of(javaOptions));
        server.configure(config);
        server.start();
        return server;
    }

    /** Replaces the configuration that the next start reads. */
    public void configure(String config) {
        try {
            Files.writeString(directory.resolve("kiln.conf"), """
                    kiln.data-dir = "%1$s/data"
                    kiln.work-dir = "%1$s/work"
                    kiln.http.port = 0
                    kiln.admin.port = 0, kiln.worker.uid-base = %2$d
                    """.formatted(directory, firstUser) + config);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public void start() {
        launch();
        awaitGreeting();
    }

    /** Returns when a server that was launched listens. */
    public void awaitGreeting() {
        Awaitility.await("the server's greeting; its output so far:\n" + log())
                .atMost(Duration.ofSeconds(90))
                .until(() -> !process.isAlive() || GREETING.matcher(log()).find());
        Matcher greeting = GREETING.matcher(log());
        if (!greeting.find()) {
            throw new IllegalStateException("the server ended:\n" + log());
        }
        registry = URI.create(greeting.group(1));
        admin = URI.create(greeting.group(2));
    }

    /** Starts the process without waiting for it, for starts that are meant to fail. */
    public void launch() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(javaOptions.isEmpty() ? QuickStart.options() : javaOptions);
        if (classes.isEmpty()) {
            command.addAll(List.of("-jar", jar().toString()));
        } else {
            List<String> path = new ArrayList<>(List.of(jar().toString()));
            classes.forEach(folder -> path.add(folder.toString()));
            command.addAll(List.of("-cp", String.join(File.pathSeparator, path), "dev.kiln.boot.Main"));
        }
        command.addAll(
                List.of("serve", "--config", directory.resolve("kiln.conf").toString()));
        try {
            Files.writeString(directory.resolve("kiln.log"), "");
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(directory.resolve("kiln.log").toFile());
            builder.environment().putAll(environment);
            process = builder.start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A process on these folders that has not been started. */
    public static KilnProcess prepare(Path directory, String config, String... javaOptions) {
        KilnProcess server = new KilnProcess(directory, List.of(javaOptions));
        server.configure(config);
        return server;
    }

    /** Lets the server see {@code folder} too, behind its jar: for parts of it that a test's configuration replaces. */
    public KilnProcess withClasses(Path folder) {
        classes.add(folder);
        return this;
    }

    /** Adds a variable to the server's environment. */
    public KilnProcess with(String variable, String value) {
        environment.put(variable, value);
        return this;
    }

    public static Path jar() {
        String jar = System.getProperty("kiln.jar", "target/kiln.jar");
        return Path.of(jar).toAbsolutePath();
    }

    /** Everything the server has printed since its last start. */
    public String log() {
        try {
            return Files.readString(directory.resolve("kiln.log"));
        } catch (IOException e) {
            return "";
        }
    }

    /** The public listener's address, or what {@code http.public-url} says it is, without a trailing slash. */
    public URI registry() {
        return registry;
    }

    /** {@code host:port} of the public listener, as image names begin. */
    public String host() {
        return registry.getAuthority();
    }

    public URI admin() {
        return admin;
    }

    /** The first user id of its builds. */
    public int firstUser() {
        return firstUser;
    }

    public Process process() {
        return process;
    }

    /** As {@code kill -9}; returns when the process is gone. */
    public void kill() {
        process.destroyForcibly();
        join();
    }

    /** As SIGTERM; returns when the process is gone. */
    public void stop() {
        process.destroy();
        join();
    }

    private void join() {
        try {
            if (!process.waitFor(120, TimeUnit.SECONDS)) {
                throw new IllegalStateException("the server did not end:\n" + log());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        if (process != null && process.isAlive()) {
            kill();
        }
    }
}
