package dev.kiln.build;

import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * When a build that is under way is likely to be done, by what builds of its repository and platform usually take. Pure.
 *
 * @param queue how long it is still likely to wait; empty when nobody can tell
 * @param build how long it is then likely to run; empty when nobody can tell
 */
public record BuildEta(Certainty certainty, Optional<Duration> queue, Optional<Duration> build) {
    /** How good the estimate is. */
    public enum Certainty {
        /** No build like it has succeeded lately. */
        UNKNOWN,
        ESTIMATED,
        /** It waits, or runs, longer than is usual: it may be done any moment, or in a long time. */
        OVERDUE
    }

    private static final BuildEta NOBODY_KNOWS = new BuildEta(Certainty.UNKNOWN, Optional.empty(), Optional.empty());

    /** Of a build as it stands; empty when it is not under way. */
    public static Optional<BuildEta> of(BuildStatus status, Optional<BuildTimes> usual, Instant now) {
        return switch (status.phase()) {
            case QUEUED ->
                Optional.of(status.requestedAt()
                        .map(at -> queued(at, status.notBefore(), usual, now))
                        .orElse(NOBODY_KNOWS));
            case RUNNING ->
                Optional.of(
                        status.startedAt().map(at -> running(at, usual, now)).orElse(NOBODY_KNOWS));
            case NEW, BUILT, FAILED -> Optional.empty();
        };
    }

    /**
     * Of a build that waits.
     *
     * @param notBefore when its next attempt may start at the earliest
     */
    public static BuildEta queued(
            Instant requestedAt, Optional<Instant> notBefore, Optional<BuildTimes> usual, Instant now) {
        if (usual.isEmpty()) {
            return NOBODY_KNOWS;
        }
        Optional<Duration> build = Optional.of(usual.get().build());
        Duration left = later(
                left(requestedAt, usual.get().queue(), now),
                notBefore.map(at -> Duration.between(now, at)).orElse(Duration.ZERO));
        return left.compareTo(Duration.ZERO) > 0
                ? new BuildEta(Certainty.ESTIMATED, Optional.of(left), build)
                : new BuildEta(Certainty.OVERDUE, Optional.empty(), build);
    }

    private static BuildEta running(Instant startedAt, Optional<BuildTimes> usual, Instant now) {
        if (usual.isEmpty()) {
            return NOBODY_KNOWS;
        }
        Duration left = left(startedAt, usual.get().build(), now);
        return left.compareTo(Duration.ZERO) > 0
                ? new BuildEta(Certainty.ESTIMATED, Optional.of(Duration.ZERO), Optional.of(left))
                : new BuildEta(Certainty.OVERDUE, Optional.of(Duration.ZERO), Optional.empty());
    }

    /** Clocks of two nodes may differ: what begins in the future has just begun. */
    private static Duration left(Instant since, Duration usual, Instant now) {
        return usual.minus(later(Duration.between(since, now), Duration.ZERO));
    }

    private static Duration later(Duration a, Duration b) {
        return a.compareTo(b) > 0 ? a : b;
    }

    /** The whole time that is left; empty unless it is {@link Certainty#ESTIMATED}. */
    public Optional<Duration> left() {
        return certainty == Certainty.ESTIMATED ? queue.flatMap(q -> build.map(q::plus)) : Optional.empty();
    }
}
