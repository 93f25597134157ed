package dev.kiln.oci;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The part of an image manifest (image specification, manifest.md) that Kiln acts on. Parsing is bounded: nesting,
 * numbers and sizes that no real manifest has are refused.
 *
 * @param mediaType what the manifest says of itself, or the OCI type when it says nothing
 */
public record ImageManifest(String mediaType, Descriptor config, List<Descriptor> layers) {
    /** Manifests above this size are refused (distribution specification, "Pushing Manifests": at least 4 MiB). */
    public static final int MAX_SIZE = 4 * 1024 * 1024;

    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(32).build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build());

    public ImageManifest {
        layers = List.copyOf(layers);
    }

    /** @throws IllegalArgumentException saying what is wrong, when {@code bytes} are not an image manifest */
    public static ImageManifest parse(byte[] bytes) {
        JsonNode json = parseObject(bytes);
        String mediaType = json.path("mediaType").asText(MediaTypes.OCI_MANIFEST);
        if (!MediaTypes.isImageManifest(mediaType)) {
            throw new IllegalArgumentException("its mediaType is not that of an image manifest");
        }
        List<Descriptor> layers = new ArrayList<>();
        for (JsonNode layer : json.path("layers")) {
            layers.add(descriptor(layer));
        }
        return new ImageManifest(mediaType, descriptor(json.path("config")), layers);
    }

    /**
     * The JSON object that {@code bytes} are, read within bounds.
     *
     * @throws IllegalArgumentException when they are none
     */
    public static JsonNode parseObject(byte[] bytes) {
        if (bytes.length > MAX_SIZE) {
            throw new IllegalArgumentException("it is larger than 4 MiB");
        }
        try {
            JsonNode json = JSON.readTree(bytes);
            if (!json.isObject()) {
                throw new IllegalArgumentException("it is not a JSON object");
            }
            return json;
        } catch (IOException e) {
            throw new IllegalArgumentException("it is not valid JSON", e);
        }
    }

    /**
     * The annotations of a manifest of any kind that was {@link #parseObject read whole} before it was stored. Takes the
     * memory of those alone.
     */
    public static Map<String, String> annotations(InputStream manifest) throws IOException {
        Map<String, String> annotations = new LinkedHashMap<>();
        try (JsonParser json = JSON.createParser(manifest)) {
            json.disable(StreamReadFeature.STRICT_DUPLICATE_DETECTION.mappedFeature());
            json.nextToken();
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                boolean wanted = json.currentName().equals("annotations");
                if (json.nextToken() != JsonToken.START_OBJECT || !wanted) {
                    json.skipChildren();
                    continue;
                }
                while (json.nextToken() == JsonToken.FIELD_NAME) {
                    annotations.put(json.currentName(), json.nextTextValue());
                }
            }
        }
        return annotations;
    }

    /** @throws IllegalArgumentException when {@code json} lacks a media type, a digest or a size */
    public static Descriptor descriptor(JsonNode json) {
        JsonNode size = json.path("size");
        if (!json.path("mediaType").isTextual() || !size.isIntegralNumber() || !size.canConvertToLong()) {
            throw new IllegalArgumentException("a descriptor lacks its mediaType or size");
        }
        Digest digest = Digest.parse(json.path("digest").asText(""))
                .orElseThrow(() -> new IllegalArgumentException("a descriptor's digest is not sha256 or sha512"));
        return new Descriptor(json.path("mediaType").asText(), digest, size.longValue());
    }
}
