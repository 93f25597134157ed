package dev.kiln.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import java.util.Map;
import java.util.Optional;

/**
 * Docker's form of OCI documents: image manifest version 2, schema 2, and its manifest list. Pure: same input, same bytes,
 * on every node and for ever, since their digests are given to clients. Configuration and layers are the same blobs under
 * Docker's names; annotations, {@code subject} and embedded data have no place there and are left out.
 */
final class DockerForm {
    private static final String FOREIGN = "application/vnd.docker.image.rootfs.foreign.diff.tar";
    private static final String FOREIGN_GZIP = FOREIGN + ".gzip";
    private static final String NON_DISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar";

    private static final Map<String, String> LAYERS = Map.of(
            MediaTypes.OCI_LAYER,
            MediaTypes.DOCKER_LAYER,
            MediaTypes.OCI_LAYER_GZIP,
            MediaTypes.DOCKER_LAYER_GZIP,
            NON_DISTRIBUTABLE,
            FOREIGN,
            NON_DISTRIBUTABLE + "+gzip",
            FOREIGN_GZIP,
            MediaTypes.DOCKER_LAYER,
            MediaTypes.DOCKER_LAYER,
            MediaTypes.DOCKER_LAYER_GZIP,
            MediaTypes.DOCKER_LAYER_GZIP,
            FOREIGN,
            FOREIGN,
            FOREIGN_GZIP,
            FOREIGN_GZIP);

    private static final Map<String, String> CONFIGS = Map.of(
            MediaTypes.OCI_CONFIG, MediaTypes.DOCKER_CONFIG,
            MediaTypes.DOCKER_CONFIG, MediaTypes.DOCKER_CONFIG);

    private static final ObjectMapper JSON = new ObjectMapper();

    private DockerForm() {}

    /** The document has none; the message says why, without naming the document. */
    static final class NoDockerFormException extends Exception {
        private static final long serialVersionUID = 1L;

        NoDockerFormException(String message) {
            super(message);
        }
    }

    /**
     * The schema 2 form of an OCI image manifest.
     *
     * @throws NoDockerFormException when it holds a type for which Docker has none
     * @throws IllegalArgumentException when {@code manifest} is no image manifest
     */
    static byte[] manifest(byte[] manifest) throws NoDockerFormException {
        JsonNode json = ImageManifest.parseObject(manifest);
        ObjectNode docker = JsonNodeFactory.instance.objectNode();
        docker.put("schemaVersion", 2);
        docker.put("mediaType", MediaTypes.DOCKER_MANIFEST);
        JsonNode config = json.path("config");
        put(docker.putObject("config"), config, named(CONFIGS, config, "configuration"));
        ArrayNode layers = docker.putArray("layers");
        for (JsonNode layer : json.path("layers")) {
            String mediaType = named(LAYERS, layer, "layer");
            ObjectNode entry = layers.addObject();
            put(entry, layer, mediaType);
            if (mediaType.startsWith(FOREIGN) && layer.path("urls").isArray()) {
                ArrayNode urls = entry.putArray("urls");
                layer.path("urls").forEach(url -> urls.add(url.asText()));
            }
        }
        return bytes(docker);
    }

    /**
     * The manifest list of an index, in the index's order.
     *
     * @param manifests for each digest that the index lists, the manifest to list in its place; what has none is left out
     */
    static byte[] list(byte[] index, Map<Digest, Descriptor> manifests) {
        ObjectNode list = JsonNodeFactory.instance.objectNode();
        list.put("schemaVersion", 2);
        list.put("mediaType", MediaTypes.DOCKER_LIST);
        ArrayNode entries = list.putArray("manifests");
        for (JsonNode child : ImageManifest.parseObject(index).path("manifests")) {
            Descriptor manifest = manifests.get(ImageManifest.descriptor(child).digest());
            if (manifest == null) {
                continue;
            }
            ObjectNode entry = entries.addObject();
            put(entry, manifest.mediaType(), manifest.size(), manifest.digest());
            entry.set("platform", child.path("platform").deepCopy());
        }
        return bytes(list);
    }

    private static String named(Map<String, String> names, JsonNode descriptor, String what)
            throws NoDockerFormException {
        String mediaType = descriptor.path("mediaType").asText();
        return Optional.ofNullable(names.get(mediaType))
                .orElseThrow(() -> new NoDockerFormException("Docker has no type for a " + what + " of " + mediaType));
    }

    private static void put(ObjectNode entry, JsonNode from, String mediaType) {
        Descriptor descriptor = ImageManifest.descriptor(from);
        put(entry, mediaType, descriptor.size(), descriptor.digest());
    }

    private static void put(ObjectNode entry, String mediaType, long size, Digest digest) {
        entry.put("mediaType", mediaType);
        entry.put("size", size);
        entry.put("digest", digest.value());
    }

    private static byte[] bytes(ObjectNode json) {
        try {
            return JSON.writeValueAsBytes(json);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of strings and numbers is always JSON", e);
        }
    }
}
