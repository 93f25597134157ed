package dev.kiln.source;

import dev.kiln.oci.Digest;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Wire;
import java.time.Instant;
import java.util.Optional;

/** What git says a tag means. */
public sealed interface Meaning extends Wire {
    /**
     * The tag means this revision.
     *
     * @param ref the full ref name ({@code refs/tags/v1}), or {@code commit} for a full or short commit id
     * @param sourceUrl where it was looked up, without user information
     * @param observedAt when git said so
     * @param refs stands for all that git said then: as long as it says the same, the tag means the same; empty where that
     *     is not so
     */
    record Found(Revision revision, String ref, String sourceUrl, Instant observedAt, Optional<Digest> refs)
            implements Meaning {}

    /**
     * Git answered completely, and the tag means nothing here.
     *
     * @param repositoryUnknown whether it is the git repository itself that does not exist
     * @param reason one line for the person who pulls: what was looked for, or why the name is refused
     */
    record Unknown(boolean repositoryUnknown, String reason) implements Meaning {}

    /**
     * Git did not answer, or not completely.
     *
     * @param reason one line, without credentials
     */
    record Unavailable(String reason) implements Meaning {}
}
