package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;

/**
 * What clients pushed. Its links and bytes lie apart from those of what was built, and nothing here removes any of the
 * latter. What a repository has a link to stays; links are removed by {@link #remove} alone, so that whoever decides on
 * that, one at a time for a repository, decides on everything. Thread-safe; blocking.
 */
public interface PushedContent {
    /** Blobs on their way in. */
    Uploads uploads();

    /**
     * The link of something that was pushed or mounted here and whose bytes are there; the manifest's where it has one of
     * each kind. From then on it counts as used now, and no removal that was decided on before takes it away.
     */
    Optional<Links.Link> use(RepositoryName repository, Digest digest) throws IOException;

    /**
     * As {@link #use}, for who asks whether a blob is there: the blob's where it has one of each kind. It counts as used for
     * the grace time: what a client was told is there does not go by itself before its push may have come to its end.
     */
    Optional<Links.Link> useAsBlob(RepositoryName repository, Digest digest) throws IOException;

    /**
     * Publishes a manifest's link and bytes, both flushed to disk before this returns. Idempotent.
     *
     * @throws IllegalArgumentException when the bytes are not the descriptor's
     * @throws LowOnSpaceException when a disk is below its limit
     */
    void publishManifest(RepositoryName repository, Descriptor manifest, byte[] bytes) throws IOException;

    /**
     * Makes a blob of one repository, built or pushed, one of another's too. Flushed to disk before this returns.
     *
     * @return its size in bytes; empty when {@code from} does not have it
     */
    Optional<Long> mount(RepositoryName from, RepositoryName to, Digest digest) throws IOException;

    /**
     * As {@link #mount}, when any repository got it by a push.
     *
     * @return its size in bytes; empty when none did
     */
    Optional<Long> mountFromAny(RepositoryName to, Digest digest) throws IOException;

    /**
     * Removes the links of something that was pushed or mounted here; any other link stays. Its bytes go later, when no
     * repository has a link to them.
     *
     * @param kinds of the links that go: what was pushed both as a blob and as a manifest may go as the one and stay as the
     *     other
     * @param untouchedSince a link that was used since then stays as well; empty: whenever it was used
     * @param decision confirmed when the links have been looked at: one that is used after that stays
     * @return whether there is no such link any more
     */
    boolean remove(
            RepositoryName repository,
            Digest digest,
            Set<Links.Kind> kinds,
            Optional<Instant> untouchedSince,
            Decision decision)
            throws IOException;

    /** That something is to be removed. */
    @FunctionalInterface
    interface Decision {
        /** Fails where it does not hold any more: whoever made it may not be the one who decides by now. */
        void confirm() throws IOException;
    }
}
