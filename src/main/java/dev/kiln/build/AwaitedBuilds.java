package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Builds in the queue that somebody waits for, as their owners said last. Not stored: it is said again every few seconds,
 * and forgotten when it is not. Not thread-safe.
 */
final class AwaitedBuilds {
    private static final Duration LONGEST = Duration.ofMinutes(5);
    /** So long what was found out of the order is told from: thousands may ask in the same second. */
    private static final Duration PLACES = Duration.ofSeconds(1);

    private final Map<BuildKey, Instant> until = new HashMap<>();
    private Map<BuildKey, Integer> places = Map.of();
    private Instant placesUntil = Instant.MIN;

    void clear() {
        until.clear();
        placesUntil = Instant.MIN;
    }

    /** The place of {@code build} in the queue, where somebody now waits for it, for {@code term} at most. */
    Optional<Integer> await(BuildKey build, Duration term, QueueState state, Instant now) {
        until.put(build, now.plus(term.compareTo(LONGEST) < 0 ? term : LONGEST));
        if (!now.isBefore(placesUntil)) {
            places = HandOut.places(state, at(now), now);
            placesUntil = now.plus(PLACES);
        }
        return Optional.ofNullable(places.get(build));
    }

    Set<BuildKey> at(Instant now) {
        until.values().removeIf(end -> !now.isBefore(end));
        return until.keySet();
    }

    /** Whatever does not wait in {@code state} is nobody's concern any more: the bound of the queue is the bound here. */
    void forgetOthersThan(QueueState state) {
        until.keySet()
                .removeIf(build -> state.find(build)
                        .filter(entry -> entry.lease().isEmpty())
                        .isEmpty());
    }
}
