package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;

/** The immutable thing a tag means: for git a full commit id, 40 or 64 lower-case hex digits. Always valid. */
public record Revision(@JsonValue String value) implements Comparable<Revision> {
    /** @throws IllegalArgumentException when {@code value} is not a full commit id */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public Revision {
        if (!isValid(value)) {
            throw new IllegalArgumentException("not a full commit id");
        }
    }

    public static Optional<Revision> parse(String text) {
        return isValid(text) ? Optional.of(new Revision(text)) : Optional.empty();
    }

    private static boolean isValid(String text) {
        return (text.length() == 40 || text.length() == 64) && Digest.isLowerHex(text, 0);
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
