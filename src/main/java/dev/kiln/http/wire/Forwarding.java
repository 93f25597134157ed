package dev.kiln.http.wire;

import dev.kiln.config.AddressRange;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * From where a request comes, and for which host: what the connection and {@code Host} say, and where the connection is a
 * trusted proxy's, what that says in {@code Forwarded} (RFC 7239) or {@code X-Forwarded-For} and {@code X-Forwarded-Host}.
 *
 * <p>A proxy sets one of the two forms and may pass on what the client wrote in the other. So where both are there and
 * differ, neither is believed; nor where one of them cannot be read, which a client can bring about by adding to it.
 * Immutable.
 */
public final class Forwarding {
    private static final int MAX = 4096;

    private final List<AddressRange> trusted;

    public Forwarding(List<AddressRange> trusted) {
        this.trusted = List.copyOf(trusted);
    }

    /**
     * The origin of a request.
     *
     * @param address the caller's IP address, without a port
     * @param host as it came, with or without a port
     */
    public record Origin(String address, Optional<String> host) {}

    /** Whether anything but the connection and {@code Host} is ever looked at. */
    public boolean isUsed() {
        return !trusted.isEmpty();
    }

    public Origin origin(Call call) {
        Optional<InetAddress> peer = call.peer();
        Optional<String> host = call.header("host");
        if (peer.isEmpty() || !isTrusted(peer.get())) {
            return new Origin(call.address(), host);
        }
        return origin(
                peer.get(),
                host,
                call.headers("forwarded"),
                call.headers("x-forwarded-for"),
                call.headers("x-forwarded-host"));
    }

    /**
     * The origin of a request of a trusted proxy.
     *
     * @param forwarded every header of that name, and so for the others
     */
    Origin origin(
            InetAddress peer,
            Optional<String> host,
            List<String> forwarded,
            List<String> forwardedFor,
            List<String> forwardedHost) {
        List<Map<String, String>> elements = elements(forwarded);
        Optional<InetAddress> caller = believed(
                !forwardedFor.isEmpty() && !forwarded.isEmpty(),
                caller(peer, values(forwardedFor), node -> node),
                caller(peer, elements, element -> element.getOrDefault("for", "")));
        // Each proxy adds to the end: the first host is the one that the client asked for.
        Optional<String> named = elements.stream()
                .flatMap(e -> Optional.ofNullable(e.get("host")).stream())
                .findFirst();
        boolean mayName = named.isPresent() || (elements.isEmpty() && !forwarded.isEmpty());
        Optional<String> asked = believed(
                !forwardedHost.isEmpty() && mayName,
                values(forwardedHost).stream().filter(name -> !name.isEmpty()).findFirst(),
                named);
        return new Origin(caller.orElse(peer).getHostAddress(), asked.or(() -> host));
    }

    private static <T> Optional<T> believed(boolean bothThere, Optional<T> one, Optional<T> other) {
        return bothThere && !one.equals(other) ? Optional.empty() : one.or(() -> other);
    }

    private boolean isTrusted(InetAddress address) {
        return trusted.stream().anyMatch(range -> range.contains(address));
    }

    /** Backwards from the connection: each proxy that is trusted is believed about the one before it. */
    private <N> Optional<InetAddress> caller(InetAddress peer, List<N> nodes, Function<N, String> text) {
        Optional<InetAddress> caller = Optional.empty();
        for (int i = nodes.size() - 1; i >= 0 && isTrusted(caller.orElse(peer)); i--) {
            Optional<InetAddress> before = address(text.apply(nodes.get(i)));
            if (before.isEmpty()) {
                break;
            }
            caller = before;
        }
        return caller;
    }

    /** {@code 192.0.2.1}, {@code 192.0.2.1:80}, {@code [2001:db8::1]:80}, {@code 2001:db8::1}; empty for anything else. */
    private static Optional<InetAddress> address(String node) {
        int colon = node.indexOf(':');
        if (node.startsWith("[")) {
            int end = node.indexOf(']');
            return end < 0 ? Optional.empty() : AddressRange.address(node.substring(1, end));
        }
        boolean port = colon >= 0 && colon == node.lastIndexOf(':');
        return AddressRange.address(port ? node.substring(0, colon) : node);
    }

    private static List<String> values(List<String> lines) {
        List<String> values = new ArrayList<>();
        String all = joined(lines);
        for (String value : all.isEmpty() ? new String[0] : all.split(",", -1)) {
            values.add(value.strip());
        }
        return values;
    }

    private static String joined(List<String> lines) {
        String all = String.join(",", lines);
        return all.length() <= MAX ? all : "";
    }

    /** The elements of {@code Forwarded}, their names in lower case; none when any of it is malformed. */
    private static List<Map<String, String>> elements(List<String> lines) {
        List<Map<String, String>> elements = new ArrayList<>();
        Map<String, String> element = new HashMap<>();
        String text = joined(lines);
        int at = 0;
        while (at < text.length()) {
            int equals = text.indexOf('=', at);
            if (equals < 0) {
                return List.of();
            }
            String name = text.substring(at, equals).strip().toLowerCase(Locale.ROOT);
            StringBuilder value = new StringBuilder();
            at = value(text, equals + 1, value);
            boolean last = at == text.length();
            if (at < 0
                    || !(last || text.charAt(at) == ';' || text.charAt(at) == ',')
                    || element.put(name, value.toString()) != null) {
                return List.of();
            }
            if (last || text.charAt(at) == ',') {
                elements.add(element);
                element = new HashMap<>();
            }
            at++;
        }
        return elements;
    }

    /** Reads a token or a quoted string, and says where it ends, or -1 when a quote is not closed. */
    private static int value(String text, int begin, StringBuilder value) {
        int at = begin;
        if (at == text.length() || text.charAt(at) != '"') {
            while (at < text.length() && text.charAt(at) != ';' && text.charAt(at) != ',') {
                value.append(text.charAt(at++));
            }
            value.setLength(value.toString().stripTrailing().length());
            return at;
        }
        for (at++; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '"') {
                at++;
                while (at < text.length() && text.charAt(at) == ' ') {
                    at++;
                }
                return at;
            }
            if (c == '\\' && at + 1 < text.length()) {
                c = text.charAt(++at);
            }
            value.append(c);
        }
        return -1;
    }
}
