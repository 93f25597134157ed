package dev.kiln.client;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a client says with {@code Prefer} (RFC 7240) about waiting: {@code wait=N} seconds, or {@code respond-async}, which
 * here is a wait of none: builds are started, and the answer is the final one. Other preferences are ignored, as the
 * RFC wants.
 *
 * @param longestWait over all hops
 * @param applied for {@code Preference-Applied}
 */
public record Preference(Duration longestWait, String applied) {
    private static final int MAX_DIGITS = 6;

    /** @param lines every {@code Prefer} header's value; the first preference of a kind counts */
    public static Optional<Preference> read(List<String> lines) {
        Optional<Preference> wait = Optional.empty();
        for (String line : lines) {
            for (String element : line.split(",", 32)) {
                String text = element.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
                if (text.equals("respond-async")) {
                    return Optional.of(new Preference(Duration.ZERO, text));
                }
                String digits = text.startsWith("wait=") ? text.substring("wait=".length()) : "";
                boolean number = !digits.isEmpty()
                        && digits.length() <= MAX_DIGITS
                        && digits.chars().allMatch(c -> c >= '0' && c <= '9');
                if (number && wait.isEmpty()) {
                    wait = Optional.of(new Preference(Duration.ofSeconds(Integer.parseInt(digits)), text));
                }
            }
        }
        return wait;
    }
}
