package dev.kiln.repository;

import dev.kiln.blob.Links;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;

/** Removes links from the content store, off the caller's thread. */
@FunctionalInterface
public interface Unlinker {
    /**
     * Removes the links of something that was pushed; a link of any other origin stays.
     *
     * @param kinds of the links that go
     * @param untouchedSince a link that was used since then stays as well; empty: whenever it was used
     * @return whether no such link is there any more
     */
    CompletionStage<Boolean> unlink(
            RepositoryName repository, Digest digest, Set<Links.Kind> kinds, Optional<Instant> untouchedSince);
}
