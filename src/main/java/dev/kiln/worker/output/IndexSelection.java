package dev.kiln.worker.output;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Finds the image of one platform among those of a layout: in its index, and in indexes within the index. */
final class IndexSelection {
    private static final int MAX_DEPTH = 3;
    private static final int MAX_ENTRIES = 256;

    private final OciLayout layout;
    private final Platform asked;
    private final Map<Digest, Candidate> candidates = new LinkedHashMap<>();
    private final Set<Digest> indexes = new HashSet<>();
    private int entries;

    IndexSelection(OciLayout layout, Platform asked) {
        this.layout = layout;
        this.asked = asked;
    }

    /** An image manifest's descriptor. Of a single image its configuration decides, and the caller checks it. */
    Descriptor choose(JsonNode index) throws IOException, OutputRejectedException {
        collect(index, 1);
        if (candidates.isEmpty()) {
            throw new OutputRejectedException("the image layout holds no image");
        }
        if (candidates.size() == 1) {
            return candidates.values().iterator().next().descriptor();
        }
        List<Candidate> known = new ArrayList<>();
        for (Candidate candidate : candidates.values()) {
            known.add(candidate.isNamed() ? candidate : withPlatform(candidate));
        }
        List<Candidate> fitting = known.stream()
                .filter(candidate -> candidate.platform().is(asked))
                .toList();
        if (fitting.isEmpty()) {
            throw new OutputRejectedException(
                    "the image layout holds images for " + list(known) + ", but " + asked + " was asked for");
        }
        if (fitting.size() > 1) {
            throw new OutputRejectedException("the image layout is ambiguous: it holds " + fitting.size()
                    + " different images for " + asked + ", such as "
                    + fitting.get(0).descriptor().digest() + " and "
                    + fitting.get(1).descriptor().digest());
        }
        return fitting.get(0).descriptor();
    }

    private void collect(JsonNode index, int depth) throws IOException, OutputRejectedException {
        if (depth > MAX_DEPTH) {
            throw new OutputRejectedException("the image layout nests indexes deeper than " + MAX_DEPTH);
        }
        if (!index.path("manifests").isArray() || index.has("layers") || index.has("config")) {
            throw new OutputRejectedException("the image layout's index is not an image index");
        }
        for (JsonNode entry : index.path("manifests")) {
            if (++entries > MAX_ENTRIES) {
                throw new OutputRejectedException("the image layout's index has more than " + MAX_ENTRIES + " entries");
            }
            if (isAttestation(entry)) {
                continue;
            }
            Descriptor descriptor = descriptor(entry);
            if (MediaTypes.isIndex(descriptor.mediaType())) {
                if (indexes.add(descriptor.digest())) {
                    String name = "the index " + descriptor.digest();
                    collect(OciLayout.parse(layout.document(descriptor), name), depth + 1);
                }
            } else if (MediaTypes.isImageManifest(descriptor.mediaType())) {
                Candidate candidate = new Candidate(descriptor, ImagePlatform.of(entry.path("platform")));
                candidates.merge(descriptor.digest(), candidate, IndexSelection::better);
            }
        }
    }

    /** BuildKit puts provenance beside the images, as manifests for no platform. */
    private static boolean isAttestation(JsonNode entry) {
        return entry.path("annotations").has("vnd.docker.reference.type")
                || ImagePlatform.of(entry.path("platform")).isUnknown();
    }

    private static Descriptor descriptor(JsonNode entry) throws OutputRejectedException {
        try {
            return ImageManifest.descriptor(entry);
        } catch (IllegalArgumentException e) {
            throw new OutputRejectedException("could not read the image layout's index: " + e.getMessage(), e);
        }
    }

    private Candidate withPlatform(Candidate candidate) throws IOException, OutputRejectedException {
        return new Candidate(candidate.descriptor(), layout.platformOf(candidate.descriptor()));
    }

    private static Candidate better(Candidate one, Candidate other) {
        return one.isNamed() ? one : other;
    }

    private static String list(List<Candidate> candidates) {
        return candidates.stream()
                .map(candidate -> candidate.isNamed() ? candidate.platform().toString() : "no platform")
                .distinct()
                .sorted()
                .limit(20)
                .collect(Collectors.joining(", "));
    }

    private record Candidate(Descriptor descriptor, ImagePlatform platform) {
        boolean isNamed() {
            return platform.platform().isPresent();
        }
    }
}
