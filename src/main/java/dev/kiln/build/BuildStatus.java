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
        Optional<BuildFailure> failure)
        implements Wire {

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
