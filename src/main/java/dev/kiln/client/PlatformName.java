package dev.kiln.client;

import dev.kiln.oci.Platform;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * A platform as a part of a name, {@code os-architecture[-variant]}, e.g. {@code linux-arm64}, or with another separator.
 * Lower-case words of letters and digits, the first of them an operating system of Go's list: so {@code eu-west} and
 * {@code my-app} are never taken for one.
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
    private static final int MAX = 3 * MAX_WORD + 2;

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
        List<String> words = List.of(text.split("[" + separator + "]", -1));
        boolean fits = words.size() <= 3 && words.stream().allMatch(PlatformName::isWord);
        return fits ? Platform.parse(String.join("/", words)) : Optional.empty();
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
