package dev.kiln.build;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.RepositoryName;
import java.time.Instant;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Who waits, who holds a lease, and which workers get nothing new; without Akka or clock, immutable. Who gets work next is
 * decided by {@link HandOut}.
 */
public final class QueueState {
    public static final QueueState EMPTY = new QueueState(0, List.of(), Map.of(), Set.of());
    /** Of drained workers: their names outlive them. */
    static final int MAX_DRAINED = 1000;

    private final long lastFence;
    /** In the order in which they came. */
    private final Map<BuildKey, Entry> entries;

    private final Map<RepositoryName, Long> turns;
    private final Set<String> drained;

    /**
     * As it is stored. What a state of an earlier version lacks is null.
     *
     * @param lastFence of all leases ever granted
     * @param entries in the order in which they came
     * @param turns for each repository with an entry, by its name, the fence of its last lease, or the last fence of all when
     *     its first entry came: the lower, the sooner it is its turn
     * @param drained names of workers that are given nothing new
     */
    @JsonCreator
    static QueueState stored(
            @JsonProperty("lastFence") long lastFence,
            @JsonProperty("entries") List<Entry> entries,
            @JsonProperty("turns") Map<String, Long> turns,
            @JsonProperty("drained") Set<String> drained) {
        Map<RepositoryName, Long> byName = new HashMap<>();
        if (turns != null) {
            turns.forEach((name, fence) -> byName.put(new RepositoryName(name), fence));
        }
        return new QueueState(lastFence, entries, byName, drained == null ? Set.of() : new TreeSet<>(drained));
    }

    private QueueState(long lastFence, List<Entry> entries, Map<RepositoryName, Long> turns, Set<String> drained) {
        this(lastFence, new LinkedHashMap<>(), turns, drained);
        entries.forEach(e -> this.entries.put(e.key(), e));
    }

    /** The maps are its own from now on. */
    private QueueState(
            long lastFence, Map<BuildKey, Entry> entries, Map<RepositoryName, Long> turns, Set<String> drained) {
        this.lastFence = lastFence;
        this.entries = entries;
        this.turns = turns;
        this.drained = drained;
    }

    /**
     * One build that waits or runs.
     *
     * @param input what the attempt is made from, so that a build that lost its own record can go on from here
     * @param urgent whether an operator asked for it
     * @param returnedBy the worker whose lease on it ended last; absent in earlier versions
     */
    public record Entry(
            BuildKey key,
            int request,
            Cause cause,
            BuildInput input,
            Instant enqueuedAt,
            Optional<Instant> notBefore,
            Optional<Lease> lease,
            boolean urgent,
            Optional<String> returnedBy) {

        boolean isReady(Instant now) {
            return lease.isEmpty() && notBefore.map(t -> !now.isBefore(t)).orElse(true);
        }

        private Entry granted(Lease next) {
            return new Entry(
                    key, request, cause, input, enqueuedAt, Optional.empty(), Optional.of(next), urgent, returnedBy);
        }

        private Entry returned(Optional<Instant> nextNotBefore) {
            Optional<String> by = lease.map(Lease::worker);
            return new Entry(key, request, cause, input, enqueuedAt, nextNotBefore, Optional.empty(), urgent, by);
        }
    }

    /** @param incarnation of the worker's process: a new one gives up the leases of its earlier life */
    public record Lease(long fence, String worker, String incarnation) {}

    /** Why an entry is not taken. */
    public enum Refusal {
        FULL,
        REPOSITORY_FULL
    }

    @JsonProperty("lastFence")
    public long lastFence() {
        return lastFence;
    }

    /** In the order in which they came. A view. */
    @JsonProperty("entries")
    public Collection<Entry> entries() {
        return Collections.unmodifiableCollection(entries.values());
    }

    @JsonProperty("turns")
    Map<String, Long> turns() {
        Map<String, Long> byText = new HashMap<>();
        turns.forEach((name, fence) -> byText.put(name.value(), fence));
        return byText;
    }

    @JsonProperty("drained")
    public Set<String> drained() {
        return Collections.unmodifiableSet(drained);
    }

    Optional<Entry> find(BuildKey key) {
        return Optional.ofNullable(entries.get(key));
    }

    Optional<Entry> leased(long fence) {
        return entries.values().stream()
                .filter(e -> e.lease().isPresent() && e.lease().get().fence() == fence)
                .findFirst();
    }

    Stream<Entry> leasedTo(String worker) {
        return entries.values().stream()
                .filter(e -> e.lease().isPresent() && e.lease().get().worker().equals(worker));
    }

    /** The lower, the sooner it is its turn. */
    long turn(RepositoryName repository) {
        return turns.getOrDefault(repository, 0L);
    }

    /** Whether (key, request) or a later request of the same build is here already, so that enqueuing changes nothing. */
    boolean holds(BuildKey key, int request) {
        return find(key).map(e -> e.request() >= request).orElse(false);
    }

    /** Whether there is no room for one more entry of {@code key}'s repository. */
    Optional<Refusal> refusal(BuildKey key, int limit, int limitPerRepository) {
        if (entries.containsKey(key)) {
            return Optional.empty();
        }
        if (entries.size() >= limit) {
            return Optional.of(Refusal.FULL);
        }
        return count(entries, key.repository()) >= limitPerRepository
                ? Optional.of(Refusal.REPOSITORY_FULL)
                : Optional.empty();
    }

    private static long count(Map<BuildKey, Entry> entries, RepositoryName repository) {
        return entries.keySet().stream()
                .filter(key -> key.repository().equals(repository))
                .count();
    }

    /** When the next waiting entry becomes ready by time alone. */
    Optional<Instant> nextReady(Instant now) {
        return entries.values().stream()
                .filter(e -> e.lease().isEmpty() && e.notBefore().isPresent())
                .map(e -> e.notBefore().get())
                .filter(now::isBefore)
                .min(Instant::compareTo);
    }

    public QueueState apply(QueueEvent event) {
        if (event instanceof QueueEvent.Drained e) {
            return withDrained(e.worker(), true);
        }
        if (event instanceof QueueEvent.Undrained e) {
            return withDrained(e.worker(), false);
        }
        Map<BuildKey, Entry> nextEntries = new LinkedHashMap<>(entries);
        Map<RepositoryName, Long> nextTurns = new HashMap<>(turns);
        long fence = lastFence;
        if (event instanceof QueueEvent.Enqueued e) {
            nextEntries.remove(e.key());
            nextEntries.put(
                    e.key(),
                    new Entry(
                            e.key(),
                            e.request(),
                            e.cause(),
                            e.input(),
                            e.at(),
                            Optional.empty(),
                            Optional.empty(),
                            e.urgent().orElse(false),
                            Optional.empty()));
            nextTurns.putIfAbsent(e.key().repository(), lastFence);
        } else if (event instanceof QueueEvent.Granted e) {
            fence = Math.max(fence, e.fence());
            Lease lease = new Lease(e.fence(), e.worker(), e.incarnation());
            nextEntries.computeIfPresent(e.key(), (k, old) -> old.granted(lease));
            nextTurns.replace(e.key().repository(), e.fence());
        } else if (event instanceof QueueEvent.Returned e) {
            nextEntries.computeIfPresent(
                    e.key(),
                    (k, old) -> old.lease().filter(l -> l.fence() == e.fence()).isPresent()
                            ? old.returned(e.notBefore())
                            : old);
        } else if (event instanceof QueueEvent.Removed e) {
            nextEntries.computeIfPresent(e.key(), (k, old) -> old.request() <= e.request() ? null : old);
            if (count(nextEntries, e.key().repository()) == 0) {
                nextTurns.remove(e.key().repository());
            }
        } else {
            throw new IllegalStateException("every event is one of the above");
        }
        return new QueueState(fence, nextEntries, nextTurns, drained);
    }

    private QueueState withDrained(String worker, boolean drain) {
        Set<String> next = new HashSet<>(drained);
        if (drain) {
            next.add(worker);
        } else {
            next.remove(worker);
        }
        return new QueueState(lastFence, entries, turns, next);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof QueueState that
                && lastFence == that.lastFence
                && List.copyOf(entries.values()).equals(List.copyOf(that.entries.values()))
                && turns.equals(that.turns)
                && drained.equals(that.drained);
    }

    @Override
    public int hashCode() {
        return Objects.hash(lastFence, entries, turns, drained);
    }

    @Override
    public String toString() {
        return "QueueState[lastFence=" + lastFence + ", entries=" + entries.values() + ", turns=" + turns + ", drained="
                + drained + "]";
    }
}
