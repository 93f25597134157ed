package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Optional;

/** A repository's name in the distribution specification's grammar, at most 255 characters. Always valid. */
public record RepositoryName(@JsonValue String value) implements Comparable<RepositoryName> {
    public static final int MAX_LENGTH = 255;

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

    /**
     * Runs of letters and digits, with one separator between two of them: {@code . _ __ /} or any number of {@code -}. By
     * hand: it is asked for every request.
     */
    private static boolean isValid(String text) {
        int length = text.length();
        if (length > MAX_LENGTH) {
            return false;
        }
        int i = 0;
        while (true) {
            int begin = i;
            while (i < length && isAlphanumeric(text.charAt(i))) {
                i++;
            }
            if (i == begin || i == length) {
                return i > begin;
            }
            char separator = text.charAt(i++);
            if (separator == '-') {
                while (i < length && text.charAt(i) == '-') {
                    i++;
                }
            } else if (separator == '_' && i < length && text.charAt(i) == '_') {
                i++;
            } else if (separator != '.' && separator != '_' && separator != '/') {
                return false;
            }
        }
    }

    private static boolean isAlphanumeric(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
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
