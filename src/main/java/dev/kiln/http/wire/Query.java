package dev.kiln.http.wire;

import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A request's query, kept as it came: what is passed on is passed on byte for byte. */
public record Query(String raw) {
    public static final Query NONE = new Query("");

    /**
     * Every value of a parameter, decoded, in order.
     *
     * @throws Problem when a value is not valid percent-encoding
     */
    public List<String> all(String name) {
        if (raw.isEmpty()) {
            return List.of();
        }
        List<String> values = new ArrayList<>(2);
        for (String pair : raw.split("&", -1)) {
            if (name(pair).equals(name)) {
                int equals = pair.indexOf('=');
                values.add(equals < 0 ? "" : decode(pair.substring(equals + 1)));
            }
        }
        return values;
    }

    /** The only value of a parameter. @throws Problem when it is given more than once */
    public Optional<String> one(String name) {
        List<String> values = all(name);
        if (values.size() > 1) {
            throw new Problem(ProblemCode.REQUEST_INVALID, "the parameter " + name + " is given more than once");
        }
        return values.stream().findFirst();
    }

    /** The query without any parameter of that name, otherwise as it came. */
    public String without(String name) {
        if (raw.isEmpty()) {
            return raw;
        }
        StringBuilder rest = new StringBuilder(raw.length());
        for (String pair : raw.split("&", -1)) {
            if (!pair.isEmpty() && !name(pair).equals(name)) {
                rest.append(rest.isEmpty() ? "" : "&").append(pair);
            }
        }
        return rest.toString();
    }

    /** @throws Problem when there is a parameter of another name */
    public void allowOnly(Set<String> names) {
        if (raw.isEmpty()) {
            return;
        }
        for (String pair : raw.split("&", -1)) {
            if (!pair.isEmpty() && !names.contains(name(pair))) {
                throw new Problem(
                        ProblemCode.REQUEST_INVALID,
                        "the parameter " + OneLine.of(name(pair), 40) + " is not known here; use "
                                + String.join(", ", names.stream().sorted().toList()));
            }
        }
    }

    private static String name(String pair) {
        int equals = pair.indexOf('=');
        return decode(equals < 0 ? pair : pair.substring(0, equals));
    }

    private static String decode(String text) {
        if (text.indexOf('%') < 0) {
            return text;
        }
        try {
            // A plus is a plus: these are no form fields.
            return URLDecoder.decode(text.replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw new Problem(ProblemCode.REQUEST_INVALID, "the query is not valid percent-encoding");
        }
    }
}
