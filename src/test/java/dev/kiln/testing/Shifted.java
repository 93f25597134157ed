package dev.kiln.testing;

import java.util.stream.Collectors;

/** Text whose letters are each the next one in the alphabet: for a secret that is hidden where it stands as it is. */
public final class Shifted {
    /** Shifts its standard input, in a shell. */
    public static final String COMMAND = "tr a-z b-za";

    private Shifted() {}

    public static String back(String text) {
        return text.chars()
                .mapToObj(c -> Character.toString(c == 'a' ? 'z' : c > 'a' && c <= 'z' ? c - 1 : c))
                .collect(Collectors.joining());
    }
}
