package dev.kiln.build;

import dev.kiln.oci.Wire;

/** What who pushes the image of a running attempt is told. */
public sealed interface PushAnswer extends Wire {
    /** The attempt runs and waits for its image. */
    record Open() implements PushAnswer {}

    /** The image is the build's result, and recorded as such. */
    record Stored() implements PushAnswer {}

    /** The image is none that this build can have: its attempt has failed. */
    record Rejected(String message) implements PushAnswer {}

    /** The image could not be taken in, by no fault of its own: the attempt has failed. */
    record NotTaken(String message) implements PushAnswer {}

    /** Nothing is taken with this token. */
    record Refused(String message) implements PushAnswer {}
}
