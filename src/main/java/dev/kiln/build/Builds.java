package dev.kiln.build;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** Builds, for those who look at or change single ones. Never blocks; stages fail with a {@link dev.kiln.problem.Problem}. */
public interface Builds {
    /** How a build stands; {@link BuildStatus.Phase#NEW} when it was never requested. Changes nothing. */
    CompletionStage<BuildStatus> status(BuildKey key);

    /**
     * Requests a failed or cancelled build anew.
     *
     * @param by who asks, for the record
     */
    CompletionStage<BuildStatus> retry(BuildKey key, String by);

    /** Ends a queued or running build; it is not started again until somebody retries it. */
    CompletionStage<BuildStatus> cancel(BuildKey key, String by);

    /**
     * Whether the running attempt takes its image from whoever has this token; and, with a manifest, takes it, which ends the
     * attempt. Takes as long as an image takes to be copied; idempotent.
     *
     * @param manifest of an image that is in the store with all that it refers to; empty to ask
     */
    CompletionStage<PushAnswer> push(BuildKey key, PushToken token, Optional<Descriptor> manifest);

    /** Who waits and who runs. */
    CompletionStage<QueueStatus> queue();

    /**
     * Has a worker be given nothing new, or work again; what it runs goes on. Stored.
     *
     * @param by who asks, for the record
     */
    CompletionStage<QueueStatus.Worker> drain(String worker, boolean drain, String by);
}
