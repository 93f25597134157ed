package dev.kiln.client;

import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What a client says with {@code Prefer} (RFC 7240) about waiting: {@code wait=N} seconds, or {@code respond-async}, which
 * here is a wait of none where no other is named: builds are started, and the answer is the final one. Other preferences
 * are ignored, as the RFC wants.
 *
 * @param longestWait over all hops
 * @param applied for {@code Preference-Applied}
 */
public record Preference(Duration longestWait, String applied) {
    private static final String WAIT = "wait";
    private static final String ASYNC = "respond-async";
    private static final int MAX_PREFERENCES = 32;
    private static final int MAX_DIGITS = 6;

    /** @param lines every {@code Prefer} header's value; the first preference of a kind counts */
    public static Optional<Preference> read(List<String> lines) {
        Optional<Preference> async = Optional.empty();
        for (String line : lines) {
            for (String element : line.split(",", MAX_PREFERENCES)) {
                String[] parts = element.split(";", 2)[0].split("=", 2);
                String name = parts[0].strip().toLowerCase(Locale.ROOT);
                String value = parts.length < 2 ? "" : unquoted(parts[1].strip());
                if (name.equals(WAIT) && isSeconds(value)) {
                    return Optional.of(new Preference(Duration.ofSeconds(Integer.parseInt(value)), WAIT + "=" + value));
                }
                if (name.equals(ASYNC) && value.isEmpty()) {
                    async = Optional.of(new Preference(Duration.ZERO, ASYNC));
                }
            }
        }
        return async;
    }

    /** Whether a client with this plan waits as it said (RFC 7240, 3): neither cut short by the plan, nor held longer. */
    public boolean isAppliedBy(WaitPlan plan) {
        return plan.patience().equals(WaitPlan.longer(longestWait, WaitPlan.TO_LOOK));
    }

    private static boolean isSeconds(String text) {
        return !text.isEmpty() && text.length() <= MAX_DIGITS && text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    private static String unquoted(String word) {
        boolean quoted = word.length() >= 2 && word.startsWith("\"") && word.endsWith("\"");
        return quoted ? word.substring(1, word.length() - 1) : word;
    }
}
