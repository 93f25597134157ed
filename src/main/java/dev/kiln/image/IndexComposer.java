package dev.kiln.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Makes the bytes of an index (image specification, image-index.md). A pure function: same input, same bytes, on every
 * node, in every version of Kiln that knows the input's {@link Composition#version}. No clock, no tag name, no map order,
 * no configuration comes in.
 */
public final class IndexComposer {
    /** The version that new compositions use. Every version ever released stays runnable. */
    public static final int VERSION = 1;

    public static final String REVISION = "org.opencontainers.image.revision";
    public static final String SOURCE = "org.opencontainers.image.source";
    /** The platforms that are missing, separated by commas; absent on a complete index. */
    public static final String MISSING = "dev.kiln.platforms.missing";
    /** Of an entry: what its image needs of a machine's processor, separated by commas. */
    public static final String FEATURES = "dev.kiln.platform.features";

    private static final String WINDOWS = "windows";

    private static final ObjectMapper JSON = new ObjectMapper();

    private IndexComposer() {}

    /** One entry of an index. */
    public record Child(Platform platform, Descriptor manifest) {}

    /**
     * Everything the bytes depend on.
     *
     * @param flavour whose series of indexes it is of; empty for the common one, and in events from before there were others
     * @param source the source's address if it may be shown, as recorded when the revision was opened
     * @param children in the order in which the index lists them
     * @param missing platforms of the revision that are not among them
     */
    public record Composition(
            int version,
            Revision revision,
            Optional<String> source,
            Optional<Platform> flavour,
            List<Child> children,
            List<Platform> missing) {
        public Composition {
            children = List.copyOf(children);
            missing = List.copyOf(missing);
        }
    }

    /** The index as UTF-8 JSON text. @throws IllegalArgumentException for a version this program does not know */
    public static String compose(Composition composition) {
        if (composition.version() != VERSION) {
            throw new IllegalArgumentException("unknown composer version " + composition.version());
        }
        ObjectNode index = JsonNodeFactory.instance.objectNode();
        index.put("schemaVersion", 2);
        index.put("mediaType", MediaTypes.OCI_INDEX);
        ArrayNode manifests = index.putArray("manifests");
        for (Child child : composition.children()) {
            ObjectNode entry = manifests.addObject();
            entry.put("mediaType", child.manifest().mediaType());
            entry.put("digest", child.manifest().digest().value());
            entry.put("size", child.manifest().size());
            put(entry.putObject("platform"), child.platform());
            // OCI has no place for them: "features" is reserved, and "os.features" are those of the operating system.
            if (!child.platform().features().isEmpty() && !child.platform().os().equals(WINDOWS)) {
                entry.putObject("annotations")
                        .put(FEATURES, String.join(",", child.platform().features()));
            }
        }
        ObjectNode annotations = index.putObject("annotations");
        if (!composition.missing().isEmpty()) {
            annotations.put(
                    MISSING,
                    composition.missing().stream().map(Platform::toString).collect(Collectors.joining(",")));
        }
        annotations.put(REVISION, composition.revision().value());
        composition.source().ifPresent(source -> annotations.put(SOURCE, source));
        try {
            return JSON.writeValueAsString(index);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of strings and numbers is always JSON", e);
        }
    }

    static void put(ObjectNode json, Platform platform) {
        json.put("architecture", platform.architecture());
        json.put("os", platform.os());
        if (!platform.osVersion().isEmpty()) {
            json.put("os.version", platform.osVersion());
        }
        if (!platform.features().isEmpty() && platform.os().equals(WINDOWS)) {
            platform.features().forEach(json.putArray("os.features")::add);
        }
        if (!platform.variant().isEmpty()) {
            json.put("variant", platform.variant());
        }
    }
}
