package dev.kiln.cluster;

import java.time.Duration;
import java.util.OptionalLong;

/**
 * When a registry node that does not reach the database leaves the cluster: most others reach it, and could do what this
 * one's entities cannot. So at least half of the registry nodes are left, however many of the others leave at once. Pure, but
 * for what it remembers; not thread-safe.
 */
final class LoneOutage {
    /**
     * So long, without a break, most other nodes must have said that they reach the database while this one did not. Of one
     * outage of all, nodes notice the beginning and the end at different times, up to ten seconds apart.
     */
    static final Duration BORNE = Duration.ofSeconds(20);

    /** Who has looked less often stood still, and knows nothing of that time. A look takes three seconds at most. */
    static final Duration LOOKING = Duration.ofSeconds(5);

    private OptionalLong since = OptionalLong.empty();
    private long last;

    /**
     * Takes the next look into account.
     *
     * @param away whether this node does not reach the database
     * @param reaching how many other registry nodes say that they do
     * @param others how many other registry nodes there are
     * @param nanos as {@link System#nanoTime}
     * @return whether this node should leave
     */
    boolean leaves(boolean away, long reaching, long others, long nanos) {
        if (!away || 2 * reaching <= others) {
            since = OptionalLong.empty();
            return false;
        }
        if (since.isEmpty() || nanos - last > LOOKING.toNanos()) {
            since = OptionalLong.of(nanos);
        }
        last = nanos;
        return nanos - since.getAsLong() >= BORNE.toNanos();
    }
}
