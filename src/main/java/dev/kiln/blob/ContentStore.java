package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;

/** What the nodes share: bytes by digest, and which repository they belong to. */
public record ContentStore(BlobStore blobs, Links links) {
    /**
     * Publishes a manifest or an index and then its link, both flushed to disk before this returns. Idempotent; blocking.
     *
     * @param origin as {@link Links.Link#origin}
     */
    public Descriptor publishManifest(RepositoryName repository, String mediaType, byte[] bytes, String origin)
            throws IOException {
        Digest digest = Digest.sha256(bytes);
        try (StagedBlob staged = blobs.stage()) {
            staged.out().write(bytes);
            staged.commit(digest);
        }
        links.publish(repository, digest, new Links.Link(Links.Kind.MANIFEST, mediaType, bytes.length, origin));
        return new Descriptor(mediaType, digest, bytes.length);
    }
}
