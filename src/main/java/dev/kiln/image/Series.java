package dev.kiln.image;

import dev.kiln.client.Hint;
import dev.kiln.oci.Platform;
import java.util.ArrayList;
import java.util.List;
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

    /**
     * What an index of a series lists when it is complete, in order. A flavour that the revision does not have yet is not
     * among them, nor is anything in its place.
     *
     * @param all of the revision, flavours included
     */
    static List<Platform> platforms(List<Platform> all, Optional<Platform> flavour) {
        Optional<Platform> joined = flavour.filter(all::contains);
        Optional<Platform> replaced = joined.map(Platform::plain);
        List<Platform> listed = new ArrayList<>();
        for (Platform platform : all) {
            if (replaced.equals(Optional.of(platform))) {
                listed.add(joined.get());
            } else if (!platform.isFlavour()) {
                listed.add(platform);
            }
        }
        joined.filter(f -> !listed.contains(f)).ifPresent(listed::add);
        return listed;
    }

    @Override
    public String toString() {
        return revision + flavour.map(f -> " for " + f).orElse("");
    }
}
