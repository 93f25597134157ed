package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;
import java.util.regex.Pattern;

/** A tag in the distribution specification's grammar, at most 128 characters. Always valid. */
public record Tag(@JsonValue String value) implements Comparable<Tag> {
    private static final int MAX_LENGTH = 128;
    private static final Pattern COMMIT_ID = Pattern.compile("[0-9a-fA-F]{7,40}|[0-9a-fA-F]{64}");
    private static final Pattern REFERRERS_FALLBACK = Pattern.compile("sha(256|512)-[0-9a-f]{64,128}(\\.[a-z0-9]+)?");

    /** @throws IllegalArgumentException when {@code value} is outside the grammar */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public Tag {
        if (!isValid(value)) {
            throw new IllegalArgumentException("not a tag");
        }
    }

    public static Optional<Tag> parse(String text) {
        return isValid(text) ? Optional.of(new Tag(text)) : Optional.empty();
    }

    /** By hand: it is asked several times for every pull, and a regular expression takes longer than all else. */
    private static boolean isValid(String text) {
        if (text.isEmpty() || text.length() > MAX_LENGTH || text.charAt(0) == '.' || text.charAt(0) == '-') {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
            if (!word && c != '.' && c != '-') {
                return false;
            }
        }
        return true;
    }

    /**
     * Whether this is a tag under which signers look for signatures and referrers (distribution specification,
     * "Referrers Tag Schema", and cosign's {@code .sig}, {@code .att}, {@code .sbom}). Such a tag never names a source.
     */
    public boolean isReferrersFallback() {
        return value.startsWith("sha") && REFERRERS_FALLBACK.matcher(value).matches();
    }

    /** Whether this could be taken for a full or short commit id, in either case. */
    public boolean looksLikeCommitId() {
        return COMMIT_ID.matcher(value).matches();
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
