package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * An image platform, written {@code os/architecture[/variant]} and always in one normal form, so that equal platforms
 * are equal records. The equivalences are containerd's ({@code platforms.Normalize}: {@code x86_64} is amd64,
 * {@code aarch64} is arm64, {@code arm64} is {@code arm64/v8}, {@code arm} is {@code arm/v7}); where containerd drops
 * the default variant, this form spells it out, because clients that match strictly by {@code arm64/v8} and those that
 * ask for plain {@code arm64} both accept an index entry that carries {@code v8}.
 *
 * @param variant empty when the architecture has no variant
 */
public record Platform(String os, String architecture, String variant) implements Comparable<Platform> {
    private static final Pattern WORD = Pattern.compile("[a-z0-9][a-z0-9._-]{0,31}");

    /** @throws IllegalArgumentException when a part is not a word of lower-case letters, digits, {@code . _ -} */
    public Platform {
        if (!WORD.matcher(os).matches()
                || !WORD.matcher(architecture).matches()
                || !(variant.isEmpty() || WORD.matcher(variant).matches())) {
            throw new IllegalArgumentException("not a platform of the form os/architecture[/variant]");
        }
        switch (architecture) {
            case "x86_64", "x86-64" -> architecture = "amd64";
            case "i386", "i686", "x86" -> architecture = "386";
            case "aarch64" -> architecture = "arm64";
            case "armhf" -> {
                architecture = "arm";
                variant = "v7";
            }
            case "armel" -> {
                architecture = "arm";
                variant = "v6";
            }
            default -> {}
        }
        if (os.equals("macos")) {
            os = "darwin";
        }
        switch (architecture) {
            case "amd64" -> variant = variant.equals("v1") ? "" : variant;
            case "386" -> variant = "";
            case "arm64" -> variant = variant.isEmpty() || variant.equals("8") ? "v8" : variant;
            case "arm" -> {
                switch (variant) {
                    case "", "7" -> variant = "v7";
                    case "5", "6", "8" -> variant = "v" + variant;
                    default -> {}
                }
            }
            default -> {}
        }
    }

    /** Reads {@code os/architecture[/variant]} in any case, e.g. {@code linux/arm64}; empty when it is not of that form. */
    public static Optional<Platform> parse(String text) {
        if (text.length() > 100) {
            return Optional.empty();
        }
        String[] parts = text.toLowerCase(Locale.ROOT).split("/", -1);
        if (parts.length < 2 || parts.length > 3 || (parts.length == 3 && parts[2].isEmpty())) {
            return Optional.empty();
        }
        try {
            return Optional.of(new Platform(parts[0], parts[1], parts.length == 3 ? parts[2] : ""));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** As {@link #parse}. @throws IllegalArgumentException when {@code text} is not a platform */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public static Platform of(String text) {
        return parse(text)
                .orElseThrow(() -> new IllegalArgumentException("not a platform of the form os/arch[/variant]"));
    }

    @Override
    public int compareTo(Platform other) {
        return toString().compareTo(other.toString());
    }

    @JsonValue
    @Override
    public String toString() {
        return variant.isEmpty() ? os + "/" + architecture : os + "/" + architecture + "/" + variant;
    }
}
