package dev.kiln.image;

import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import java.util.Optional;

/** A tag of a repository: the key of the entity that owns it. Its text form is {@code team/app:v1}. */
public record TagKey(RepositoryName repository, Tag tag) {
    /** @throws IllegalArgumentException when {@code text} is not of the text form */
    public static TagKey of(String text) {
        int colon = text.lastIndexOf(':');
        if (colon < 0) {
            throw new IllegalArgumentException("not a tag's key");
        }
        return new TagKey(new RepositoryName(text.substring(0, colon)), new Tag(text.substring(colon + 1)));
    }

    /** The revision, when the tag is one. */
    public Optional<Revision> revision() {
        return Revision.parse(tag.value());
    }

    @Override
    public String toString() {
        return repository + ":" + tag;
    }
}
