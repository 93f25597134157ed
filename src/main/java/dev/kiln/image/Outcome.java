package dev.kiln.image;

import dev.kiln.build.BuildFailure;
import dev.kiln.oci.BuildKey;
import java.time.Duration;
import java.util.Optional;

/** How a pull's waiting ended. */
sealed interface Outcome {
    record Ready(RevisionSnapshot snapshot) implements Outcome {}

    /**
     * @param queueFull whether it waits for a place in the queue
     * @param somethingBuilt whether there is an index, though not one that is answer enough
     * @param eta how long {@code build} is likely to take from now on
     */
    record TimedOut(
            String progress,
            Optional<BuildKey> build,
            boolean queueFull,
            boolean somethingBuilt,
            Optional<Duration> eta)
            implements Outcome {}

    record GaveUp(BuildKey build, BuildFailure failure) implements Outcome {}

    /** The source cannot be built at all. */
    record Refused(String message) implements Outcome {}
}
