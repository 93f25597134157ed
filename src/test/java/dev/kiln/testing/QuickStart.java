package dev.kiln.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/**
 * Java options for servers that live for seconds: what they would gain by optimising is less than it takes, and they read
 * their classes from an archive beside the jar, which a first server leaves when it ends.
 */
public final class QuickStart {
    private static final List<String> PLAIN = List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC");

    private QuickStart() {}

    private static final class Archived {
        private static final List<String> OPTIONS = archived();
    }

    /** @param more options of the caller's, first */
    public static List<String> options(String... more) {
        List<String> options = new ArrayList<>(List.of(more));
        options.addAll(Archived.OPTIONS);
        return options;
    }

    private static List<String> archived() {
        Path jar = KilnProcess.jar();
        Path archive = jar.resolveSibling("kiln-tests.jsa");
        List<String> options = new ArrayList<>(PLAIN);
        try {
            if (!Files.exists(archive)
                    || Files.getLastModifiedTime(archive).compareTo(Files.getLastModifiedTime(jar)) < 0) {
                make(archive);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        // Who cannot use it says nothing and does without.
        options.add("-XX:SharedArchiveFile=" + archive);
        options.add("-Xlog:disable");
        return List.copyOf(options);
    }

    private static void make(Path archive) throws IOException {
        // Another process of tests may make one at the same time.
        Path directory = Files.createTempDirectory(archive.getParent(), "kiln-first");
        Path made = directory.resolve("made.jsa");
        List<String> options = new ArrayList<>(PLAIN);
        options.add("-XX:ArchiveClassesAtExit=" + made);
        try (KilnProcess server = KilnProcess.start(directory, "", options.toArray(String[]::new))) {
            server.stop();
        }
        Files.move(made, archive, StandardCopyOption.ATOMIC_MOVE);
    }
}
