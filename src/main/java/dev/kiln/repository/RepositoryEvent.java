package dev.kiln.repository;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Tag;
import java.time.Instant;
import java.util.List;

/** What clients pushed to a repository and deleted there, as the journal keeps it. Stored names never change. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
    @JsonSubTypes.Type(value = RepositoryEvent.ManifestPushed.class, name = "manifest-pushed"),
    @JsonSubTypes.Type(value = RepositoryEvent.ManifestDeleted.class, name = "manifest-deleted"),
    @JsonSubTypes.Type(value = RepositoryEvent.TagDeleted.class, name = "tag-deleted"),
    @JsonSubTypes.Type(value = RepositoryEvent.LinkRemoved.class, name = "link-removed")
})
public sealed interface RepositoryEvent {
    Instant at();

    /**
     * The manifest, its link and all that it refers to are in the content store.
     *
     * @param tags that mean it from now on, in place of what they meant before
     */
    record ManifestPushed(PushedManifest manifest, List<Tag> tags, Pusher by, Instant at) implements RepositoryEvent {
        public ManifestPushed {
            tags = List.copyOf(tags);
        }
    }

    /**
     * The manifest is gone, and every tag that meant it; its link may still be there until {@link LinkRemoved}.
     *
     * @param left how many manifests the repository still has
     */
    record ManifestDeleted(Digest digest, int left, Pusher by, Instant at) implements RepositoryEvent {}

    /** The tag means nothing any more; what it meant stays. */
    record TagDeleted(Tag tag, Pusher by, Instant at) implements RepositoryEvent {}

    /** The link of a manifest that was deleted is gone too. */
    record LinkRemoved(Digest digest, Instant at) implements RepositoryEvent {}
}
