package dev.kiln.build;

import akka.actor.typed.ActorRef;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Wire;
import java.util.Optional;

/** What a running attempt may be told from outside. */
public sealed interface AttemptCommand extends Wire {
    /** The attempt is not wanted any more: end its processes, publish nothing. */
    record Stop(String reason) implements AttemptCommand {}

    /**
     * Whoever has this attempt's token asks whether it counts, or has pushed all of the image. May be said again; only who
     * said it last is answered.
     *
     * @param token the digest of a {@link PushToken}
     * @param manifest of the image, which is in the store with all that it refers to; empty to ask
     */
    record Push(Digest token, Optional<Descriptor> manifest, ActorRef<PushAnswer> replyTo) implements AttemptCommand {}
}
