package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Who waits and who holds a lease; without Akka or clock. Entries stand in the order in which they came.
 *
 * @param lastFence of all leases ever granted
 */
public record QueueState(long lastFence, List<Entry> entries) {
    public static final QueueState EMPTY = new QueueState(0, List.of());

    public QueueState {
        entries = List.copyOf(entries);
    }

    /** @param input what the attempt is made from, so that a build that lost its own record can go on from here */
    public record Entry(
            BuildKey key,
            int request,
            Cause cause,
            BuildInput input,
            Instant enqueuedAt,
            Optional<Instant> notBefore,
            Optional<Lease> lease) {

        boolean isReady(Instant now) {
            return lease.isEmpty() && notBefore.map(t -> !now.isBefore(t)).orElse(true);
        }
    }

    /**
     * What a worker can take now.
     *
     * @param free slots
     * @param platforms texts of platforms, or {@code *}
     * @param builders their names, or {@code *}
     */
    public record Offer(
            String worker, String incarnation, int free, Collection<String> platforms, Collection<String> builders) {
        boolean fits(Entry entry) {
            return (platforms.contains("*")
                            || platforms.contains(entry.key().platform().toString()))
                    && (builders.contains("*")
                            || builders.contains(entry.input().builder()));
        }
    }

    /** @param incarnation of the worker's process: a new one gives up the leases of its earlier life */
    public record Lease(long fence, String worker, String incarnation) {}

    /** Why an entry is not taken. */
    public enum Refusal {
        FULL,
        REPOSITORY_FULL
    }

    Optional<Entry> find(BuildKey key) {
        return entries.stream().filter(e -> e.key().equals(key)).findFirst();
    }

    Optional<Entry> leased(long fence) {
        return entries.stream()
                .filter(e -> e.lease().isPresent() && e.lease().get().fence() == fence)
                .findFirst();
    }

    Stream<Entry> leasedTo(String worker) {
        return entries.stream()
                .filter(e -> e.lease().isPresent() && e.lease().get().worker().equals(worker));
    }

    /** Whether (key, request) or a later request of the same build is here already, so that enqueuing changes nothing. */
    boolean holds(BuildKey key, int request) {
        return find(key).map(e -> e.request() >= request).orElse(false);
    }

    /** Whether there is no room for one more entry of {@code key}'s repository. */
    Optional<Refusal> refusal(BuildKey key, int limit, int limitPerRepository) {
        if (find(key).isPresent()) {
            return Optional.empty();
        }
        if (entries.size() >= limit) {
            return Optional.of(Refusal.FULL);
        }
        long sameRepository = entries.stream()
                .filter(e -> e.key().repository().equals(key.repository()))
                .count();
        return sameRepository >= limitPerRepository ? Optional.of(Refusal.REPOSITORY_FULL) : Optional.empty();
    }

    /**
     * Who gets what now: the ready entries in their order, each to the fitting worker with the most free slots, the first
     * of equals.
     */
    List<QueueEvent.Granted> grants(Collection<Offer> offers, Instant now) {
        Map<Offer, Integer> free = new LinkedHashMap<>();
        offers.stream().filter(offer -> offer.free() > 0).forEach(offer -> free.put(offer, offer.free()));
        // Thousands may wait for a platform that nobody has a slot for; the workers are looked through once for each.
        Set<List<String>> nobody = new HashSet<>();
        List<QueueEvent.Granted> grants = new ArrayList<>();
        for (Entry entry : entries) {
            if (free.isEmpty()) {
                break;
            }
            List<String> need =
                    List.of(entry.key().platform().toString(), entry.input().builder());
            if (!entry.isReady(now) || nobody.contains(need)) {
                continue;
            }
            Optional<Offer> best = Optional.empty();
            for (Offer offer : free.keySet()) {
                if (offer.fits(entry)
                        && best.map(b -> free.get(b) < free.get(offer)).orElse(true)) {
                    best = Optional.of(offer);
                }
            }
            if (best.isEmpty()) {
                nobody.add(need);
                continue;
            }
            Offer offer = best.get();
            free.computeIfPresent(offer, (o, n) -> n > 1 ? n - 1 : null);
            grants.add(new QueueEvent.Granted(
                    entry.key(),
                    entry.request(),
                    lastFence + 1 + grants.size(),
                    offer.worker(),
                    offer.incarnation(),
                    now));
        }
        return grants;
    }

    /** When the next waiting entry becomes ready by time alone. */
    Optional<Instant> nextReady(Instant now) {
        return entries.stream()
                .filter(e -> e.lease().isEmpty())
                .flatMap(e -> e.notBefore().stream())
                .filter(now::isBefore)
                .min(Instant::compareTo);
    }

    public QueueState apply(QueueEvent event) {
        Map<BuildKey, Entry> byKey = new LinkedHashMap<>(entries.size() * 2);
        entries.forEach(e -> byKey.put(e.key(), e));
        long fence = lastFence;
        if (event instanceof QueueEvent.Enqueued e) {
            byKey.remove(e.key());
            byKey.put(
                    e.key(),
                    new Entry(e.key(), e.request(), e.cause(), e.input(), e.at(), Optional.empty(), Optional.empty()));
        } else if (event instanceof QueueEvent.Granted e) {
            fence = Math.max(fence, e.fence());
            Lease lease = new Lease(e.fence(), e.worker(), e.incarnation());
            byKey.computeIfPresent(e.key(), (k, old) -> with(old, Optional.empty(), Optional.of(lease)));
        } else if (event instanceof QueueEvent.Returned e) {
            byKey.computeIfPresent(
                    e.key(),
                    (k, old) -> old.lease().filter(l -> l.fence() == e.fence()).isPresent()
                            ? with(old, e.notBefore(), Optional.empty())
                            : old);
        } else if (event instanceof QueueEvent.Removed e) {
            byKey.computeIfPresent(e.key(), (k, old) -> old.request() <= e.request() ? null : old);
        } else {
            throw new IllegalStateException("every event is one of the above");
        }
        return new QueueState(fence, List.copyOf(byKey.values()));
    }

    private static Entry with(Entry old, Optional<Instant> notBefore, Optional<Lease> lease) {
        return new Entry(old.key(), old.request(), old.cause(), old.input(), old.enqueuedAt(), notBefore, lease);
    }
}
