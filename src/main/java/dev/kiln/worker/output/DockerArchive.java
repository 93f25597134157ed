package dev.kiln.worker.output;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/**
 * What {@code docker save} writes: {@code manifest.json} names a configuration and layers. The layers are kept
 * uncompressed, so that the digest of the image does not depend on a compressor, and the manifest is made here.
 */
final class DockerArchive {
    static final String MARKER = "manifest.json";

    private static final int MAX_IMAGES = 256;
    private static final int MAX_LAYERS = 1000;
    private static final int BUFFER = 64 * 1024;
    private static final ObjectMapper JSON = new ObjectMapper(JsonFactory.builder()
            .streamReadConstraints(
                    StreamReadConstraints.builder().maxNestingDepth(32).build())
            .build());

    private final ImageFiles files;
    private final Platform platform;

    DockerArchive(ImageFiles files, Platform platform) {
        this.files = files;
        this.platform = platform;
    }

    TakenImage take(Intake intake) throws IOException, OutputRejectedException {
        Image image = choose();
        ImagePlatform.check(image.config(), platform);
        List<Digest> diffIds = diffIds(image.config());
        if (diffIds.size() != image.layers().size() || diffIds.size() > MAX_LAYERS) {
            throw new OutputRejectedException(
                    "the archive has " + image.layers().size() + " layers, its configuration " + diffIds.size()
                            + "; they have to be equal and at most " + MAX_LAYERS);
        }
        List<Descriptor> layers = new ArrayList<>();
        for (int i = 0; i < diffIds.size(); i++) {
            String file = image.layers().get(i);
            long size = intake.take(diffIds.get(i), () -> uncompressed(file));
            layers.add(new Descriptor(MediaTypes.OCI_LAYER, diffIds.get(i), size));
        }
        Descriptor config = new Descriptor(
                MediaTypes.OCI_CONFIG,
                image.digest(),
                intake.take(image.digest(), () -> files.open(image.configName())));
        byte[] bytes = manifest(config, layers);
        Digest digest = Digest.sha256(bytes);
        long size = intake.take(digest, () -> new ByteArrayInputStream(bytes));
        return new TakenImage(new Descriptor(MediaTypes.OCI_MANIFEST, digest, size), config, layers);
    }

    /** @param digest of the configuration */
    private record Image(String configName, Digest digest, JsonNode config, List<String> layers) {}

    private Image choose() throws IOException, OutputRejectedException {
        JsonNode list = list();
        if (list.size() == 1) {
            return image(list.get(0));
        }
        List<Image> fitting = new ArrayList<>();
        List<String> platforms = new ArrayList<>();
        for (JsonNode entry : list) {
            Image image = image(entry);
            ImagePlatform of = ImagePlatform.of(image.config());
            platforms.add(of.toString());
            if (of.fits(platform)) {
                fitting.add(image);
            }
        }
        if (fitting.isEmpty()) {
            throw new OutputRejectedException("the archive holds images for "
                    + platforms.stream().distinct().sorted().limit(20).collect(Collectors.joining(", ")) + ", but "
                    + platform + " was asked for");
        }
        if (fitting.stream().map(Image::digest).distinct().count() > 1) {
            throw new OutputRejectedException(
                    "the archive is ambiguous: it holds several different images for " + platform);
        }
        return fitting.get(0);
    }

    /** Not {@code ImageManifest.parseObject}: this document is an array. */
    private JsonNode list() throws IOException, OutputRejectedException {
        byte[] bytes = files.document(MARKER);
        JsonNode list;
        try {
            list = JSON.readTree(bytes);
        } catch (IOException e) {
            throw new OutputRejectedException("could not read manifest.json: it is not valid JSON", e);
        }
        if (!list.isArray() || list.isEmpty() || list.size() > MAX_IMAGES) {
            throw new OutputRejectedException("manifest.json is not a list of 1 to " + MAX_IMAGES + " images");
        }
        return list;
    }

    private Image image(JsonNode entry) throws IOException, OutputRejectedException {
        if (!entry.path("Config").isTextual() || !entry.path("Layers").isArray()) {
            throw new OutputRejectedException("an image in manifest.json lacks its Config or Layers");
        }
        List<String> layers = StreamSupport.stream(entry.path("Layers").spliterator(), false)
                .map(layer -> layer.asText(""))
                .toList();
        String name = entry.path("Config").asText();
        byte[] config = files.document(name);
        return new Image(name, Digest.sha256(config), OciLayout.parse(config, "the image's configuration"), layers);
    }

    private static List<Digest> diffIds(JsonNode config) throws OutputRejectedException {
        List<Digest> diffIds = new ArrayList<>();
        for (JsonNode id : config.path("rootfs").path("diff_ids")) {
            diffIds.add(Digest.parse(id.asText(""))
                    .orElseThrow(() -> new OutputRejectedException(
                            "a diff_id in the image's configuration is not a sha256 or sha512 digest")));
        }
        return diffIds;
    }

    private InputStream uncompressed(String file) throws IOException, OutputRejectedException {
        InputStream in = new BufferedInputStream(files.open(file), BUFFER);
        in.mark(2);
        boolean gzip = in.read() == 0x1f && in.read() == 0x8b;
        in.reset();
        if (!gzip) {
            return in;
        }
        try {
            return new GZIPInputStream(in, BUFFER);
        } catch (ZipException | EOFException e) {
            in.close();
            throw new OutputRejectedException("the layer " + file + " is not valid gzip", e);
        }
    }

    /** The same bytes for the same image, now and in later versions. */
    private static byte[] manifest(Descriptor config, List<Descriptor> layers) throws IOException {
        ObjectNode manifest = JSON.createObjectNode();
        manifest.put("schemaVersion", 2);
        manifest.put("mediaType", MediaTypes.OCI_MANIFEST);
        manifest.set("config", json(config));
        ArrayNode list = manifest.putArray("layers");
        layers.forEach(layer -> list.add(json(layer)));
        return JSON.writeValueAsBytes(manifest);
    }

    private static ObjectNode json(Descriptor descriptor) {
        return JSON.createObjectNode()
                .put("mediaType", descriptor.mediaType())
                .put("digest", descriptor.digest().value())
                .put("size", descriptor.size());
    }
}
