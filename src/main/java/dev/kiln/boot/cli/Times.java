package dev.kiln.boot.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Spans of time as people read and write them. */
final class Times {
    private static final Pattern WRITTEN = Pattern.compile("([0-9]{1,6})(s|m|h|d)");

    private Times() {}

    /** The two largest units, such as {@code 3m12s}. */
    static String text(Duration duration) {
        long seconds = Math.max(0, duration.toSeconds());
        if (seconds < 60) {
            return seconds + "s";
        }
        if (seconds < 3600) {
            return seconds / 60 + "m" + seconds % 60 + "s";
        }
        if (seconds < 86_400) {
            return seconds / 3600 + "h" + seconds % 3600 / 60 + "m";
        }
        return seconds / 86_400 + "d" + seconds % 86_400 / 3600 + "h";
    }

    /** From one to the other; empty without a first. */
    static String between(Optional<Instant> from, Instant to) {
        return from.map(start -> text(Duration.between(start, to))).orElse("");
    }

    /** Reads {@code 90s}, {@code 30m}, {@code 2h}, {@code 1d}. */
    static final class Converter implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            Matcher written = WRITTEN.matcher(text);
            if (!written.matches()) {
                throw new TypeConversionException("a time is written like 90s, 30m, 2h or 1d");
            }
            long number = Long.parseLong(written.group(1));
            return switch (written.group(2)) {
                case "s" -> Duration.ofSeconds(number);
                case "m" -> Duration.ofMinutes(number);
                case "h" -> Duration.ofHours(number);
                default -> Duration.ofDays(number);
            };
        }
    }
}
