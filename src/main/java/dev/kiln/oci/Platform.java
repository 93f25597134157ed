package dev.kiln.oci;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonValue;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * An image platform, written {@code os/architecture[/variant][:os.version][+feature…]} and always in one normal form, so
 * that equal platforms are equal records. The equivalences are containerd's ({@code platforms.Normalize}: {@code x86_64} is amd64,
 * {@code aarch64} is arm64, {@code arm64} is {@code arm64/v8}, {@code arm} is {@code arm/v7}); where containerd drops
 * the default variant, this form spells it out, because clients that match strictly by {@code arm64/v8} and those that
 * ask for plain {@code arm64} both accept an index entry that carries {@code v8}.
 *
 * @param variant empty when the architecture has no variant
 * @param osVersion two to four numbers with dots, e.g. {@code 10.0.17763}; empty for any
 * @param features that the image needs of a machine beyond the rest, e.g. {@code sse4}: sorted, none twice, at most 8
 */
public record Platform(String os, String architecture, String variant, String osVersion, List<String> features)
        implements Comparable<Platform> {
    /** How a platform is written, for messages. */
    public static final String FORM = "os/arch[/variant][:os.version][+feature]";

    /** Of the text form: entity ids, columns and file names rest on it. */
    private static final int MAX_LENGTH = 100;

    private static final int MAX_FEATURES = 8;
    private static final Pattern WORD = Pattern.compile("[a-z0-9][a-z0-9._-]{0,31}");
    private static final Pattern VERSION = Pattern.compile("[0-9]{1,10}(\\.[0-9]{1,10}){1,3}");

    /**
     * @throws IllegalArgumentException when a part is not a word of lower-case letters, digits, {@code . _ -}, or the whole
     *     is longer than 100 characters
     */
    public Platform {
        features = features.stream().sorted().distinct().toList();
        if (!WORD.matcher(os).matches()
                || !WORD.matcher(architecture).matches()
                || !(variant.isEmpty() || WORD.matcher(variant).matches())
                || !(osVersion.isEmpty() || VERSION.matcher(osVersion).matches())
                || features.size() > MAX_FEATURES
                || !features.stream().allMatch(feature -> WORD.matcher(feature).matches())) {
            throw new IllegalArgumentException("not a platform of the form " + FORM);
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
        if (text(os, architecture, variant, osVersion, features).length() > MAX_LENGTH) {
            throw new IllegalArgumentException("a platform is at most " + MAX_LENGTH + " characters");
        }
    }

    public Platform(String os, String architecture, String variant) {
        this(os, architecture, variant, "", List.of());
    }

    /** Reads the text form in any case and order of features, e.g. {@code linux/arm64}; empty when it is not of that form. */
    public static Optional<Platform> parse(String text) {
        if (text.length() > MAX_LENGTH) {
            return Optional.empty();
        }
        List<String> plus = List.of(text.toLowerCase(Locale.ROOT).split("\\+", -1));
        String[] colon = plus.get(0).split(":", -1);
        String[] parts = colon[0].split("/", -1);
        if (colon.length > 2
                || (colon.length == 2 && colon[1].isEmpty())
                || parts.length < 2
                || parts.length > 3
                || (parts.length == 3 && parts[2].isEmpty())) {
            return Optional.empty();
        }
        try {
            return Optional.of(new Platform(
                    parts[0],
                    parts[1],
                    parts.length == 3 ? parts[2] : "",
                    colon.length == 2 ? colon[1] : "",
                    plus.subList(1, plus.size())));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** As {@link #parse}. @throws IllegalArgumentException when {@code text} is not a platform */
    @JsonCreator(mode = JsonCreator.Mode.DELEGATING)
    public static Platform of(String text) {
        return parse(text).orElseThrow(() -> new IllegalArgumentException("not a platform of the form " + FORM));
    }

    /**
     * Whether clients that take an index cannot tell this platform from a plainer one: it asks for features, or for an
     * os.version where no client but Windows' looks at it. An index for everybody lists no such platform.
     */
    public boolean isFlavour() {
        return !features.isEmpty() || !(osVersion.isEmpty() || hasVersions());
    }

    /** This platform as clients know it: without what makes it a flavour. */
    public Platform plain() {
        return new Platform(os, architecture, variant, hasVersions() ? osVersion : "", List.of());
    }

    private boolean hasVersions() {
        return os.equals("windows");
    }

    /** Whether this platform's images run on a machine that is as {@code machine} says and has these features. */
    public boolean runsOn(Platform machine, List<String> itsFeatures) {
        return os.equals(machine.os)
                && architecture.equals(machine.architecture)
                && variant.equals(machine.variant)
                && (osVersion.isEmpty() || (machine.osVersion + ".").startsWith(osVersion + "."))
                && itsFeatures.containsAll(features);
    }

    @Override
    public int compareTo(Platform other) {
        return toString().compareTo(other.toString());
    }

    @JsonValue
    @Override
    public String toString() {
        return text(os, architecture, variant, osVersion, features);
    }

    private static String text(
            String os, String architecture, String variant, String osVersion, List<String> features) {
        StringBuilder text = new StringBuilder(os).append('/').append(architecture);
        if (!variant.isEmpty()) {
            text.append('/').append(variant);
        }
        if (!osVersion.isEmpty()) {
            text.append(':').append(osVersion);
        }
        features.forEach(feature -> text.append('+').append(feature));
        return text.toString();
    }
}
