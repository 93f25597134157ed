package dev.kiln.source;

import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/**
 * What git last said about one repository's refs, at most {@code refresh} old. However many threads ask, git is asked
 * once, and after a failure not again for a short while, so that a server that hangs costs one thread and not each pull.
 */
final class RefObserver {
    /** What is known of the refs now. */
    sealed interface Sighting {
        /** Git said so within {@code refresh}; {@code at} is when the question was put. */
        record Fresh(RefTable table, Instant at) implements Sighting {}

        /** Git said that there is no such repository. */
        record Absent(String reason) implements Sighting {}

        /** Git does not answer, for {@code reason}; this is what it said at {@code at}. */
        record Stale(RefTable table, Instant at, String reason) implements Sighting {}

        /** Git does not answer and never has. */
        record Dark(String reason) implements Sighting {}
    }

    /** A complete answer of git, kept beyond the life of the process. */
    record Known(RefTable table, Instant at) {}

    private static final Duration SHORTEST_MEMORY = Duration.ofSeconds(1);
    private static final Duration LONGEST_FAILURE_MEMORY = Duration.ofSeconds(5);

    private final GitRemote remote;
    private final String name;
    private final Duration refresh;
    private final Duration timeout;
    private final Clock clock;
    private final ExecutorService lookups;
    private final Supplier<Optional<Known>> kept;

    private Optional<Known> known = Optional.empty();
    private boolean keptIsRead;
    private Optional<Absence> absence = Optional.empty();
    private Optional<Failure> failure = Optional.empty();
    private LookUp inFlight;

    private record Absence(String reason, Instant at) {}

    private record Failure(String reason, Instant until) {}

    /**
     * @param name of the server's repository for messages
     * @param lookups where git is asked; bounded
     * @param kept what an earlier life of this process knew; asked at most once, without a lock that git could hold
     */
    RefObserver(
            GitRemote remote,
            String name,
            Duration refresh,
            Duration timeout,
            Clock clock,
            ExecutorService lookups,
            Supplier<Optional<Known>> kept) {
        this.remote = remote;
        this.name = name;
        this.refresh = refresh;
        this.timeout = timeout;
        this.clock = clock;
        this.lookups = lookups;
        this.kept = kept;
    }

    /** Asks git where needed, for at most {@code timeout}. */
    Sighting latest() {
        LookUp lookUp;
        synchronized (this) {
            Optional<Sighting> now = settled();
            if (now.isPresent()) {
                if (now.get() instanceof Sighting.Fresh fresh && isDue(fresh.at())) {
                    lookUp();
                }
                return now.get();
            }
            lookUp = lookUp();
        }
        return lookUp.await();
    }

    /**
     * As {@link #latest}, and asks git also where it said what is known before {@code earliest}, unless it is failing. How
     * often that may be is up to the caller.
     */
    Sighting since(Instant earliest) {
        Sighting sighting = notBefore(earliest);
        // others may have begun the look-up that was waited for
        return isBefore(sighting, earliest) ? notBefore(earliest) : sighting;
    }

    private Sighting notBefore(Instant earliest) {
        LookUp lookUp;
        synchronized (this) {
            Optional<Sighting> now = settled();
            if (now.isPresent() && (!isBefore(now.get(), earliest) || failing().isPresent())) {
                return now.get();
            }
            lookUp = lookUp();
        }
        return lookUp.await();
    }

    private static boolean isBefore(Sighting sighting, Instant earliest) {
        return sighting instanceof Sighting.Fresh fresh && fresh.at().isBefore(earliest);
    }

    /** In the last third of its life an answer is renewed while it is given, so that who asks often never waits for git. */
    private boolean isDue(Instant at) {
        return inFlight == null
                && failure.isEmpty()
                && !isWithin(at, refresh.multipliedBy(2).dividedBy(3), clock.instant());
    }

    private LookUp lookUp() {
        LookUp running = inFlight;
        if (running == null) {
            running = new LookUp();
            inFlight = running;
            // may end at once
            running.start();
        }
        return running;
    }

    /** What is known without asking, or empty when git is to be asked. */
    private synchronized Optional<Sighting> settled() {
        Instant now = clock.instant();
        if (known.isPresent() && isWithin(known.get().at(), refresh, now)) {
            return Optional.of(
                    new Sighting.Fresh(known.get().table(), known.get().at()));
        }
        if (absence.isPresent() && isWithin(absence.get().at(), atLeastShortest(refresh), now)) {
            return Optional.of(new Sighting.Absent(absence.get().reason()));
        }
        return failure.filter(failed -> now.isBefore(failed.until())).map(this::fallBack);
    }

    private Sighting fallBack(Failure failed) {
        recall();
        return known.<Sighting>map(last -> new Sighting.Stale(last.table(), last.at(), failed.reason()))
                .orElseGet(() -> new Sighting.Dark(failed.reason()));
    }

    private void recall() {
        if (known.isEmpty() && !keptIsRead) {
            keptIsRead = true;
            known = kept.get();
        }
    }

    /**
     * A fetch, too, is a complete answer.
     *
     * @param at when it was begun
     */
    synchronized RefTable learn(RefTable table, Instant at) {
        absence = Optional.empty();
        failure = Optional.empty();
        if (known.isPresent() && known.get().at().isAfter(at)) {
            return known.get().table();
        }
        // the same object for the same refs, so that what was derived from it stays valid
        RefTable same = known.map(Known::table).filter(table::hasRefsOf).orElse(table);
        known = Optional.of(new Known(same, at));
        return same;
    }

    /** Git did not answer otherwise, in a fetch: for a short while it is not asked again. */
    synchronized void fail(String reason) {
        Duration memory = refresh.compareTo(LONGEST_FAILURE_MEMORY) < 0 ? refresh : LONGEST_FAILURE_MEMORY;
        failure = Optional.of(new Failure(reason, clock.instant().plus(atLeastShortest(memory))));
    }

    /** Why git is not asked just now, or empty. */
    synchronized Optional<String> failing() {
        return failure.filter(failed -> clock.instant().isBefore(failed.until()))
                .map(Failure::reason);
    }

    /** The number of refs held. */
    synchronized int size() {
        return known.map(last -> last.table().size()).orElse(0);
    }

    private static boolean isWithin(Instant at, Duration life, Instant now) {
        return at.plus(life).isAfter(now);
    }

    private static Duration atLeastShortest(Duration duration) {
        return duration.compareTo(SHORTEST_MEMORY) < 0 ? SHORTEST_MEMORY : duration;
    }

    /** One question to git, and all who wait for its answer. */
    private final class LookUp {
        private final Instant at = clock.instant();
        private final long deadline = System.nanoTime() + timeout.toNanos();
        private final GitRemote.Listing listing = remote.listing(timeout);
        private final CompletableFuture<Sighting> answer = new CompletableFuture<>();
        private Future<?> task;

        void start() {
            try {
                task = lookups.submit(this::ask);
            } catch (RejectedExecutionException e) {
                failed("too many git repositories are being looked up at once; try again shortly");
            }
        }

        private void ask() {
            try {
                settle(listing.run());
            } catch (GitException e) {
                if (e.isRepositoryUnknown()) {
                    absent(e.getMessage());
                } else {
                    failed(e.getMessage());
                }
            } catch (RuntimeException | Error e) {
                failed("git at " + name + " gave an answer that could not be read");
                throw e;
            }
        }

        Sighting await() {
            try {
                return answer.get(Math.max(1, deadline - System.nanoTime()), TimeUnit.NANOSECONDS);
            } catch (TimeoutException e) {
                failed(GitRemote.tooSlow(name, timeout));
                task.cancel(true);
                listing.abort();
                return answer.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return new Sighting.Dark("the look-up was interrupted");
            } catch (ExecutionException e) {
                throw new IllegalStateException("a look-up never fails", e);
            }
        }

        private void settle(RefTable table) {
            synchronized (RefObserver.this) {
                if (isCurrent()) {
                    RefTable same = learn(table, at);
                    answer.complete(new Sighting.Fresh(same, at));
                }
            }
        }

        /**
         * Where there was a repository before, its absence is an outage like any other: lost credentials and a file system
         * that is not mounted look the same, and what is known goes on being served.
         */
        private void absent(String reason) {
            synchronized (RefObserver.this) {
                if (!isCurrent()) {
                    return;
                }
                recall();
                if (known.isPresent()) {
                    fail(reason);
                    answer.complete(fallBack(failure.orElseThrow()));
                } else {
                    absence = Optional.of(new Absence(reason, at));
                    failure = Optional.empty();
                    answer.complete(new Sighting.Absent(reason));
                }
            }
        }

        private void failed(String reason) {
            synchronized (RefObserver.this) {
                if (isCurrent()) {
                    fail(reason);
                    answer.complete(fallBack(failure.orElseThrow()));
                }
            }
        }

        /** An answer that comes after its waiters gave up changes nothing: another look-up may have begun. */
        private boolean isCurrent() {
            if (inFlight != this) {
                return false;
            }
            inFlight = null;
            return true;
        }
    }
}
