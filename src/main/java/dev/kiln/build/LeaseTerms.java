package dev.kiln.build;

import dev.kiln.config.KilnConfig;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Until when each lease runs, by its fence. Not kept in the journal: after a recovery every lease gets one fresh term. The
 * queue's own; not thread-safe.
 */
final class LeaseTerms {
    /** Within so many asks a worker names a new lease, or the grant was lost or the worker is. */
    private static final int ASKS_TO_CONFIRM = 3;

    private final KilnConfig.Queue config;
    private final Map<Long, Term> terms = new HashMap<>();

    LeaseTerms(KilnConfig.Queue config) {
        this.config = config;
    }

    /** @param confirmed whether the worker has named the lease */
    private record Term(Instant deadline, boolean confirmed) {}

    /** Begins anew with the leases of the journal. */
    void recover(QueueState state, Instant now) {
        terms.clear();
        Term fresh = new Term(now.plus(config.lease()), false);
        fences(state).forEach(fence -> terms.put(fence, fresh));
    }

    /** A lease that was granted just now. */
    void grant(long fence, Instant now) {
        terms.put(fence, new Term(confirmBy(now), false));
    }

    /** The worker has named the lease. */
    void renew(long fence, Instant now) {
        terms.put(fence, new Term(now.plus(config.lease()), true));
    }

    /** The worker has not named the lease. @return whether the grant may still be on its way: it has a few asks' time */
    boolean mayStillCome(long fence, Instant now) {
        Term term = terms.get(fence);
        if (term == null || term.confirmed()) {
            return false;
        }
        terms.put(fence, new Term(earlier(term.deadline(), confirmBy(now)), false));
        return true;
    }

    boolean isOver(long fence, Instant now) {
        Term term = terms.get(fence);
        return term == null || !now.isBefore(term.deadline());
    }

    /** Forgets those that are in force no more. */
    void keepOnly(QueueState state) {
        terms.keySet().retainAll(fences(state));
    }

    Stream<Instant> deadlines() {
        return terms.values().stream().map(Term::deadline);
    }

    private static Set<Long> fences(QueueState state) {
        Set<Long> fences = new HashSet<>();
        state.entries().forEach(entry -> entry.lease().ifPresent(lease -> fences.add(lease.fence())));
        return fences;
    }

    private Instant confirmBy(Instant now) {
        return earlier(now.plus(config.ask().multipliedBy(ASKS_TO_CONFIRM)), now.plus(config.lease()));
    }

    private static Instant earlier(Instant a, Instant b) {
        return a.isBefore(b) ? a : b;
    }
}
