package dev.kiln.source;

import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.regex.Pattern;
import org.eclipse.jgit.transport.URIish;

/**
 * Where a git repository is. Only what an operator means by a source is accepted: {@code https}, {@code http},
 * {@code ssh} (also as {@code git@host:path}), {@code file} and absolute local paths. The text form never holds user
 * information or a query.
 */
final class GitUrl {
    enum Kind {
        HTTP,
        SSH,
        LOCAL
    }

    /** {@code scheme://user:password@}, wherever it stands in a text. */
    private static final Pattern USER_INFO = Pattern.compile("(?i)([a-z][a-z0-9+.-]{0,20}://)[^/\\s@]{0,500}@");

    private static final Pattern QUERY = Pattern.compile("(?i)([a-z][a-z0-9+.-]{0,20}://[^\\s?#]{0,2000})[?#]\\S*");
    private static final int MAX_MESSAGE = 300;

    private final Kind kind;
    private final URIish uri;
    private final String display;

    private GitUrl(Kind kind, URIish uri, String display) {
        this.kind = kind;
        this.uri = uri;
        this.display = display;
    }

    /** @throws IllegalArgumentException when it is not an address that Kiln reads from; the message does not repeat it */
    static GitUrl parse(String text) {
        URIish uri;
        try {
            uri = new URIish(text);
        } catch (URISyntaxException e) {
            throw new IllegalArgumentException("the source's url is not an address git understands");
        }
        String scheme = uri.getScheme() == null ? "" : uri.getScheme().toLowerCase(Locale.ROOT);
        Kind kind = kind(scheme, uri);
        return new GitUrl(kind, uri, display(kind, uri));
    }

    private static Kind kind(String scheme, URIish uri) {
        boolean hasHost = uri.getHost() != null && !uri.getHost().isEmpty();
        return switch (scheme) {
            case "http", "https" -> requireHost(hasHost, Kind.HTTP);
            case "ssh" -> requireHost(hasHost, Kind.SSH);
            case "file" -> requireAbsolute(uri);
            // without a user, ext::command and the like would pass for a host
            case "" -> hasHost ? requireHost(uri.getUser() != null, Kind.SSH) : requireAbsolute(uri);
            default ->
                throw new IllegalArgumentException(
                        "the source's url must be https, http, ssh, git@host:path or an absolute path");
        };
    }

    private static Kind requireHost(boolean hasHost, Kind kind) {
        if (!hasHost) {
            throw new IllegalArgumentException("the source's url names no host, or no user before it");
        }
        return kind;
    }

    private static Kind requireAbsolute(URIish uri) {
        if (uri.getPath() == null || !uri.getPath().startsWith("/")) {
            throw new IllegalArgumentException("a source on this machine must be an absolute path");
        }
        return Kind.LOCAL;
    }

    private static String display(Kind kind, URIish uri) {
        if (kind == Kind.LOCAL) {
            return "file://" + uri.getPath();
        }
        String scheme = uri.getScheme() == null ? "ssh" : uri.getScheme().toLowerCase(Locale.ROOT);
        String port = uri.getPort() > 0 ? ":" + uri.getPort() : "";
        String path = uri.getRawPath().startsWith("/") ? uri.getRawPath() : "/" + uri.getRawPath();
        return QUERY.matcher(scheme + "://" + uri.getHost() + port + path).replaceAll("$1");
    }

    Kind kind() {
        return kind;
    }

    URIish uri() {
        return uri;
    }

    /** The path of a {@link Kind#LOCAL} one. */
    Path path() {
        return Path.of(uri.getPath());
    }

    String host() {
        return uri.getHost();
    }

    /** {@code HTTP}: the port, or the scheme's own. */
    int port() {
        return uri.getPort() > 0 ? uri.getPort() : "http".equalsIgnoreCase(uri.getScheme()) ? 80 : 443;
    }

    /** For messages that people outside see: a host and path, never a path of this machine. */
    String publicName() {
        return kind == Kind.LOCAL ? "the source's path" : display;
    }

    /**
     * One line of {@code message} without user information, queries, control characters and excess length: messages of
     * libraries and servers repeat the addresses they were given.
     */
    String scrub(String message) {
        String line = message == null ? "no reason given" : message.replaceAll("\\p{Cntrl}+", " ");
        line = QUERY.matcher(USER_INFO.matcher(line).replaceAll("$1")).replaceAll("$1");
        if (kind == Kind.LOCAL) {
            line = line.replace(uri.getPath(), "(its path)");
        }
        return line.length() <= MAX_MESSAGE ? line : line.substring(0, MAX_MESSAGE) + "…";
    }

    /** The address without secrets. */
    @Override
    public String toString() {
        return display;
    }
}
