package dev.kiln.repository;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * A manifest as a client pushes it, read and checked without looking at anything else (image specification, manifest.md
 * and image-index.md). What the specification leaves open is not looked at: unknown members, and what annotations say.
 *
 * @param references what it refers to, its subject aside, none twice
 * @param subject the manifest that it says something about, which need not exist
 * @param artifactType as referrers are listed: its own, or of an image manifest without one its configuration's media type
 */
public record ManifestDocument(
        String mediaType, List<Reference> references, Optional<Digest> subject, Optional<String> artifactType) {
    /** RFC 6838, 4.2. */
    private static final Pattern MEDIA_TYPE =
            Pattern.compile("[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}");

    /** Layers that are had elsewhere. */
    private static final Pattern ELSEWHERE = Pattern.compile(
            "application/vnd\\.(oci\\.image\\.layer\\.nondistributable\\.|docker\\.image\\.rootfs\\.foreign\\.).*");

    public ManifestDocument {
        references = List.copyOf(references);
    }

    /**
     * What a manifest refers to.
     *
     * @param manifest whether it is a manifest itself; an index may list layers too, as build caches do
     * @param optional whether it is had elsewhere: a registry need not have it, but keeps it when it does
     */
    public record Reference(Descriptor descriptor, boolean manifest, boolean optional) {}

    /**
     * Reads a manifest. May take some tens of times the memory of its bytes.
     *
     * @param contentType what the client calls it; empty when it says nothing or that it is bytes
     * @throws Problem that says what is wrong
     */
    public static ManifestDocument parse(byte[] bytes, Optional<String> contentType) {
        JsonNode json;
        try {
            json = ImageManifest.parseObject(bytes);
        } catch (IllegalArgumentException e) {
            throw invalid(e.getMessage());
        }
        String mediaType = mediaType(json, contentType);
        if (!json.path("schemaVersion").isInt() || json.path("schemaVersion").intValue() != 2) {
            throw invalid("its schemaVersion is not 2");
        }
        Map<Digest, Reference> references = new LinkedHashMap<>();
        boolean index = MediaTypes.isIndex(mediaType);
        if (index) {
            // What could be read as either means something else to each reader (CVE-2021-41190).
            absent(json, "layers");
            absent(json, "config");
            listed(json, "manifests").forEach(child -> {
                Descriptor descriptor = descriptor(child);
                add(references, new Reference(descriptor, isManifest(descriptor.mediaType()), false));
            });
        } else {
            absent(json, "manifests");
            add(references, new Reference(descriptor(json.path("config")), false, false));
            for (JsonNode layer : listed(json, "layers")) {
                Descriptor descriptor = descriptor(layer);
                boolean elsewhere = isElsewhere(layer)
                        || ELSEWHERE.matcher(descriptor.mediaType()).matches();
                add(references, new Reference(descriptor, false, elsewhere));
            }
        }
        if (references.size() >= RepositoryCommand.MAX_DIGESTS) {
            throw invalid("it refers to " + references.size() + " things; at most "
                    + (RepositoryCommand.MAX_DIGESTS - 1) + " are taken");
        }
        annotations(json);
        Optional<String> artifactType = artifactType(json);
        return new ManifestDocument(
                mediaType,
                List.copyOf(references.values()),
                subject(json),
                artifactType.isPresent() || index
                        ? artifactType
                        : Optional.of(json.path("config").path("mediaType").asText()));
    }

    /** The digest as which it was pushed, and the rest of what the repository remembers. */
    public PushedManifest pushed(Digest digest, long size) {
        return new PushedManifest(
                new Descriptor(mediaType, digest, size),
                references.stream().map(r -> r.descriptor().digest()).toList(),
                subject,
                artifactType);
    }

    private static String mediaType(JsonNode json, Optional<String> contentType) {
        JsonNode own = json.path("mediaType");
        if (!own.isMissingNode() && !own.isTextual()) {
            throw invalid("its mediaType is no text");
        }
        Optional<String> said = Optional.of(own.asText()).filter(text -> !text.isEmpty());
        if (said.isPresent() && contentType.isPresent() && !said.equals(contentType)) {
            throw invalid("its mediaType is not the Content-Type it was sent with");
        }
        String mediaType = said.or(() -> contentType)
                .orElse(json.has("manifests") ? MediaTypes.OCI_INDEX : MediaTypes.OCI_MANIFEST);
        if (!isManifest(mediaType)) {
            throw invalid("its media type is none of OCI's and Docker's (schema 2) indexes and manifests");
        }
        return mediaType;
    }

    private static Optional<Digest> subject(JsonNode json) {
        JsonNode subject = json.path("subject");
        return isNothing(subject)
                ? Optional.empty()
                : Optional.of(descriptor(subject).digest());
    }

    private static Optional<String> artifactType(JsonNode json) {
        JsonNode type = json.path("artifactType");
        if (isNothing(type) || (type.isTextual() && type.asText().isEmpty())) {
            return Optional.empty();
        }
        if (!type.isTextual() || !isMediaType(type.asText())) {
            throw invalid("its artifactType is no media type");
        }
        return Optional.of(type.asText());
    }

    private static void annotations(JsonNode json) {
        JsonNode annotations = json.path("annotations");
        if (isNothing(annotations)) {
            return;
        }
        if (!annotations.isObject()) {
            throw invalid("its annotations are no object");
        }
        annotations.forEach(value -> {
            if (!value.isTextual()) {
                throw invalid("an annotation is no text");
            }
        });
    }

    /** Some writers say {@code null} for an empty list. */
    private static List<JsonNode> listed(JsonNode json, String member) {
        JsonNode list = json.path(member);
        if (list.isMissingNode() || (!list.isNull() && !list.isArray())) {
            throw invalid("it has no list called " + member);
        }
        List<JsonNode> elements = new ArrayList<>();
        list.forEach(elements::add);
        return elements;
    }

    private static void absent(JsonNode json, String member) {
        if (json.has(member)) {
            throw invalid("it has " + member + ", which its media type does not have");
        }
    }

    private static boolean isElsewhere(JsonNode layer) {
        return layer.path("urls").isArray() && !layer.path("urls").isEmpty();
    }

    private static void add(Map<Digest, Reference> references, Reference reference) {
        references.merge(reference.descriptor().digest(), reference, (known, other) -> {
            if (known.descriptor().size() != other.descriptor().size()) {
                throw new Problem(
                        ProblemCode.SIZE_INVALID,
                        "the manifest names two sizes of " + known.descriptor().digest());
            }
            return known.optional() ? other : known;
        });
    }

    private static Descriptor descriptor(JsonNode json) {
        if (!json.isObject()) {
            throw invalid("a descriptor is missing or no object");
        }
        if (!json.path("digest").isTextual()
                || Digest.parse(json.path("digest").asText()).isEmpty()) {
            throw new Problem(
                    ProblemCode.DIGEST_INVALID, "the manifest has a descriptor whose digest is not sha256 or sha512");
        }
        JsonNode size = json.path("size");
        if (!size.isIntegralNumber() || !size.canConvertToLong() || size.longValue() < 0) {
            throw new Problem(ProblemCode.SIZE_INVALID, "the manifest has a descriptor whose size is no size");
        }
        if (!isMediaType(json.path("mediaType").asText(""))) {
            throw invalid("a descriptor's mediaType is no media type");
        }
        Descriptor descriptor = ImageManifest.descriptor(json);
        JsonNode data = json.path("data");
        if (!isNothing(data) && !isData(data, descriptor)) {
            throw invalid("a descriptor's data are not what its digest and size say");
        }
        return descriptor;
    }

    private static boolean isData(JsonNode data, Descriptor descriptor) {
        try {
            byte[] bytes = Base64.getDecoder().decode(data.asText());
            return data.isTextual()
                    && bytes.length == descriptor.size()
                    && descriptor.digest().isOf(bytes);
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static boolean isManifest(String mediaType) {
        return MediaTypes.isIndex(mediaType) || MediaTypes.isImageManifest(mediaType);
    }

    private static boolean isMediaType(String text) {
        return MEDIA_TYPE.matcher(text).matches();
    }

    private static boolean isNothing(JsonNode json) {
        return json.isMissingNode() || json.isNull();
    }

    private static Problem invalid(String what) {
        return new Problem(ProblemCode.MANIFEST_INVALID, "the manifest is not valid: " + what);
    }
}
