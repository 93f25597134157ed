package dev.kiln.worker.output;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.Platform;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** An OCI image layout (image specification, image-layout.md). Its bytes are taken as they are. */
final class OciLayout {
    static final String MARKER = "oci-layout";

    private static final int MAX_LAYERS = 1000;

    private final ImageFiles files;
    private final Platform platform;

    OciLayout(ImageFiles files, Platform platform) {
        this.files = files;
        this.platform = platform;
    }

    TakenImage take(Intake intake) throws IOException, OutputRejectedException {
        JsonNode layout = parse(files.document(MARKER), MARKER);
        if (!layout.path("imageLayoutVersion").asText("").startsWith("1.")) {
            throw new OutputRejectedException("the image layout's version is not 1.0.0");
        }
        return take(
                new IndexSelection(this, platform).choose(parse(files.document("index.json"), "index.json")), intake);
    }

    /** The one image that is asked for; only its blobs are looked at. */
    TakenImage take(Descriptor chosen, Intake intake) throws IOException, OutputRejectedException {
        byte[] bytes = document(chosen);
        JsonNode json = parse(bytes, "the manifest " + chosen.digest());
        ImageManifest manifest = manifest(chosen, bytes, json);
        ImagePlatform.check(config(manifest), platform);
        rejectForeign(json);

        List<Descriptor> contents = new ArrayList<>(manifest.layers());
        contents.add(manifest.config());
        for (Descriptor content : contents) {
            checkSize(content);
        }
        intake.checkTotal(contents);
        for (Descriptor content : contents) {
            intake.take(content.digest(), () -> files.open(blob(content.digest())));
        }
        intake.take(chosen.digest(), () -> new ByteArrayInputStream(bytes));
        return new TakenImage(chosen, manifest.config(), manifest.layers());
    }

    /** The platform that the configuration of the image {@code descriptor} names. */
    ImagePlatform platformOf(Descriptor descriptor) throws IOException, OutputRejectedException {
        byte[] bytes = document(descriptor);
        return ImagePlatform.of(
                config(manifest(descriptor, bytes, parse(bytes, "the manifest " + descriptor.digest()))));
    }

    /** A blob that is JSON, whole and checked. */
    byte[] document(Descriptor descriptor) throws IOException, OutputRejectedException {
        checkSize(descriptor);
        byte[] bytes = files.document(blob(descriptor.digest()));
        Digest actual = Digest.of(
                descriptor.digest().algorithm(),
                descriptor.digest().newMessageDigest().digest(bytes));
        if (!actual.equals(descriptor.digest())) {
            throw new OutputRejectedException(
                    "the image's blob " + descriptor.digest() + " is damaged: the content's digest is " + actual);
        }
        return bytes;
    }

    /** @param what names the bytes in the error */
    static JsonNode parse(byte[] bytes, String what) throws OutputRejectedException {
        try {
            return ImageManifest.parseObject(bytes);
        } catch (IllegalArgumentException e) {
            throw new OutputRejectedException("could not read " + what + ": " + e.getMessage(), e);
        }
    }

    private JsonNode config(ImageManifest manifest) throws IOException, OutputRejectedException {
        return parse(document(manifest.config()), "the image's configuration");
    }

    /** A document must not be readable as a manifest by one client and as an index by another (CVE-2021-41190). */
    private static ImageManifest manifest(Descriptor descriptor, byte[] bytes, JsonNode json)
            throws OutputRejectedException {
        String name = "the manifest " + descriptor.digest();
        if (json.path("schemaVersion").asInt() != 2 || json.has("manifests")) {
            throw new OutputRejectedException(name + " is not an image manifest of schema version 2");
        }
        if (json.has("mediaType") && !json.path("mediaType").asText().equals(descriptor.mediaType())) {
            throw new OutputRejectedException(name + " has another mediaType than the index says");
        }
        try {
            ImageManifest manifest = ImageManifest.parse(bytes);
            if (manifest.layers().size() > MAX_LAYERS) {
                throw new OutputRejectedException("the image has more than " + MAX_LAYERS + " layers");
            }
            return manifest;
        } catch (IllegalArgumentException e) {
            throw new OutputRejectedException("could not read " + name + ": " + e.getMessage(), e);
        }
    }

    private static void rejectForeign(JsonNode manifest) throws OutputRejectedException {
        for (JsonNode layer : manifest.path("layers")) {
            String mediaType = layer.path("mediaType").asText();
            if (layer.has("urls") || mediaType.contains("nondistributable") || mediaType.contains("foreign")) {
                throw new OutputRejectedException(
                        "the layer " + layer.path("digest").asText()
                                + " is not distributable; Kiln serves only images that are complete");
            }
        }
    }

    private void checkSize(Descriptor descriptor) throws IOException, OutputRejectedException {
        String name = blob(descriptor.digest());
        if (!files.has(name)) {
            throw new OutputRejectedException("the image's blob " + descriptor.digest() + " is missing");
        }
        long size = files.size(name);
        if (size != descriptor.size()) {
            throw new OutputRejectedException("the image's blob " + descriptor.digest() + " has " + size
                    + " bytes, but its descriptor says " + descriptor.size());
        }
    }

    private static String blob(Digest digest) {
        return "blobs/" + digest.algorithm() + "/" + digest.hex();
    }
}
