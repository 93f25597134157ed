package dev.kiln.repository;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/** Removes links from the content store, off the caller's thread. */
@FunctionalInterface
public interface Unlinker {
    /**
     * Removes the link of something that was pushed; a link of any other origin stays.
     *
     * @param untouchedSince a link that was used since then stays as well; empty: whenever it was used
     * @return whether no link of a push is there any more
     */
    CompletionStage<Boolean> unlink(RepositoryName repository, Digest digest, Optional<Instant> untouchedSince);
}
