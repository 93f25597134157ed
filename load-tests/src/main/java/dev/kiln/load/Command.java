package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs programs of the machine to their end. */
final class Command {
    private static final int MAX_MINUTES = 10;

    private Command() {}

    /** What it prints. @throws IOException when it is missing, fails or does not end in time */
    static String run(Path directory, String... command) throws IOException, InterruptedException {
        return run(directory, Map.of(), command);
    }

    /** @param environment in addition to this process's own */
    static String run(Path directory, Map<String, String> environment, String... command)
            throws IOException, InterruptedException {
        Path output = Files.createTempFile("kiln-load-", ".out");
        try {
            ProcessBuilder builder = new ProcessBuilder(command)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(output.toFile());
            builder.environment().putAll(environment);
            Process process = builder.start();
            boolean ended = process.waitFor(MAX_MINUTES, TimeUnit.MINUTES);
            process.destroyForcibly();
            String text = Files.readString(output);
            if (!ended || process.exitValue() != 0) {
                throw new IOException("could not run " + String.join(" ", command) + ": "
                        + (ended ? "exit code " + process.exitValue() : "it did not end") + "\n" + text);
            }
            return text;
        } finally {
            Files.delete(output);
        }
    }

    /** The path of a program; servers are not always on the PATH of people. */
    static String find(String program) throws IOException {
        List<String> path = List.of((System.getenv("PATH") + ":/usr/sbin:/sbin").split(":", -1));
        for (String directory : path) {
            if (!directory.isEmpty() && Files.isExecutable(Path.of(directory, program))) {
                return Path.of(directory, program).toString();
            }
        }
        throw new IOException("could not find " + program + ": install it (README.md has the packages)");
    }
}
