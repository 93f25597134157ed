package dev.kiln.build;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.kiln.oci.Descriptor;
import java.time.Instant;
import java.util.Optional;

/**
 * What happened to a build, as the journal keeps it for ever. The names under which the events are stored, and those of
 * their fields, never change: {@code src/test/resources/journal} keeps a sample of each.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
    @JsonSubTypes.Type(value = BuildEvent.Requested.class, name = "requested"),
    @JsonSubTypes.Type(value = BuildEvent.AttemptStarted.class, name = "attempt-started"),
    @JsonSubTypes.Type(value = BuildEvent.AttemptFailed.class, name = "attempt-failed"),
    @JsonSubTypes.Type(value = BuildEvent.AttemptLost.class, name = "attempt-lost"),
    @JsonSubTypes.Type(value = BuildEvent.Built.class, name = "built"),
    @JsonSubTypes.Type(value = BuildEvent.Failed.class, name = "failed"),
    @JsonSubTypes.Type(value = BuildEvent.ResultDiscarded.class, name = "result-discarded")
})
public sealed interface BuildEvent {
    Instant at();

    /** Somebody wants it: the queue holds it already. */
    record Requested(int request, Cause cause, BuildInput input, Instant at) implements BuildEvent {}

    /**
     * A worker begins; persisted before its process starts.
     *
     * @param fence of the lease it runs under
     */
    record AttemptStarted(int attempt, int request, long fence, String worker, Instant at) implements BuildEvent {}

    /** @param retryAt when the next attempt may start; empty when there is none, and {@link Failed} follows */
    record AttemptFailed(
            int attempt, long fence, FailureClass failureClass, String message, Optional<Instant> retryAt, Instant at)
            implements BuildEvent {}

    /**
     * It ended without a word of its own: neither the source's fault nor counted as an attempt.
     *
     * @param handedBack whether the worker gave it back in good order
     */
    record AttemptLost(int attempt, long fence, boolean handedBack, String reason, Instant at) implements BuildEvent {}

    /** The manifest, its blobs and their links are in the content store. */
    record Built(int attempt, long fence, Descriptor manifest, Instant at) implements BuildEvent {}

    /**
     * The request ended without a result.
     *
     * @param until when this is forgotten; empty: only a retry changes it
     */
    record Failed(int request, FailureClass failureClass, String message, Optional<Instant> until, Instant at)
            implements BuildEvent {}

    /** A worker reported for an attempt that was no longer current. */
    record ResultDiscarded(int attempt, long fence, String what, Instant at) implements BuildEvent {}
}
