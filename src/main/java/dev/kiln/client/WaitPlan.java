package dev.kiln.client;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * How a kind of client is made to wait, and what it is told when waiting is over; data from {@code wait-plans.conf}.
 *
 * @param family its name there, or {@code unknown}
 * @param hop the longest time one request is held
 * @param patience the longest time one pull is held, over all hops
 * @param redirects whether it follows a 307 to itself; if not, it is held once
 * @param leastHold for clients that repeat a 429 at once: one is never given sooner than this after its request came
 * @param startsBuilds whether its pulls start builds; if not, it gets the newest index there is, else a 404
 * @param wholeIndex whether it gets complete indexes only, whatever {@code answer-when} says
 * @param answers the final answer for every situation
 */
public record WaitPlan(
        String family,
        Duration hop,
        Duration patience,
        boolean redirects,
        Duration leastHold,
        boolean startsBuilds,
        boolean wholeIndex,
        Map<Situation, FinalAnswer> answers) {
    /** What a pull that will not wait is held all the same, so that it starts its builds and sees what is there. */
    static final Duration TO_LOOK = Duration.ofSeconds(1);

    public WaitPlan {
        answers = Map.copyOf(answers);
    }

    /** Why a pull ends without an image. */
    public enum Situation {
        /** No platform is built yet. */
        NOTHING_READY,
        /** Something is built, but not what the pull waits for. */
        AWAITED_NOT_READY,
        /** What it waits for failed. */
        FAILED,
        /** Its build finds no place in the queue. */
        QUEUE_FULL
    }

    /** @param retryAfter the longest time, which is also the answer when nobody can tell; empty: no such header */
    public record FinalAnswer(int status, Optional<Duration> retryAfter) {
        /** An estimate is a guess: who comes at once because of a wrong one would come again and again. */
        private static final Duration FLOOR = Duration.ofSeconds(5);

        /** The header: no longer than what is waited for is likely to take. */
        public Optional<Duration> retryAfter(Optional<Duration> eta) {
            return retryAfter.map(most ->
                    eta.map(time -> shorter(longer(time, FLOOR), most)).orElse(most));
        }
    }

    /** The answer for {@code situation}. */
    public FinalAnswer answer(Situation situation) {
        return answers.get(situation);
    }

    /** This plan within a repository's own limits. */
    public WaitPlan within(Duration longestHop, Duration longestPatience) {
        Duration ownHop = shorter(hop, longestHop);
        Duration most = redirects ? ownHop.multipliedBy(Hop.MAX + 1L) : ownHop;
        return with(ownHop, shorter(shorter(patience, longestPatience), most), wholeIndex);
    }

    /** This plan for a client that says itself how long it will wait (RFC 7240, 4.3). */
    public WaitPlan waitingAtMost(Duration wait) {
        Duration longEnough = longer(wait, longer(leastHold, TO_LOOK));
        Duration most = shorter(patience, longEnough);
        return with(shorter(hop, most), most, wholeIndex);
    }

    /** This plan for a pull that wants a complete index or nothing. */
    public WaitPlan forWholeIndex() {
        return with(hop, patience, true);
    }

    private WaitPlan with(Duration newHop, Duration newPatience, boolean whole) {
        return new WaitPlan(family, newHop, newPatience, redirects, leastHold, startsBuilds, whole, answers);
    }

    static Duration longer(Duration a, Duration b) {
        return a.compareTo(b) >= 0 ? a : b;
    }

    static Duration shorter(Duration a, Duration b) {
        return a.compareTo(b) <= 0 ? a : b;
    }
}
