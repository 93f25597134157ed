package dev.kiln.worker.builder.jib;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.blob.BlobStore;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarFile;

/**
 * Writes the final image as an OCI layout: the base image's layers as its registry has them, and the new ones
 * uncompressed, so that no digest depends on a machine's compressor.
 */
final class ImageLayout {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final BlobStore store;
    private final Path output;
    private final Path blobs;

    /** @param output existing and empty */
    ImageLayout(BlobStore store, Path output) {
        this.store = store;
        this.output = output;
        this.blobs = output.resolve("blobs").resolve("sha256");
    }

    /** @param jibImage what {@link JibRun#run} made on {@code base}. @return the manifest's descriptor */
    Descriptor write(Path jibImage, Optional<BaseImage> base, Platform platform) throws IOException, JibFailure {
        Files.createDirectories(blobs);
        try (TarFile tar = new TarFile(jibImage)) {
            Map<String, TarArchiveEntry> entries = new HashMap<>();
            tar.getEntries().forEach(entry -> entries.put(entry.getName(), entry));
            JsonNode index = json(tar, entries.get("index.json"));
            ImageManifest made = ImageManifest.parse(bytes(
                    tar,
                    blob(
                            entries,
                            ImageManifest.descriptor(index.path("manifests").path(0)))));
            ObjectNode config = config(json(tar, blob(entries, made.config())), base, platform);

            List<Descriptor> layers = new ArrayList<>();
            if (base.isPresent()) {
                for (Descriptor layer : base.get().layers()) {
                    copy(layer);
                    layers.add(layer);
                }
            }
            for (Descriptor layer :
                    made.layers().subList(layers.size(), made.layers().size())) {
                try (InputStream in = new GZIPInputStream(tar.getInputStream(blob(entries, layer)), 64 * 1024)) {
                    layers.add(put(MediaTypes.OCI_LAYER, in));
                }
            }
            check(
                    config.path("rootfs").path("diff_ids"),
                    layers,
                    base.map(b -> b.layers().size()).orElse(0));
            Descriptor manifest = put(
                    MediaTypes.OCI_MANIFEST,
                    manifest(put(MediaTypes.OCI_CONFIG, JSON.writeValueAsBytes(config)), layers));
            Files.write(output.resolve("index.json"), index(manifest, platform));
            Files.writeString(output.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}");
            return manifest;
        }
    }

    /** jib-core knows no variants, and drops a base image's stop signal. */
    private static ObjectNode config(JsonNode made, Optional<BaseImage> base, Platform platform) {
        ObjectNode config = made.deepCopy();
        config.put("os", platform.os()).put("architecture", platform.architecture());
        if (!platform.variant().isEmpty()) {
            config.put("variant", platform.variant());
        }
        JsonNode signal =
                base.map(b -> b.config().path("config").path("StopSignal")).orElse(JSON.missingNode());
        if (signal.isTextual() && config.path("config").isObject()) {
            ((ObjectNode) config.path("config")).set("StopSignal", signal);
        }
        return config;
    }

    private static byte[] manifest(Descriptor config, List<Descriptor> layers) throws IOException {
        ObjectNode manifest = JSON.createObjectNode();
        manifest.put("schemaVersion", 2).put("mediaType", MediaTypes.OCI_MANIFEST);
        manifest.set("config", node(config));
        ArrayNode list = manifest.putArray("layers");
        layers.forEach(layer -> list.add(node(layer)));
        return JSON.writeValueAsBytes(manifest);
    }

    private static byte[] index(Descriptor manifest, Platform platform) throws IOException {
        ObjectNode index = JSON.createObjectNode();
        index.put("schemaVersion", 2).put("mediaType", MediaTypes.OCI_INDEX);
        ObjectNode entry = node(manifest);
        ObjectNode described = entry.putObject("platform");
        described.put("architecture", platform.architecture()).put("os", platform.os());
        if (!platform.variant().isEmpty()) {
            described.put("variant", platform.variant());
        }
        index.putArray("manifests").add(entry);
        return JSON.writeValueAsBytes(index);
    }

    private static ObjectNode node(Descriptor descriptor) {
        return JSON.createObjectNode()
                .put("mediaType", descriptor.mediaType())
                .put("digest", descriptor.digest().value())
                .put("size", descriptor.size());
    }

    /** What was unpacked must be what jib-core hashed before it packed it. */
    private static void check(JsonNode diffIds, List<Descriptor> layers, int inherited) throws IOException {
        boolean same = diffIds.size() == layers.size();
        for (int i = inherited; same && i < layers.size(); i++) {
            same = diffIds.path(i).asText().equals(layers.get(i).digest().value());
        }
        if (!same) {
            throw new IOException("jib-core's layers are not those of its configuration");
        }
    }

    private static TarArchiveEntry blob(Map<String, TarArchiveEntry> entries, Descriptor descriptor) {
        return entries.get("blobs/sha256/" + descriptor.digest().hex());
    }

    private static JsonNode json(TarFile tar, TarArchiveEntry entry) throws IOException {
        return ImageManifest.parseObject(bytes(tar, entry));
    }

    private static byte[] bytes(TarFile tar, TarArchiveEntry entry) throws IOException {
        if (entry == null) {
            throw new IOException("jib-core's image lacks a part");
        }
        try (InputStream in = tar.getInputStream(entry)) {
            return in.readNBytes(ImageManifest.MAX_SIZE + 1);
        }
    }

    private void copy(Descriptor layer) throws IOException, JibFailure {
        if (!layer.digest().algorithm().equals("sha256")) {
            Files.createDirectories(
                    output.resolve("blobs").resolve(layer.digest().algorithm()));
        }
        Path file = output.resolve("blobs")
                .resolve(layer.digest().algorithm())
                .resolve(layer.digest().hex());
        if (Files.exists(file)) {
            return;
        }
        try (InputStream in = store.open(layer.digest());
                OutputStream out = Files.newOutputStream(file)) {
            in.transferTo(out);
        }
    }

    private Descriptor put(String mediaType, byte[] bytes) throws IOException {
        Digest digest = Digest.sha256(bytes);
        Files.write(blobs.resolve(digest.hex()), bytes);
        return new Descriptor(mediaType, digest, bytes.length);
    }

    private Descriptor put(String mediaType, InputStream in) throws IOException {
        Path staged = Files.createTempFile(output, "layer", null);
        MessageDigest hash = Digest.sha256(new byte[0]).newMessageDigest();
        long size;
        try (OutputStream out = new DigestOutputStream(Files.newOutputStream(staged), hash)) {
            size = in.transferTo(out);
        }
        Digest digest = Digest.of("sha256", hash.digest());
        Files.move(staged, blobs.resolve(digest.hex()), StandardCopyOption.REPLACE_EXISTING);
        return new Descriptor(mediaType, digest, size);
    }
}
