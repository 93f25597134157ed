package dev.kiln.build;

import dev.kiln.build.QueueState.Entry;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * Who gets work next; without Akka or clock: the same answer for the same state, offers, awaited builds and time.
 *
 * <p>First what an operator asked for or somebody waits for now; among equals the repository that runs the fewest; among
 * those the one whose turn it is, in a circle; of one repository what came first. Of a worker's leases each
 * {@value #BY_AGE}th goes by age alone: to what came first of all that the worker takes. So nobody starves, whatever others
 * ask for: what finds n older entries that the same worker takes has its lease after at most {@value #BY_AGE}(n + 1) leases
 * of that worker.
 *
 * <p>A worker that returned an entry is given it again, by age too, only when no other has room for it: what ended the lease
 * may be the worker's own fault, as a full disk is, and it alone would use up the build's attempts while others stand idle.
 */
final class HandOut {
    static final int BY_AGE = 5;

    private HandOut() {}

    /**
     * What a worker can take now.
     *
     * @param free slots, over all its platforms
     * @param platforms texts of platforms, or {@code *}
     * @param builders their names, or {@code *}
     * @param taken leases it was granted since it was first heard of
     */
    record Offer(
            String worker,
            String incarnation,
            int free,
            Collection<String> platforms,
            Collection<String> builders,
            long taken) {
        boolean fits(Entry entry) {
            return (platforms.contains("*")
                            || platforms.contains(entry.key().platform().toString()))
                    && (builders.contains("*")
                            || builders.contains(entry.input().builder()));
        }
    }

    /** The slots of one worker while they are given away. */
    private static final class Slots {
        private final Offer offer;
        private int free;
        private long taken;

        Slots(Offer offer) {
            this.offer = offer;
            this.free = offer.free();
            this.taken = offer.taken();
        }

        boolean returned(Entry entry) {
            return entry.returnedBy().equals(Optional.of(offer.worker()));
        }
    }

    /** What a worker must offer. Thousands of entries have few of them. */
    private record Need(String platform, String builder) {
        static Need of(Entry entry) {
            return new Need(entry.key().platform().toString(), entry.input().builder());
        }
    }

    /**
     * The leases that can be granted now, each to the fitting worker with the most free slots, the first of equals. A drained
     * worker gets none.
     *
     * @param awaited builds that somebody waits for
     */
    static List<QueueEvent.Granted> grants(
            QueueState state, Collection<Offer> offers, Set<BuildKey> awaited, Instant now) {
        List<Slots> workers = new ArrayList<>();
        for (Offer offer : offers) {
            if (offer.free() > 0 && !state.drained().contains(offer.worker())) {
                workers.add(new Slots(offer));
            }
        }
        if (workers.isEmpty()) {
            return List.of();
        }
        Map<Need, Boolean> fits = new HashMap<>();
        Predicate<Entry> candidate = entry -> entry.isReady(now)
                && fits.computeIfAbsent(Need.of(entry), need -> workers.stream().anyMatch(w -> w.offer.fits(entry)));
        List<Entry> oldest = state.entries().stream().filter(candidate).toList();
        List<QueueEvent.Granted> grants = new ArrayList<>();
        Set<BuildKey> given = new HashSet<>();
        for (Iterator<Entry> fair = order(state, oldest, awaited).iterator(); fair.hasNext() && !workers.isEmpty(); ) {
            Entry next = fair.next();
            while (!given.contains(next.key())) {
                Optional<Slots> best = best(workers, next);
                if (best.isEmpty()) {
                    break;
                }
                Slots worker = best.get();
                Entry entry = worker.taken % BY_AGE == 0 ? first(oldest, worker, workers, given) : next;
                given.add(entry.key());
                grants.add(new QueueEvent.Granted(
                        entry.key(),
                        entry.request(),
                        state.lastFence() + 1 + grants.size(),
                        worker.offer.worker(),
                        worker.offer.incarnation(),
                        now));
                worker.taken++;
                if (--worker.free == 0) {
                    workers.remove(worker);
                }
            }
        }
        return grants;
    }

    private static Optional<Slots> best(List<Slots> workers, Entry entry) {
        Optional<Slots> best = Optional.empty();
        for (Slots worker : workers) {
            if (worker.offer.fits(entry)
                    && best.map(b -> isBetter(worker, b, entry)).orElse(true)) {
                best = Optional.of(worker);
            }
        }
        return best;
    }

    private static boolean isBetter(Slots worker, Slots than, Entry entry) {
        boolean returned = worker.returned(entry);
        return returned == than.returned(entry) ? worker.free > than.free : !returned;
    }

    private static Entry first(List<Entry> oldest, Slots worker, List<Slots> workers, Set<BuildKey> given) {
        return oldest.stream()
                .filter(entry -> worker.offer.fits(entry) && !given.contains(entry.key()))
                .filter(entry -> !worker.returned(entry)
                        || workers.stream().noneMatch(other -> other != worker && other.offer.fits(entry)))
                .findFirst()
                .orElseThrow();
    }

    /**
     * Entries that wait, in the order in which they are handed out as long as nothing else happens and but for the leases that
     * go by age.
     *
     * @param waiting in the order in which they came
     */
    static List<Entry> order(QueueState state, List<Entry> waiting, Set<BuildKey> awaited) {
        Map<RepositoryName, Integer> running = new HashMap<>();
        for (Entry entry : state.entries()) {
            if (entry.lease().isPresent()) {
                running.merge(entry.key().repository(), 1, Integer::sum);
            }
        }
        List<Ranked> ranked = new ArrayList<>(waiting.size());
        for (boolean first : List.of(true, false)) {
            for (Entry entry : waiting) {
                if (first == (entry.urgent() || awaited.contains(entry.key()))) {
                    RepositoryName repository = entry.key().repository();
                    // The repository's next entry is handed out when this one runs.
                    int before = running.merge(repository, 1, Integer::sum) - 1;
                    ranked.add(new Ranked(entry, first ? 0 : 1, before, state.turn(repository)));
                }
            }
        }
        // Stable: among equals what came first.
        ranked.sort(Comparator.comparingInt(Ranked::group)
                .thenComparingInt(Ranked::running)
                .thenComparingLong(Ranked::turn));
        return ranked.stream().map(Ranked::entry).toList();
    }

    private record Ranked(Entry entry, int group, int running, long turn) {}

    /** The place of each entry that waits among those that wait for the same platform, from 1; what may not start yet last. */
    static Map<BuildKey, Integer> places(QueueState state, Set<BuildKey> awaited, Instant now) {
        Map<BuildKey, Integer> places = new LinkedHashMap<>();
        Map<Platform, Integer> last = new HashMap<>();
        for (boolean ready : List.of(true, false)) {
            List<Entry> waiting = state.entries().stream()
                    .filter(entry -> entry.lease().isEmpty() && entry.isReady(now) == ready)
                    .toList();
            for (Entry entry : order(state, waiting, awaited)) {
                places.put(entry.key(), last.merge(entry.key().platform(), 1, Integer::sum));
            }
        }
        return places;
    }
}
