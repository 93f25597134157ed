package dev.kiln.worker.builder;

import java.time.Duration;
import java.util.List;
import java.util.Locale;

/** Limits as people write them in the configuration. */
final class Sizes {
    private Sizes() {}

    static String text(long bytes) {
        long value = bytes;
        for (String unit : List.of("bytes", "KiB", "MiB")) {
            if (value < 1024 || value % 1024 != 0) {
                return value + " " + unit;
            }
            value /= 1024;
        }
        return value + " GiB";
    }

    static String text(Duration duration) {
        return duration.toString()
                .substring(2)
                .replaceAll("(\\D)(?=\\d)", "$1 ")
                .toLowerCase(Locale.ROOT);
    }
}
