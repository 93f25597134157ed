package dev.kiln.push;

import akka.util.ByteString;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.RandomImages;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/**
 * One set of content of the specification's conformance suite: blobs, manifests in the order in which they are pushed, and
 * tags. Random bytes, the same in each run.
 */
final class ConformanceData {
    static final String TYPE_1 = "application/vnd.example.oci.conformance.v1";
    static final String TYPE_2 = "application/vnd.example.oci.conformance.v2";
    static final String EMPTY_JSON = "application/vnd.oci.empty.v1+json";

    private static final ObjectMapper JSON = new ObjectMapper();

    final String name;
    final Map<Digest, byte[]> blobs = new LinkedHashMap<>();
    final Map<Digest, byte[]> manifests = new LinkedHashMap<>();
    final Map<String, Digest> tags = new LinkedHashMap<>();
    /** By subject: what its referrers are listed as. */
    final Map<Digest, List<ObjectNode>> referrers = new HashMap<>();

    private final Random random;
    private final String algorithm;
    private final Map<Digest, ObjectNode> descriptors = new HashMap<>();

    ConformanceData(String name) {
        this(name, "sha256");
    }

    ConformanceData(String name, String algorithm) {
        this.name = name;
        this.algorithm = algorithm;
        this.random = new Random(name.hashCode());
    }

    /** What is particular about a manifest. */
    static final class Traits {
        Optional<String> artifactType = Optional.empty();
        String configType = MediaTypes.OCI_CONFIG;
        Optional<byte[]> config = Optional.empty();
        String layerType = MediaTypes.OCI_LAYER_GZIP;
        Optional<byte[]> layer = Optional.empty();
        int layers = 2;
        String architecture = "amd64";
        Map<String, String> annotations = new LinkedHashMap<>();
        /** One more annotation, another one in each manifest. */
        boolean unique;

        Optional<Digest> subject = Optional.empty();
        boolean data;
        boolean unknownMember;

        Traits artifact(String type) {
            artifactType = Optional.of(type);
            configType = EMPTY_JSON;
            config = Optional.of("{}".getBytes(StandardCharsets.US_ASCII));
            layers = 1;
            layerType = type;
            return this;
        }

        Traits about(Digest manifest) {
            subject = Optional.of(manifest);
            return this;
        }

        Traits annotated() {
            annotations.put("org.opencontainers.conformance", "hello conformance test");
            unique = true;
            return this;
        }

        Traits layers(String type) {
            layerType = type;
            return this;
        }

        Traits on(String cpu) {
            architecture = cpu;
            return this;
        }
    }

    byte[] bytes(int size) {
        byte[] bytes = new byte[size];
        random.nextBytes(bytes);
        return bytes;
    }

    Digest digest(byte[] bytes) {
        return Digest.of(algorithm, Digest.newMessageDigest(algorithm).digest(bytes));
    }

    Digest blob(byte[] bytes) {
        Digest digest = digest(bytes);
        blobs.put(digest, bytes);
        return digest;
    }

    ObjectNode descriptor(String mediaType, byte[] bytes) {
        return descriptor(mediaType, digest(bytes), bytes.length);
    }

    static ObjectNode descriptor(String mediaType, Digest digest, long size) {
        return JSON.createObjectNode()
                .put("mediaType", mediaType)
                .put("digest", digest.value())
                .put("size", size);
    }

    Digest image(Traits traits) {
        ArrayNode layers = JSON.createArrayNode();
        ArrayNode diffIds = JSON.createArrayNode();
        for (int i = 0; i < traits.layers; i++) {
            byte[] plain = traits.layer.orElseGet(() -> isLayer(traits.layerType) ? tar() : bytes(2048));
            byte[] layer = traits.layerType.equals(MediaTypes.OCI_LAYER_GZIP)
                    ? RandomImages.gzip(ByteString.fromArray(plain)).toArray()
                    : plain;
            layers.add(listed(traits.layerType, layer, traits.data));
            diffIds.add(digest(plain).value());
        }
        byte[] config = traits.config.orElseGet(() -> json(config(traits, diffIds)));
        ObjectNode manifest = head(MediaTypes.OCI_MANIFEST, traits);
        manifest.set("config", listed(traits.configType, config, traits.data));
        manifest.set("layers", layers);
        return finish(manifest, traits, traits.configType);
    }

    private static boolean isLayer(String mediaType) {
        return mediaType.startsWith("application/vnd.oci.image.layer.v1.");
    }

    private byte[] tar() {
        return RandomImages.tar(Map.of("./conformance.txt", ByteString.fromArray(bytes(100))))
                .toArray();
    }

    private ObjectNode config(Traits traits, ArrayNode diffIds) {
        ObjectNode config = JSON.createObjectNode()
                .put("author", "conformance")
                .put("architecture", traits.architecture)
                .put("os", "linux");
        config.putObject("rootfs").put("type", "layers").set("diff_ids", diffIds);
        return traits.unknownMember ? withUnknownMember(config) : config;
    }

    private ObjectNode withUnknownMember(ObjectNode json) {
        return json.put("org." + Long.toHexString(random.nextLong()), Long.toHexString(random.nextLong()));
    }

    private ObjectNode listed(String mediaType, byte[] bytes, boolean data) {
        blob(bytes);
        ObjectNode descriptor = descriptor(mediaType, bytes);
        if (data) {
            descriptor.put("data", Base64.getEncoder().encodeToString(bytes));
        }
        return descriptor;
    }

    /** An index of these as they are, of no platform. */
    Digest index(Traits traits, Digest... children) {
        return index(traits, List.of(), List.of(children));
    }

    /** An index of two images with the same traits. */
    Digest indexOfImages(Traits traits) {
        List<String> architectures = List.of("amd64", "arm64");
        return index(
                traits,
                architectures,
                architectures.stream()
                        .map(architecture -> image(traits.on(architecture)))
                        .toList());
    }

    /** @param architectures of the children, or nothing */
    Digest index(Traits traits, List<String> architectures, List<Digest> children) {
        ObjectNode index = head(MediaTypes.OCI_INDEX, traits);
        ArrayNode manifests = index.putArray("manifests");
        for (Digest child : children) {
            ObjectNode entry = descriptors.get(child).deepCopy();
            if (!architectures.isEmpty()) {
                entry.putObject("platform").put("os", "linux").put("architecture", architectures.get(manifests.size()));
            }
            manifests.add(entry);
        }
        return finish(index, traits, "");
    }

    private ObjectNode head(String mediaType, Traits traits) {
        ObjectNode manifest = JSON.createObjectNode().put("schemaVersion", 2).put("mediaType", mediaType);
        traits.artifactType.ifPresent(type -> manifest.put("artifactType", type));
        return manifest;
    }

    private Digest finish(ObjectNode manifest, Traits traits, String configType) {
        traits.subject.ifPresent(subject -> manifest.set("subject", subject(subject)));
        if (!traits.annotations.isEmpty()) {
            ObjectNode annotations = manifest.putObject("annotations");
            traits.annotations.forEach(annotations::put);
            if (traits.unique) {
                withUnknownMember(annotations);
            }
        }
        if (traits.unknownMember) {
            withUnknownMember(manifest);
        }
        byte[] bytes = json(manifest);
        Digest digest = digest(bytes);
        manifests.put(digest, bytes);
        ObjectNode descriptor = descriptor(manifest.get("mediaType").asText(), bytes);
        descriptors.put(digest, descriptor);
        traits.subject.ifPresent(subject -> {
            ObjectNode referrer = descriptor.deepCopy();
            traits.artifactType
                    .or(() -> Optional.of(configType).filter(type -> !type.isEmpty()))
                    .ifPresent(type -> referrer.put("artifactType", type));
            if (manifest.has("annotations")) {
                referrer.set("annotations", manifest.get("annotations"));
            }
            referrers.computeIfAbsent(subject, s -> new ArrayList<>()).add(referrer);
        });
        return digest;
    }

    private ObjectNode subject(Digest subject) {
        ObjectNode known = descriptors.get(subject);
        return known == null ? descriptor(MediaTypes.OCI_MANIFEST, subject, 123) : known.deepCopy();
    }

    /** An index entry for a manifest that nobody has. */
    Digest strangersManifest() {
        Digest digest = digest(bytes(1024));
        descriptors.put(digest, descriptor(MediaTypes.OCI_MANIFEST, digest, 1024));
        return digest;
    }

    /** A manifest as it stands. */
    Digest manifest(ObjectNode manifest) {
        return finish(manifest, new Traits(), "");
    }

    ConformanceData tag(String tag, Digest digest) {
        tags.put(tag, digest);
        return this;
    }

    static byte[] json(ObjectNode json) {
        try {
            return JSON.writeValueAsBytes(json);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
