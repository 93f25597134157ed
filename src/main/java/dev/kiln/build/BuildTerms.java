package dev.kiln.build;

import dev.kiln.config.RepositoryConfig;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;

/**
 * What the configuration says of a build now.
 *
 * @param builder that makes it; empty: none any more
 * @param attempts how often an infrastructure failure is tried, at least once
 * @param failureMemory how long the source's own failure is remembered
 * @param backoff before the second attempt; doubles with each one after it
 */
public record BuildTerms(Optional<String> builder, int attempts, Duration failureMemory, Duration backoff) {
    private static final int MAX_DOUBLINGS = 10;

    public static BuildTerms of(RepositoryConfig repository) {
        RepositoryConfig.Build build = repository.build();
        return new BuildTerms(repository.builder(), build.attempts(), build.failureMemory(), build.backoff());
    }

    /** How long to wait after the {@code failures}th failure, counted from 1. */
    Duration backoffAfter(int failures) {
        return backoff.multipliedBy(1L << Math.min(failures - 1, MAX_DOUBLINGS));
    }

    /**
     * Until when an infrastructure failure that was the last is remembered: twice the last back-off there was, or where the
     * first failure was the last, twice the first.
     */
    Instant forgottenAfter(int failures, Instant now) {
        return now.plus(backoffAfter(Math.max(1, failures - 1)).multipliedBy(2));
    }
}
