package dev.kiln.build;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.kiln.oci.BuildKey;
import java.time.Instant;
import java.util.Optional;

/** What happened to the queue, as the journal keeps it. Stored names never change. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
    @JsonSubTypes.Type(value = QueueEvent.Enqueued.class, name = "enqueued"),
    @JsonSubTypes.Type(value = QueueEvent.Granted.class, name = "granted"),
    @JsonSubTypes.Type(value = QueueEvent.Returned.class, name = "returned"),
    @JsonSubTypes.Type(value = QueueEvent.Removed.class, name = "removed"),
    @JsonSubTypes.Type(value = QueueEvent.Drained.class, name = "drained"),
    @JsonSubTypes.Type(value = QueueEvent.Undrained.class, name = "undrained")
})
public sealed interface QueueEvent {
    /**
     * Takes the place of an entry of an earlier request of the same build.
     *
     * @param urgent whether an operator asked for it; absent in earlier versions
     */
    record Enqueued(BuildKey key, int request, Cause cause, BuildInput input, Instant at, Optional<Boolean> urgent)
            implements QueueEvent {}

    /** @param fence higher than that of every lease before */
    record Granted(BuildKey key, int request, long fence, String worker, String incarnation, Instant at)
            implements QueueEvent {}

    /** The lease is over; the entry waits again. */
    record Returned(BuildKey key, long fence, String reason, Optional<Instant> notBefore, Instant at)
            implements QueueEvent {}

    /** The build said that the request has ended. */
    record Removed(BuildKey key, int request, Instant at) implements QueueEvent {}

    /** The worker is given nothing new until {@link Undrained}, over restarts of its node too. */
    record Drained(String worker, String by, Instant at) implements QueueEvent {}

    record Undrained(String worker, String by, Instant at) implements QueueEvent {}
}
