package dev.kiln.image;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.kiln.build.Cause;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.source.SourceArchive;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** What happened to a tag, as the journal keeps it. Stored names never change. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
@JsonSubTypes({
    @JsonSubTypes.Type(value = TagEvent.RefMeant.class, name = "ref-meant"),
    @JsonSubTypes.Type(value = TagEvent.RevisionOpened.class, name = "revision-opened"),
    @JsonSubTypes.Type(value = TagEvent.PlatformJoined.class, name = "platform-joined"),
    @JsonSubTypes.Type(value = TagEvent.IndexComposed.class, name = "index-composed")
})
public sealed interface TagEvent {
    Instant at();

    /**
     * A ref means another revision.
     *
     * @param at when git said so
     */
    record RefMeant(Revision revision, String ref, Instant at) implements TagEvent {}

    /**
     * The first pull of a revision. Its platform set is fixed by this.
     *
     * @param source the source's address without user information
     */
    record RevisionOpened(String source, SourceArchive archive, List<Platform> platforms, Cause cause, Instant at)
            implements TagEvent {
        public RevisionOpened {
            platforms = List.copyOf(platforms);
        }
    }

    /** A platform that was configured later was asked for. */
    record PlatformJoined(Platform platform, Cause cause, Instant at) implements TagEvent {}

    /**
     * Exactly these bytes, and their link, are in the content store.
     *
     * @param cause the pull that it was composed for; empty when nobody waited, and in events from before it was recorded
     */
    record IndexComposed(Descriptor index, IndexComposer.Composition composition, Optional<Cause> cause, Instant at)
            implements TagEvent {}

    /** The address as an index may carry it: https and ssh only, without user information. */
    static Optional<String> publicSource(String source) {
        return source.startsWith("https://") || source.startsWith("ssh://") ? Optional.of(source) : Optional.empty();
    }
}
