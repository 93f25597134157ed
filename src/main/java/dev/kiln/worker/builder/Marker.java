package dev.kiln.worker.builder;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;

/**
 * The variable in the environment of an attempt's processes by which they are found again: unique to the attempt, and
 * with a beginning that all attempts of one node share, whichever life of it started them.
 */
final class Marker {
    static final String NAME = "KILN_ATTEMPT_ID";

    private Marker() {}

    /** The value for a new attempt. */
    static String next(Path workDir) {
        return node(workDir) + UUID.randomUUID();
    }

    /** The beginning of {@code NAME=value} of every attempt under {@code workDir}. */
    static String prefix(Path workDir) {
        return NAME + "=" + node(workDir);
    }

    private static String node(Path workDir) {
        byte[] path = workDir.toAbsolutePath().normalize().toString().getBytes(StandardCharsets.UTF_8);
        return UUID.nameUUIDFromBytes(path) + ".";
    }
}
