package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;

/**
 * What two pulls must agree on to share a build: the repository, the revision and the platform. Its text form
 * {@code team/app@<revision>@linux/arm64/v8} is the entity id; its {@link #id} is the same with {@code ~} for {@code /},
 * which is what people see in URLs and on the command line.
 */
public record BuildKey(RepositoryName repository, Revision revision, Platform platform)
        implements Comparable<BuildKey> {
    /** Reads the text form or the id. */
    public static Optional<BuildKey> parse(String text) {
        String[] parts = text.replace('~', '/').split("@", -1);
        if (parts.length != 3) {
            return Optional.empty();
        }
        return RepositoryName.parse(parts[0])
                .flatMap(repository -> Revision.parse(parts[1])
                        .flatMap(revision -> Platform.parse(parts[2])
                                .map(platform -> new BuildKey(repository, revision, platform))));
    }

    /** @throws IllegalArgumentException when {@code text} is neither the text form nor the id of a build */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public static BuildKey of(String text) {
        return parse(text).orElseThrow(() -> new IllegalArgumentException("not a build's key"));
    }

    /** The build's id for people: URL- and shell-safe, reversible by {@link #parse}. */
    public String id() {
        return toString().replace('/', '~');
    }

    @Override
    public int compareTo(BuildKey other) {
        return toString().compareTo(other.toString());
    }

    @JsonValue
    @Override
    public String toString() {
        return repository + "@" + revision + "@" + platform;
    }
}
