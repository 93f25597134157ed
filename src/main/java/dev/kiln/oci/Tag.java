package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;
import java.util.regex.Pattern;

/** A tag in the distribution specification's grammar, at most 128 characters. Always valid. */
public record Tag(@JsonValue String value) implements Comparable<Tag> {
    private static final Pattern VALID = Pattern.compile("[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}");
    private static final Pattern REFERRERS_FALLBACK = Pattern.compile("sha(256|512)-[0-9a-f]{64,128}(\\.[a-z0-9]+)?");

    /** @throws IllegalArgumentException when {@code value} is outside the grammar */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public Tag {
        if (!VALID.matcher(value).matches()) {
            throw new IllegalArgumentException("not a tag");
        }
    }

    public static Optional<Tag> parse(String text) {
        return VALID.matcher(text).matches() ? Optional.of(new Tag(text)) : Optional.empty();
    }

    /**
     * Whether this is a tag under which signers look for signatures and referrers (distribution specification,
     * "Referrers Tag Schema", and cosign's {@code .sig}, {@code .att}, {@code .sbom}). Such a tag never names a source.
     */
    public boolean isReferrersFallback() {
        return REFERRERS_FALLBACK.matcher(value).matches();
    }

    @Override
    public int compareTo(Tag other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
