package dev.kiln.worker.builder;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** The kernel's limits as they stand for this process. */
final class Limits {
    private Limits() {}

    /** {@code wanted}, or this process's own hard limit where that is lower: only root could pass it. */
    static long capped(String name, long wanted) throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/limits"))) {
            if (line.startsWith(name)) {
                String hard = line.substring(name.length()).trim().split("\\s+")[1];
                return hard.equals("unlimited") ? wanted : Math.min(wanted, Long.parseLong(hard));
            }
        }
        return wanted;
    }

    /** The kernel counts threads by user; where a build shares the server's user, it counts the server's too. */
    static long tasksOfOwnUser() throws IOException {
        Object own = Files.getAttribute(Path.of("/proc/self"), "unix:uid");
        long tasks = 0;
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(Path.of("/proc"), "[0-9]*")) {
            for (Path process : processes) {
                try {
                    if (Files.getAttribute(process, "unix:uid").equals(own)) {
                        // a directory's link count is two and one for each thread
                        tasks += Math.max(1, (Integer) Files.getAttribute(process.resolve("task"), "unix:nlink") - 2);
                    }
                } catch (IOException e) {
                    // it has ended meanwhile
                }
            }
        }
        return tasks;
    }
}
