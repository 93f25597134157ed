package dev.kiln.repository;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import java.util.List;
import java.util.Optional;

/**
 * What a repository knows of a manifest that was pushed to it. The bytes are in the content store.
 *
 * @param references the blobs and manifests that stay as long as it does, none twice; its subject is not among them
 * @param subject the manifest that it says something about, which need not exist
 * @param artifactType as referrers are listed and filtered by: its own, or that of an image manifest's configuration
 */
public record PushedManifest(
        Descriptor descriptor, List<Digest> references, Optional<Digest> subject, Optional<String> artifactType) {
    public PushedManifest {
        references = List.copyOf(references);
    }

    public Digest digest() {
        return descriptor.digest();
    }
}
