package dev.kiln.image;

import dev.kiln.build.Cause;
import dev.kiln.client.Hint;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * One GET or HEAD of a manifest by tag.
 *
 * @param hop the {@code w} parameter as it came; an invalid one is as if absent
 * @param acceptsIndex whether the client's {@code Accept} lines take an index
 * @param otherwise what is pulled instead when the source has no such tag
 * @param cause asked for when the pull causes anything, which a hit does not
 */
public record Pull(
        RepositoryName repository,
        Tag tag,
        Optional<Hint> hint,
        Optional<String> hop,
        boolean acceptsIndex,
        Supplier<Cause> cause,
        Optional<Pull> otherwise) {
    public Pull(
            RepositoryName repository,
            Tag tag,
            Optional<Hint> hint,
            Optional<String> hop,
            boolean acceptsIndex,
            Supplier<Cause> cause) {
        this(repository, tag, hint, hop, acceptsIndex, cause, Optional.empty());
    }

    public Pull otherwise(Optional<Pull> pull) {
        return new Pull(repository, tag, hint, hop, acceptsIndex, cause, pull);
    }

    Wish wish() {
        return new Wish(hint, acceptsIndex);
    }
}
