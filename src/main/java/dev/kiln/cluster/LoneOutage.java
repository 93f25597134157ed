package dev.kiln.cluster;

import java.time.Duration;
import java.util.OptionalLong;

/**
 * When a registry node that does not reach the database leaves the cluster: others reach it, and could do what this one's
 * entities cannot. While nobody reaches it, all stay. Pure, but for what it remembers; not thread-safe.
 */
final class LoneOutage {
    /**
     * So long, without a break, another node must have said that it reaches the database while this one did not. Of one outage
     * of all, nodes notice the beginning and the end at different times, up to ten seconds apart.
     */
    static final Duration BORNE = Duration.ofSeconds(20);

    private OptionalLong since = OptionalLong.empty();

    /**
     * Takes the next look into account.
     *
     * @param away whether this node does not reach the database
     * @param elsewhere whether another registry node says that it does
     * @param nanos as {@link System#nanoTime}
     * @return whether this node should leave
     */
    boolean leaves(boolean away, boolean elsewhere, long nanos) {
        if (!away || !elsewhere) {
            since = OptionalLong.empty();
            return false;
        }
        if (since.isEmpty()) {
            since = OptionalLong.of(nanos);
        }
        return nanos - since.getAsLong() >= BORNE.toNanos();
    }
}
