package dev.kiln.clients;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which answers a client asks for again by itself, and after how long, by its own source (the retry policies of containerd,
 * containers/image, go-containerregistry, regclient and oras-go).
 *
 * @param lastHopOnly whether it repeats the request that was answered; if not, the one that it began with
 */
record Repeats(Rule rule, boolean lastHopOnly) {
    static final Repeats NONE = new Repeats((statuses, retryAfter) -> Optional.empty(), false);

    private static final Set<Integer> BUSY = Set.of(500, 503, 504);

    /** Decides about the last of the answers that a client has had so far, redirects not counted. */
    interface Rule {
        /** @return how long to pause first; empty: that answer is the end */
        Optional<Duration> pause(List<Integer> statuses, Optional<Long> retryAfter);
    }

    /**
     * At once, whatever the server says.
     *
     * @param tries requests in all
     * @param busyToo whether a 5xx is repeated, unless it is the same as the answer before (from 2.1 on)
     */
    static Repeats containerd(int tries, boolean busyToo) {
        return new Repeats(
                (statuses, retryAfter) -> {
                    int last = statuses.get(statuses.size() - 1);
                    boolean same = statuses.size() > 1
                            && statuses.get(statuses.size() - 2).equals(last);
                    boolean again = last == 429 || (busyToo && BUSY.contains(last) && !same);
                    return Optional.of(Duration.ZERO).filter(zero -> again && statuses.size() < tries);
                },
                false);
    }

    /** Five 429, as told, a minute at most; without being told after 2, 4, 8 and 16 s. */
    static Repeats containersImage() {
        return new Repeats(
                (statuses, retryAfter) -> last(statuses) == 429 && statuses.size() < 5
                        ? Optional.of(Duration.ofSeconds(Math.min(60, retryAfter.orElse(1L << statuses.size()))))
                        : Optional.empty(),
                false);
    }

    /** Three tries, after 1 and 3 s of its own. */
    static Repeats goContainerRegistry(Set<Integer> repeated) {
        return new Repeats(
                (statuses, retryAfter) -> repeated.contains(last(statuses)) && statuses.size() < 3
                        ? Optional.of(Duration.ofSeconds(statuses.size() == 1 ? 1 : 3))
                        : Optional.empty(),
                true);
    }

    /** Six 429 when it is told when to come, else five; a 503 is the end. */
    static Repeats regclient() {
        return new Repeats(
                (statuses, retryAfter) -> last(statuses) == 429 && statuses.size() < (retryAfter.isPresent() ? 6 : 5)
                        ? Optional.of(
                                retryAfter.map(Duration::ofSeconds).orElse(Duration.ofMillis(100L << statuses.size())))
                        : Optional.empty(),
                false);
    }

    /** Six tries, after 0.25 s and always twice as long, or as told, but never more than 3 s. */
    static Repeats oras() {
        return new Repeats(
                (statuses, retryAfter) -> {
                    int last = last(statuses);
                    Duration own = Duration.ofMillis(125L << statuses.size());
                    Duration told =
                            last == 429 ? retryAfter.map(Duration::ofSeconds).orElse(own) : own;
                    Duration most = Duration.ofSeconds(3);
                    return Optional.of(told.compareTo(most) < 0 ? told : most)
                            .filter(pause -> (last == 429 || last >= 500) && statuses.size() < 6);
                },
                true);
    }

    private static int last(List<Integer> statuses) {
        return statuses.get(statuses.size() - 1);
    }
}
