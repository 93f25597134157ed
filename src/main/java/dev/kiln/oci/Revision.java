package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;
import java.util.regex.Pattern;

/** The immutable thing a tag means: for git a full commit id, 40 or 64 lower-case hex digits. Always valid. */
public record Revision(@JsonValue String value) implements Comparable<Revision> {
    private static final Pattern VALID = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");

    /** @throws IllegalArgumentException when {@code value} is not a full commit id */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public Revision {
        if (!VALID.matcher(value).matches()) {
            throw new IllegalArgumentException("not a full commit id");
        }
    }

    public static Optional<Revision> parse(String text) {
        return VALID.matcher(text).matches() ? Optional.of(new Revision(text)) : Optional.empty();
    }

    /** A full commit id is itself a tag. */
    public Tag asTag() {
        return new Tag(value);
    }

    @Override
    public int compareTo(Revision other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
