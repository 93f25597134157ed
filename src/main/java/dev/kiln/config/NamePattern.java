package dev.kiln.config;

import dev.kiln.oci.RepositoryName;
import java.util.regex.Pattern;

/** A pattern of repository names: {@code *} is one path segment (or a part of one), {@code **} any number of them. */
public final class NamePattern {
    private static final Pattern VALID = Pattern.compile("[a-z0-9._*-]+(/[a-z0-9._*-]+)*");

    private final String text;
    private final Pattern pattern;
    private final boolean literal;

    /** @throws IllegalArgumentException when {@code text} could match no repository name */
    public NamePattern(String text) {
        if (!isValid(text)) {
            throw new IllegalArgumentException("not a pattern of repository names: " + text);
        }
        this.text = text;
        this.literal = text.indexOf('*') < 0;
        StringBuilder regex = new StringBuilder();
        for (int i = 0; i < text.length(); i++) {
            if (text.startsWith("**", i)) {
                regex.append(".*");
                i++;
            } else if (text.charAt(i) == '*') {
                regex.append("[^/]*");
            } else {
                regex.append(Pattern.quote(String.valueOf(text.charAt(i))));
            }
        }
        this.pattern = Pattern.compile(regex.toString());
    }

    /** Whether {@code text} could match a repository's name. */
    public static boolean isValid(String text) {
        return text.length() <= RepositoryName.MAX_LENGTH && VALID.matcher(text).matches();
    }

    /** Whether every name matches. */
    public boolean matchesAll() {
        return text.equals("**");
    }

    public boolean matches(RepositoryName name) {
        return literal
                ? text.equals(name.value())
                : pattern.matcher(name.value()).matches();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof NamePattern that && that.text.equals(text);
    }

    @Override
    public int hashCode() {
        return text.hashCode();
    }

    @Override
    public String toString() {
        return text;
    }
}
