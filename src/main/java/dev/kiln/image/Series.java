package dev.kiln.image;

import dev.kiln.client.Hint;
import dev.kiln.oci.Platform;
import java.util.Optional;

/**
 * A series of a revision's indexes: what waiters and caches are for.
 *
 * @param flavour which the series lists in place of its plain platform; empty for the common one, which lists none
 */
record Series(TagKey revision, Optional<Platform> flavour) {
    /** The series from which a pull with this hint is answered. */
    static Series of(TagKey revision, Optional<Hint> hint) {
        return new Series(revision, hint.map(Hint::platform).filter(Platform::isFlavour));
    }

    @Override
    public String toString() {
        return revision + flavour.map(f -> " for " + f).orElse("");
    }
}
