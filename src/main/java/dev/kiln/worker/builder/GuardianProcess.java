package dev.kiln.worker.builder;

import dev.kiln.worker.guardian.Guardian;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Starts guardians: JVMs of the same Java and the same jar as this one, as small as they can be. */
final class GuardianProcess {
    private static final List<String> FLAGS = List.of(
            "-Xms8m",
            "-Xmx48m",
            "-Xss512k",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Xshare:auto",
            "-XX:-UsePerfData",
            "-XX:+ExitOnOutOfMemoryError");

    private GuardianProcess() {}

    /** Starts one that waits for its orders. Its environment is empty: it is to have no secrets. */
    static Process start() throws IOException {
        List<String> command = new ArrayList<>();
        // A signal from the terminal goes to the server, which then decides about its builds.
        command.add(Isolation.tool("setsid"));
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(FLAGS);
        command.addAll(List.of("-cp", classPath().toString(), Guardian.class.getName()));
        ProcessBuilder builder = new ProcessBuilder(command);
        builder.environment().clear();
        // Without it Java could not pass on arguments that are not ASCII.
        builder.environment().put("LC_ALL", "C.UTF-8");
        return builder.start();
    }

    private static Path classPath() throws IOException {
        try {
            Path path = Path.of(Guardian.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
            if (!Files.exists(path)) {
                throw new IOException(
                        "cannot start the build's guardian: the program's own file is gone; restart Kiln");
            }
            return path;
        } catch (URISyntaxException e) {
            throw new IOException("cannot start the build's guardian: the program's own place is not a path", e);
        }
    }
}
