package dev.kiln.blob;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.util.Optional;

/**
 * Which digests belong to which repository. A digest is served only through a repository that has a link to it. Blocking.
 */
public interface Links {
    /** Publishes a link, flushed to disk before it returns, atomic, idempotent. A link of the other kind stays. */
    void publish(RepositoryName repository, Digest digest, Link link) throws IOException;

    /** The link of a digest; the manifest's where it has one of each kind. */
    Optional<Link> find(RepositoryName repository, Digest digest) throws IOException;

    /**
     * What a link says.
     *
     * @param kind whether the digest may be asked for under /manifests (then also under /blobs) or only under /blobs
     * @param mediaType what a manifest is served as; for a blob, what its manifest calls it
     * @param size in bytes
     * @param origin what can make it again: a build's key text, or {@code index}, {@code source}, or
     *     {@code docker:} and the digest of what it says in Docker's media types
     */
    record Link(Kind kind, String mediaType, long size, String origin) {}

    enum Kind {
        MANIFEST,
        BLOB
    }
}
