package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Wire;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/** The queue as it stands, in the order in which it hands out work. */
public record QueueStatus(List<Entry> entries, List<Worker> workers) implements Wire {
    public QueueStatus {
        entries = List.copyOf(entries);
        workers = List.copyOf(workers);
    }

    /** What runs, as it came; then what waits, as it is handed out. */
    static QueueStatus of(QueueState state, Set<BuildKey> awaited, List<Worker> workers, Instant now) {
        Map<BuildKey, Integer> places = HandOut.places(state, awaited, now);
        List<Entry> entries = Stream.concat(
                        state.entries().stream().filter(e -> e.lease().isPresent()),
                        places.keySet().stream().flatMap(key -> state.find(key).stream()))
                .map(e -> new Entry(
                        e.key(),
                        e.request(),
                        e.cause(),
                        e.enqueuedAt(),
                        e.notBefore(),
                        e.lease().map(QueueState.Lease::worker),
                        e.lease().map(QueueState.Lease::fence),
                        e.urgent() || awaited.contains(e.key()),
                        Optional.ofNullable(places.get(e.key()))))
                .toList();
        return new QueueStatus(entries, workers);
    }

    /**
     * One build that waits or runs.
     *
     * @param cause the beginning of what it says
     * @param worker who holds its lease; empty while it waits
     * @param awaited whether somebody waits for it now, or an operator asked for it
     * @param position its place among those that wait for the same platform, from 1; empty when it does not wait
     */
    public record Entry(
            BuildKey key,
            int request,
            Cause cause,
            Instant enqueuedAt,
            Optional<Instant> notBefore,
            Optional<String> worker,
            Optional<Long> fence,
            boolean awaited,
            Optional<Integer> position) {
        public Entry {
            cause = cause.brief();
        }
    }

    /**
     * A worker that has asked for work lately, or is drained.
     *
     * @param slots 0 of one that has not asked lately
     * @param drained whether it is given nothing new
     */
    public record Worker(
            String name, int slots, int running, List<String> platforms, List<String> builders, boolean drained) {
        public Worker {
            platforms = List.copyOf(platforms);
            builders = List.copyOf(builders);
        }
    }
}
