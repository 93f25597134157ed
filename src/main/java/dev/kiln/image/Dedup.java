package dev.kiln.image;

import dev.kiln.image.RevisionWaiter.Join;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.ToIntFunction;

/** Counts how this node's pulls share builds, since its start. A pull counts once, over all its hops. Thread-safe. */
public final class Dedup {
    private final LongAdder wanted = new LongAdder();
    private final LongAdder started = new LongAdder();
    private final LongAdder waiting = new LongAdder();
    private final LongAdder starters = new LongAdder();

    /**
     * The counts.
     *
     * @param started builds that pulls here have begun
     * @param joined pulls that waited for builds, all of which another pull had begun
     * @param saved builds that would have been made besides, had each pull begun its own
     */
    public record Counts(long started, long joined, long saved) {}

    /** The pulls of one waiter. Not thread-safe. */
    final class Tally {
        /**
         * How many pulls there were of which is not known yet what they need, by what they want: there are few such wishes, and
         * clients that come and go while a source is fetched are without number.
         */
        private final Map<Wish, Long> uncounted = new HashMap<>();
        /** The last that began a build. */
        private Optional<Join> starter = Optional.empty();

        void add(Join pull) {
            if (pull.anew()) {
                uncounted.merge(pull.wish(), 1L, Long::sum);
            }
        }

        /** @param builds how many builds a pull has to wait for */
        void count(ToIntFunction<Wish> builds) {
            uncounted.forEach((wish, pulls) -> {
                int number = builds.applyAsInt(wish);
                if (number > 0) {
                    waiting.add(pulls);
                    wanted.add(number * pulls);
                }
            });
            uncounted.clear();
        }

        void forget() {
            uncounted.clear();
        }

        /** A build was begun for this pull. */
        void began(Join pull) {
            started.increment();
            if (!starter.equals(Optional.of(pull))) {
                starter = Optional.of(pull);
                starters.increment();
            }
        }
    }

    public Counts counts() {
        // In this order: what began has waited before.
        long begun = started.sum();
        long beginners = starters.sum();
        return new Counts(begun, Math.max(0, waiting.sum() - beginners), Math.max(0, wanted.sum() - begun));
    }
}
