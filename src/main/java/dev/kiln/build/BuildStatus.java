package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Wire;
import java.time.Instant;
import java.util.Optional;

/**
 * How a build stands, for those who wait for it and those who look.
 *
 * @param request the number of the last request, 0 when it was never requested
 * @param attempt the number of the last attempt, 0 before the first
 * @param requestedAt of the last request
 * @param startedAt of the last attempt
 * @param endedAt of the last request, when it has ended
 * @param notBefore when the next attempt may start, while one is waited for
 * @param position its place among those that wait for its platform, from 1, as the queue said a few seconds ago; only
 *     while somebody waits for it
 */
public record BuildStatus(
        BuildKey key,
        Phase phase,
        int request,
        int attempt,
        Optional<Instant> requestedAt,
        Optional<Instant> startedAt,
        Optional<Instant> endedAt,
        Optional<Instant> notBefore,
        Optional<Descriptor> manifest,
        Optional<BuildFailure> failure,
        Optional<Integer> position)
        implements Wire {

    /** Of a build whose place in the queue is not known. */
    public BuildStatus(
            BuildKey key,
            Phase phase,
            int request,
            int attempt,
            Optional<Instant> requestedAt,
            Optional<Instant> startedAt,
            Optional<Instant> endedAt,
            Optional<Instant> notBefore,
            Optional<Descriptor> manifest,
            Optional<BuildFailure> failure) {
        this(
                key,
                phase,
                request,
                attempt,
                requestedAt,
                startedAt,
                endedAt,
                notBefore,
                manifest,
                failure,
                Optional.empty());
    }

    BuildStatus at(Optional<Integer> place) {
        return new BuildStatus(
                key, phase, request, attempt, requestedAt, startedAt, endedAt, notBefore, manifest, failure, place);
    }

    /** What is known when this was heard and {@code next} comes: what is built stays so, and what says less was overtaken. */
    public BuildStatus then(BuildStatus next) {
        return phase == Phase.BUILT ? this : next;
    }

    public enum Phase {
        /** Never requested. */
        NEW,
        /** Waiting for a worker, or for the time of its next attempt. */
        QUEUED,
        RUNNING,
        BUILT,
        FAILED
    }
}
