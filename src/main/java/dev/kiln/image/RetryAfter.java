package dev.kiln.image;

import java.time.Duration;
import java.util.Optional;

/** How long a client that was sent away should stay away. Pure. */
final class RetryAfter {
    /** An estimate is a guess: who comes at once because of a wrong one would come again and again. */
    private static final Duration FLOOR = Duration.ofSeconds(5);

    private RetryAfter() {}

    /**
     * No longer than the build is likely to take, within the bounds of the plan.
     *
     * @param plan the longest time, which is also the answer when nobody can tell
     */
    static Duration of(Duration plan, Optional<Duration> eta) {
        Duration wanted = eta.filter(time -> time.compareTo(FLOOR) > 0).orElse(eta.isPresent() ? FLOOR : plan);
        return wanted.compareTo(plan) < 0 ? wanted : plan;
    }
}
