package dev.kiln.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The experiment of {@code experimental.url-pointers}: an index that lists every platform at once, those that are built by
 * their descriptors, the others by where they can be pulled. It names no digest for what is not there yet, so it is not a
 * document to keep: it has no digest itself. Pure.
 */
final class PointerIndex {
    /** What the end of a tag can say (docs/http-api.md, "Hints"). */
    private static final Pattern NAMED = Pattern.compile("[a-z0-9]{1,16}(/[a-z0-9]{1,16}){1,2}");

    private static final ObjectMapper JSON = new ObjectMapper();

    private PointerIndex() {}

    /**
     * The index as UTF-8 JSON text.
     *
     * @param tag as it was asked for
     * @param platforms of the revision, in order
     * @param built those of them whose manifests can be pulled
     */
    static String compose(
            RepositoryName repository,
            Tag tag,
            Revision revision,
            List<Platform> platforms,
            Collection<IndexComposer.Child> built) {
        Map<Platform, Descriptor> manifests = built.stream()
                .collect(Collectors.toMap(
                        IndexComposer.Child::platform, IndexComposer.Child::manifest, (first, second) -> first));
        ObjectNode index = JsonNodeFactory.instance.objectNode();
        index.put("schemaVersion", 2);
        index.put("mediaType", MediaTypes.URL_POINTERS);
        ArrayNode entries = index.putArray("manifests");
        for (Platform platform : platforms) {
            ObjectNode entry = entries.addObject();
            Descriptor manifest = manifests.get(platform);
            if (manifest == null) {
                entry.put("url", "/v2/" + repository + "/manifests/" + reference(tag, platform));
            } else {
                entry.put("mediaType", manifest.mediaType());
                entry.put("digest", manifest.digest().value());
                entry.put("size", manifest.size());
            }
            IndexComposer.put(entry.putObject("platform"), platform);
        }
        index.putObject("annotations").put(IndexComposer.REVISION, revision.value());
        try {
            return JSON.writeValueAsString(index);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of strings and numbers is always JSON", e);
        }
    }

    /** The platform's own tag; where that is none, the parameter that says the same. */
    private static String reference(Tag tag, Platform platform) {
        // A variant that goes without saying is not said.
        boolean plain = new Platform(platform.os(), platform.architecture(), "").equals(platform);
        String said = plain ? platform.os() + "/" + platform.architecture() : platform.toString();
        return Optional.of(said)
                .filter(text -> NAMED.matcher(text).matches())
                .flatMap(text -> Tag.parse(tag + "_" + text.replace('/', '-')))
                .map(Tag::value)
                .orElseGet(() -> tag + "?platform=" + URLEncoder.encode(platform.toString(), StandardCharsets.UTF_8));
    }
}
