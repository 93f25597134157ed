package dev.kiln.clients;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;

/**
 * A program of this machine. A run without it is a skipped test.
 *
 * @param command the program and what comes before every run's own arguments
 * @param variable an environment variable without which the program would speak to a daemon that is not a test's
 */
record Tool(List<String> command, Optional<String> variable, Map<String, String> environment) {
    static Tool of(String... command) {
        return new Tool(List.of(command), Optional.empty(), Map.of());
    }

    Tool needing(String name) {
        return new Tool(command, Optional.of(name), environment);
    }

    Tool with(Map<String, String> variables) {
        Map<String, String> all = new HashMap<>(environment);
        all.putAll(variables);
        return new Tool(command, variable, all);
    }

    /** Runs to the end; a run that takes longer than {@code limit} is ended and fails the test. */
    Outcome run(Duration limit, List<String> arguments) {
        assumeTrue(isInstalled(), "needs " + command.get(0));
        variable.ifPresent(name -> assumeTrue(System.getenv(name) != null, "needs " + name + ", as .ci/run sets it"));
        List<String> line = new ArrayList<>(command);
        line.addAll(arguments);
        try {
            Path output = Files.createTempFile("client", ".out");
            try {
                return new Outcome(line, exit(line, limit, output), Files.readString(output, StandardCharsets.UTF_8));
            } finally {
                Files.delete(output);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private int exit(List<String> line, Duration limit, Path output) throws IOException, InterruptedException {
        ProcessBuilder builder =
                new ProcessBuilder(line).redirectErrorStream(true).redirectOutput(output.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        process.getOutputStream().close();
        if (!process.waitFor(limit.toSeconds(), TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
            throw new AssertionError(String.join(" ", line) + " did not end; it printed\n" + Files.readString(output));
        }
        return process.exitValue();
    }

    private boolean isInstalled() {
        return Pattern.compile(File.pathSeparator)
                .splitAsStream(System.getenv("PATH"))
                .anyMatch(folder -> Files.isExecutable(Path.of(folder, command.get(0))));
    }
}
