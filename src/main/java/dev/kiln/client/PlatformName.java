package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A platform as a part of a name, {@code os-architecture[-variant][-os.version][-feature…]}, e.g. {@code linux-arm64}, or
 * with another separator. Lower-case words of letters and digits, the first of them an operating system of Go's list: so
 * {@code eu-west} and {@code my-app} are never taken for one. Only an os.version has dots.
 */
public final class PlatformName {
    private static final Set<String> SYSTEMS = Set.of(
            "aix",
            "android",
            "darwin",
            "dragonfly",
            "freebsd",
            "illumos",
            "ios",
            "js",
            "linux",
            "netbsd",
            "openbsd",
            "plan9",
            "solaris",
            "wasip1",
            "windows");

    private static final int MAX_WORD = 16;
    /** Of a tag, the longest of the names. */
    private static final int MAX = 128;

    private PlatformName() {}

    /** The platform that {@code linux-arm64} is, or empty when the text is none. */
    public static Optional<Platform> parse(String text) {
        return parse(text, '-');
    }

    /**
     * The platform before the public host name, as in {@code linux-arm64.registry.example.com}.
     *
     * @param host in any case, with or without a port
     * @param publicHost in lower case
     */
    public static Optional<Platform> ofHost(String host, String publicHost) {
        int label = host.indexOf('.');
        if (label < 0 || label > MAX) {
            return Optional.empty();
        }
        int port = host.indexOf(':', label);
        String rest = host.substring(label + 1, port < 0 ? host.length() : port);
        return rest.equalsIgnoreCase(publicHost)
                ? parse(host.substring(0, label).toLowerCase(Locale.ROOT))
                : Optional.empty();
    }

    static Optional<Platform> parse(String text, char separator) {
        if (text.length() > MAX || !beginsWithSystem(text, separator)) {
            return Optional.empty();
        }
        List<String> words = new ArrayList<>(List.of(text.split("[" + separator + "]", -1)));
        // Not among the first two: those are the system and the architecture.
        Optional<String> version =
                words.stream().skip(2).filter(word -> word.indexOf('.') >= 0).findFirst();
        version.ifPresent(words::remove);
        if (!words.stream().allMatch(PlatformName::isWord)) {
            return Optional.empty();
        }
        String variant = words.size() > 2 ? "/" + words.get(2) : "";
        String features = words.stream().skip(3).map(feature -> "+" + feature).collect(Collectors.joining());
        return Platform.parse(words.get(0) + "/" + words.get(1) + variant
                + version.map(v -> ":" + v).orElse("") + features);
    }

    /**
     * The one of {@code platforms} that a name means. Its third word is a variant, and where there is no platform of that
     * variant the first feature: {@code linux-amd64-sse4} is {@code linux/amd64+sse4}.
     */
    static Optional<Platform> among(List<Platform> platforms, Platform named) {
        if (platforms.contains(named) || named.variant().isEmpty()) {
            return Optional.of(named).filter(platforms::contains);
        }
        List<String> features = Stream.concat(Stream.of(named.variant()), named.features().stream())
                .toList();
        return Platform.parse(named.os() + "/" + named.architecture()
                        + (named.osVersion().isEmpty() ? "" : ":" + named.osVersion()) + "+"
                        + String.join("+", features))
                .filter(platforms::contains);
    }

    /** Whether the text is an operating system, the separator, and anything: so it was meant as a platform. */
    static boolean beginsWithSystem(String text, char separator) {
        int end = text.indexOf(separator);
        return end > 0 && end <= MAX_WORD && SYSTEMS.contains(text.substring(0, end));
    }

    private static boolean isWord(String text) {
        return !text.isEmpty()
                && text.length() <= MAX_WORD
                && text.chars().allMatch(c -> (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
    }
}
