package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;
import java.util.regex.Pattern;

/** A repository's name in the distribution specification's grammar, at most 255 characters. Always valid. */
public record RepositoryName(@JsonValue String value) implements Comparable<RepositoryName> {
    public static final int MAX_LENGTH = 255;

    private static final String COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*+";
    private static final Pattern VALID = Pattern.compile(COMPONENT + "(?:/" + COMPONENT + ")*+");

    /** @throws IllegalArgumentException when {@code value} is outside the grammar */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public RepositoryName {
        if (!isValid(value)) {
            throw new IllegalArgumentException("not a repository name");
        }
    }

    public static Optional<RepositoryName> parse(String text) {
        return isValid(text) ? Optional.of(new RepositoryName(text)) : Optional.empty();
    }

    private static boolean isValid(String text) {
        return text.length() <= MAX_LENGTH && VALID.matcher(text).matches();
    }

    @Override
    public int compareTo(RepositoryName other) {
        return value.compareTo(other.value);
    }

    @Override
    public String toString() {
        return value;
    }
}
