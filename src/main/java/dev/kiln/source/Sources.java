package dev.kiln.source;

import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.oci.Wire;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;

/**
 * What git says, asked once however many want to know. Never blocks. A stage that is not answered within its timeout
 * fails with a {@link java.util.concurrent.TimeoutException}; the look-up goes on, and the next call joins it.
 */
public interface Sources {
    /** The most tags of one answer, which must fit into one message between nodes. */
    int MAX_TAGS = 10_001;

    CompletionStage<Meaning> resolve(RepositoryName repository, Tag tag, Duration timeout);

    /** Makes sure that the tree of a revision is in the content store. */
    CompletionStage<ArchiveAnswer> archive(RepositoryName repository, Revision revision, Duration timeout);

    /** The tags after {@code after}, which may be any text, in byte order, at most {@code limit} and {@link #MAX_TAGS}. */
    CompletionStage<TagsAnswer> tags(RepositoryName repository, String after, int limit, Duration timeout);

    /** Whether there is a source archive. */
    sealed interface ArchiveAnswer extends Wire {
        /** @param sourceUrl where it comes from, without user information */
        record Archived(SourceArchive archive, String sourceUrl) implements ArchiveAnswer {}

        /** The revision's own fault, e.g. a submodule: one line for the person who pulls. */
        record Refused(String message) implements ArchiveAnswer {}

        record Unavailable(String reason) implements ArchiveAnswer {}
    }

    /** Which tags there are. */
    sealed interface TagsAnswer extends Wire {
        record Listed(List<Tag> tags) implements TagsAnswer {
            public Listed {
                tags = List.copyOf(tags);
            }
        }

        record RepositoryUnknown() implements TagsAnswer {}

        record Unavailable(String reason) implements TagsAnswer {}
    }
}
