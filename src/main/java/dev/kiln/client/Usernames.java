package dev.kiln.client;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Reads a hint from credentials, of which it returns nothing else: {@code linux+arm64+v8}, or the JSON document
 * {@code {"os":"linux","architecture":"amd64","features":["sse4"]}}. Pure.
 *
 * <p>The document has colons, at the first of which clients cut user and password apart when they keep them in a file
 * (docs/clients.md); joined again they are what they were. So whole credentials are read, {@code user:password}.
 */
public final class Usernames {
    private static final int MAX = 512;
    private static final int MAX_FEATURES = 8;
    private static final Pattern FEATURE = Pattern.compile("[a-z0-9][a-z0-9._-]{0,31}");
    private static final Set<String> TEXTS = Set.of("os", "architecture", "variant", "os.version");

    private static final String NOT_THE_DOCUMENT = "the username begins with { and is not"
            + " {\"os\":\"linux\",\"architecture\":\"arm64\"}, with \"variant\", \"os.version\" and \"features\" where wanted";
    private static final String NOT_THE_WORDS =
            "the username begins as a platform does and is not os+arch[+variant][+feature], such as linux+arm64+v8";

    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();

    private Usernames() {}

    /** What credentials come to. */
    public sealed interface Reading {
        /** @param hint empty for a username that means no platform: a person's */
        record Accepted(Optional<UsernameHint> hint) implements Reading {}

        /** @param message one line, which holds nothing of the credentials */
        record Refused(String message) implements Reading {}
    }

    /** @param credentials {@code user:password}, or the user alone; of any length */
    public static Reading read(String credentials) {
        String head = credentials.length() > MAX ? credentials.substring(0, MAX) : credentials;
        if (head.startsWith("{")) {
            return document(head).<Reading>map(Usernames::accepted).orElse(new Reading.Refused(NOT_THE_DOCUMENT));
        }
        int colon = head.indexOf(':');
        String user = (colon < 0 ? head : head.substring(0, colon)).toLowerCase(Locale.ROOT);
        if (!PlatformName.beginsWithSystem(user, '+')) {
            return new Reading.Accepted(Optional.empty());
        }
        return PlatformName.parse(user, '+')
                .<Reading>map(platform -> accepted(new UsernameHint(platform, List.of())))
                .orElse(new Reading.Refused(NOT_THE_WORDS));
    }

    private static Reading accepted(UsernameHint hint) {
        return new Reading.Accepted(Optional.of(hint));
    }

    private static Optional<UsernameHint> document(String text) {
        try (JsonParser parser = JSON.createParser(new StringReader(text))) {
            parser.nextToken();
            Map<String, String> texts = new HashMap<>();
            List<String> features = new ArrayList<>();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                if (value == JsonToken.VALUE_STRING && TEXTS.contains(name)) {
                    texts.put(name, parser.getText());
                } else if (value != JsonToken.START_ARRAY || !name.equals("features") || !read(parser, features)) {
                    return Optional.empty();
                }
            }
            int end = (int) parser.currentLocation().getCharOffset();
            boolean whole = parser.currentToken() == JsonToken.END_OBJECT
                    && (end == text.length() || text.charAt(end) == ':')
                    && texts.containsKey("os")
                    && texts.containsKey("architecture");
            return whole ? platform(texts).map(p -> new UsernameHint(p, features)) : Optional.empty();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static boolean read(JsonParser parser, List<String> features) throws IOException {
        while (parser.nextToken() == JsonToken.VALUE_STRING) {
            String feature = parser.getText();
            if (features.size() == MAX_FEATURES || !FEATURE.matcher(feature).matches()) {
                return false;
            }
            features.add(feature);
        }
        return parser.currentToken() == JsonToken.END_ARRAY;
    }

    private static Optional<Platform> platform(Map<String, String> texts) {
        try {
            return Optional.of(new Platform(
                    texts.get("os").toLowerCase(Locale.ROOT),
                    texts.get("architecture").toLowerCase(Locale.ROOT),
                    texts.getOrDefault("variant", "").toLowerCase(Locale.ROOT),
                    texts.getOrDefault("os.version", ""),
                    List.of()));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
