package dev.kiln.repository;

import dev.kiln.oci.Digest;
import java.util.List;
import java.util.Map;

/**
 * A repository's state as it is stored, so that a long life is not gone through again: a copy, without what follows from the
 * rest. The stored form is kept like an event's.
 *
 * @param tags what each means, by its text
 * @param unlinked manifests that were deleted and whose links were not, in that order
 */
public record RepositorySnapshot(List<PushedManifest> manifests, Map<String, Digest> tags, List<Digest> unlinked) {
    public RepositorySnapshot {
        manifests = List.copyOf(manifests);
        tags = Map.copyOf(tags);
        unlinked = List.copyOf(unlinked);
    }
}
