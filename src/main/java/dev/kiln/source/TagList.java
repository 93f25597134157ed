package dev.kiln.source;

import dev.kiln.oci.Tag;
import java.util.List;

/** The tags that a git repository's allowed refs make. */
public sealed interface TagList {
    /** @param tags in byte order, none twice; each of them resolves. Commit ids are tags too, but not listed */
    record Listed(List<Tag> tags) implements TagList {
        public Listed {
            tags = List.copyOf(tags);
        }

        /** At most {@code limit} tags after {@code after}, which may be any text. */
        List<Tag> page(String after, int limit) {
            // Tags are ASCII, so that the order of their characters is that of their bytes.
            return tags.stream()
                    .filter(tag -> tag.value().compareTo(after) > 0)
                    .limit(limit)
                    .toList();
        }
    }

    /** There is no such git repository. */
    record Unknown(String reason) implements TagList {}

    /** Git did not answer and nothing is known of before. */
    record Unavailable(String reason) implements TagList {}
}
