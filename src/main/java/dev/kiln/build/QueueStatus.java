package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Wire;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** The queue as it stands, in the order in which it hands out work. */
public record QueueStatus(List<Entry> entries, List<Worker> workers) implements Wire {
    public QueueStatus {
        entries = List.copyOf(entries);
        workers = List.copyOf(workers);
    }

    /** @param worker who holds its lease; empty while it waits */
    public record Entry(
            BuildKey key,
            int request,
            Cause cause,
            Instant enqueuedAt,
            Optional<Instant> notBefore,
            Optional<String> worker,
            Optional<Long> fence) {}

    /** A worker that has asked for work lately. */
    public record Worker(String name, int slots, int running, List<String> platforms, List<String> builders) {
        public Worker {
            platforms = List.copyOf(platforms);
            builders = List.copyOf(builders);
        }
    }
}
