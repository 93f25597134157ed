package dev.kiln.build;

import dev.kiln.build.BuildQueue.Ask;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The workers that the queue has heard of lately, by their asks. Not kept in the journal: whoever is alive asks again within
 * seconds. The queue's own; not thread-safe.
 */
final class HeardWorkers {
    private static final int MAX = 1000;
    /** After so many missed asks a worker is given nothing new. */
    private static final int MISSED_ASKS = 4;

    private final Duration silence;
    private final Map<String, Worker> workers = new LinkedHashMap<>();

    /** @param every how often a worker asks */
    HeardWorkers(Duration every) {
        this.silence = every.multipliedBy(MISSED_ASKS);
    }

    /**
     * A worker and its last ask.
     *
     * @param taken leases it was granted since it was first heard of
     * @param before the incarnation that this one followed, whose messages may still be on their way
     */
    private record Worker(Ask ask, int free, long taken, Instant heard, Optional<String> before) {
        Worker granted() {
            return new Worker(ask, free - 1, taken + 1, heard, before);
        }

        HandOut.Offer offer() {
            return new HandOut.Offer(ask.name(), ask.incarnation(), free, ask.platforms(), ask.builders(), taken);
        }

        boolean overtakes(Ask other) {
            return ask.incarnation().equals(other.incarnation())
                    ? other.sequence() <= ask.sequence()
                    : before.equals(Optional.of(other.incarnation()));
        }
    }

    void clear() {
        workers.clear();
    }

    void forgetSilent(Instant now) {
        Instant silentSince = now.minus(silence);
        workers.values().removeIf(worker -> worker.heard().isBefore(silentSince));
    }

    boolean knows(String name) {
        return workers.containsKey(name);
    }

    /** Whether an ask counts: it is the newest of its worker, and there is room for one more. */
    boolean admits(Ask ask) {
        Worker known = workers.get(ask.name());
        return known == null ? workers.size() < MAX : !known.overtakes(ask);
    }

    /** @param free slots for which nothing is on its way */
    void hear(Ask ask, int free, Instant now) {
        Optional<Worker> known = Optional.ofNullable(workers.get(ask.name()));
        Optional<String> before = known.flatMap(w -> w.ask().incarnation().equals(ask.incarnation())
                ? w.before()
                : Optional.of(w.ask().incarnation()));
        workers.put(ask.name(), new Worker(ask, free, known.map(Worker::taken).orElse(0L), now, before));
    }

    /** What can be handed out to whom. */
    List<HandOut.Offer> offers() {
        return workers.values().stream()
                .filter(worker -> worker.free() > 0)
                .map(Worker::offer)
                .toList();
    }

    /** Takes a free slot of a worker that {@link #offers} named. @return its last ask */
    Ask grant(String name) {
        return workers.computeIfPresent(name, (key, worker) -> worker.granted()).ask();
    }

    /** All of them, and those that are drained and silent. */
    List<QueueStatus.Worker> status(QueueState state) {
        return Stream.concat(
                        workers.keySet().stream(),
                        state.drained().stream().filter(name -> !knows(name)).sorted())
                .map(name -> status(state, name))
                .toList();
    }

    QueueStatus.Worker status(QueueState state, String name) {
        boolean drained = state.drained().contains(name);
        Worker known = workers.get(name);
        return known == null
                ? new QueueStatus.Worker(name, 0, (int) state.leasedTo(name).count(), List.of(), List.of(), drained)
                : new QueueStatus.Worker(
                        name,
                        known.ask().slots(),
                        known.ask().slots() - known.free(),
                        known.ask().platforms(),
                        known.ask().builders(),
                        drained);
    }
}
