package dev.kiln.build;

import dev.kiln.oci.Wire;

/** What a running attempt may be told from outside. */
public sealed interface AttemptCommand extends Wire {
    /** The attempt is not wanted any more: end its processes, publish nothing. */
    record Stop(String reason) implements AttemptCommand {}
}
