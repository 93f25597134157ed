package dev.kiln.blob;

import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * The rules for what clients push.
 *
 * @param uploadExpiry how long an upload session lives after its last acknowledged byte
 * @param grace how long what nothing refers to stays
 * @param disks none of which may be below its limit when a client pushes
 */
public record PushTerms(Duration uploadExpiry, Duration grace, List<FreeSpace> disks) {
    private static final int PARTS = 8;

    public PushTerms {
        disks = List.copyOf(disks);
    }

    /** How much older than it is a thing may look, so that not every use has to be written down. */
    Duration imprecision() {
        return grace.dividedBy(PARTS);
    }

    /** How old what nothing refers to must look before it goes: it has then been unused for the grace time at least. */
    public Duration age() {
        return grace.plus(imprecision());
    }

    /** @throws LowOnSpaceException when a disk is below its limit */
    void requireSpace() throws IOException {
        for (FreeSpace disk : disks) {
            disk.require();
        }
    }
}
