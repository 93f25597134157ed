package dev.kiln.cluster;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which contact points a node that would form a cluster has to wait for, since they may yet turn out to be members of one: a
 * machine that is busy answers late. Looks are counted and not seconds, since this node may be the one that stands still.
 * Pure, but for what it remembers; not thread-safe.
 */
final class ContactPointSilence {
    /** So many looks in a row, about one a second, must find nothing of a contact point. */
    static final int BORNE = 10;

    /** What one look finds of a contact point. */
    enum Sign {
        /** It said lately that it knows of no member. */
        ANSWERED,
        /** Its machine says that nobody listens there. */
        REFUSED,
        /** Nothing, or a connection on which nothing is said. */
        NONE
    }

    private Map<String, Integer> silent = Map.of();

    /**
     * Takes the next look into account; who is no contact point any more is forgotten.
     *
     * @param seen every contact point but this node itself
     * @return those that are to be waited for, in alphabetical order; empty when a cluster may be formed
     */
    List<String> awaited(Map<String, Sign> seen) {
        Map<String, Integer> looks = new HashMap<>();
        List<String> awaited = new ArrayList<>();
        seen.forEach((point, sign) -> {
            if (sign == Sign.NONE) {
                int inARow = silent.getOrDefault(point, 0) + 1;
                looks.put(point, inARow);
                if (inARow < BORNE) {
                    awaited.add(point);
                }
            }
        });
        silent = looks;
        return awaited.stream().sorted().toList();
    }
}
