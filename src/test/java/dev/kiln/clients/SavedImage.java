package dev.kiln.clients;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/** One image as a client has written it to an archive, of Docker's form or OCI's. */
final class SavedImage {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final JsonNode config;
    private final List<byte[]> layers;

    private SavedImage(JsonNode config, List<byte[]> layers) {
        this.config = config;
        this.layers = layers;
    }

    static SavedImage read(Path archive) {
        try {
            Map<String, byte[]> files = untar(Files.readAllBytes(archive));
            return files.containsKey("manifest.json") ? ofDocker(files) : ofOci(files);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static SavedImage ofDocker(Map<String, byte[]> files) throws IOException {
        JsonNode manifest = JSON.readTree(files.get("manifest.json")).path(0);
        List<byte[]> layers = new ArrayList<>();
        manifest.path("Layers").forEach(name -> layers.add(files.get(name.asText())));
        return new SavedImage(JSON.readTree(files.get(manifest.path("Config").asText())), layers);
    }

    private static SavedImage ofOci(Map<String, byte[]> files) throws IOException {
        JsonNode manifest = JSON.readTree(blob(
                files, JSON.readTree(files.get("index.json")).path("manifests").path(0)));
        List<byte[]> layers = new ArrayList<>();
        manifest.path("layers").forEach(layer -> layers.add(blob(files, layer)));
        return new SavedImage(JSON.readTree(blob(files, manifest.path("config"))), layers);
    }

    private static byte[] blob(Map<String, byte[]> files, JsonNode descriptor) {
        return files.get("blobs/" + descriptor.path("digest").asText().replace(':', '/'));
    }

    /** os/architecture of the configuration. */
    String platform() {
        return config.path("os").asText() + "/" + config.path("architecture").asText();
    }

    /** A file's content in the topmost layer that has it. */
    Optional<String> file(String path) {
        Optional<String> found = Optional.empty();
        try {
            for (byte[] layer : layers) {
                byte[] content = untar(layer).get(path);
                found = content == null ? found : Optional.of(new String(content, StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    /** The permissions of a file in the last layer that has it. */
    Optional<Integer> mode(String path) {
        Optional<Integer> found = Optional.empty();
        try {
            for (byte[] layer : layers) {
                try (TarArchiveInputStream tar = tar(layer)) {
                    for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                        if (name(entry).equals(path)) {
                            found = Optional.of(entry.getMode() & 0777);
                        }
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    private static String name(TarArchiveEntry entry) {
        return entry.getName().replaceFirst("^(\\./|/)", "");
    }

    private static TarArchiveInputStream tar(byte[] bytes) throws IOException {
        boolean gzipped = bytes.length > 1 && bytes[0] == 0x1f && (bytes[1] & 0xff) == 0x8b;
        InputStream plain = new ByteArrayInputStream(bytes);
        return new TarArchiveInputStream(gzipped ? new GZIPInputStream(plain) : plain);
    }

    private static Map<String, byte[]> untar(byte[] bytes) throws IOException {
        Map<String, byte[]> files = new HashMap<>();
        try (TarArchiveInputStream tar = tar(bytes)) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (entry.isFile()) {
                    files.put(name(entry), tar.readAllBytes());
                }
            }
        }
        return files;
    }
}
