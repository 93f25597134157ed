package dev.kiln.client;

import dev.kiln.oci.Revision;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * Where a pull stands that has been sent back to itself: the redirect counter's content.
 *
 * @param number of redirects so far, 0 to {@link #MAX}
 * @param startedAt when the pull began, to the second
 * @param revision the revision it began with, once that is known
 */
public record Hop(int number, Instant startedAt, Optional<Revision> revision) {
    /** Go's HTTP client follows nine redirects; the tenth fails (clients.md, section 1). */
    public static final int MAX = 9;

    public static Hop first(Instant now) {
        return new Hop(0, now, Optional.empty());
    }

    public Hop at(Revision revision) {
        return new Hop(number, startedAt, Optional.of(revision));
    }

    public Hop next() {
        return new Hop(number + 1, startedAt, revision);
    }

    /**
     * How long this request, which came {@code now}, may be held. The last one is not cut so short that its answer comes at
     * once. Some clients repeat the last redirect instead of their first request: their patience has passed, and what they
     * show of it must come before they give up themselves.
     */
    public Duration hold(WaitPlan plan, Instant now) {
        boolean over = !now.isBefore(startedAt.plus(plan.patience()));
        Duration left =
                over ? WaitPlan.TO_LOOK : plan.patience().minus(plan.hop().multipliedBy(number));
        return WaitPlan.shorter(WaitPlan.longer(left, plan.leastHold()), plan.hop());
    }

    /** Whether the client may be sent back once more when this hop has passed. */
    public boolean mayGoOn(WaitPlan plan) {
        return plan.redirects()
                && number < MAX
                && plan.hop().multipliedBy(number + 1L).compareTo(plan.patience()) < 0;
    }
}
