package dev.kiln.config;

import java.util.List;

/**
 * The node cannot start with this configuration. The message lists every mistake, one a line, with file, line and key;
 * it never holds a secret.
 */
public final class InvalidConfiguration extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final List<String> mistakes;

    InvalidConfiguration(List<String> mistakes) {
        super(
                (mistakes.size() == 1
                                ? "the configuration has a mistake:\n  "
                                : "the configuration has " + mistakes.size() + " mistakes:\n  ")
                        + String.join("\n  ", mistakes),
                null,
                false,
                false);
        this.mistakes = List.copyOf(mistakes);
    }

    public List<String> mistakes() {
        return mistakes;
    }
}
