package dev.kiln.testing;

import akka.util.ByteString;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/**
 * Small valid images, the same for the same seed, and the forms in which builders leave them. A form is a map from
 * names to bytes, so that a test spoils just what it is about before it is written.
 */
public final class RandomImages {
    private final Random random;

    public RandomImages(long seed) {
        random = new Random(seed);
    }

    /** Some content, and what a descriptor calls it. */
    public record Blob(String mediaType, ByteString bytes) {
        public Digest digest() {
            return Digest.sha256(bytes.toArray());
        }

        public Descriptor descriptor() {
            return new Descriptor(mediaType, digest(), bytes.size());
        }

        /** The name of the blob in an image layout. */
        public String file() {
            return "blobs/sha256/" + digest().hex();
        }

        /** The descriptor as JSON, with {@code more} properties, which begin with a comma. */
        public String json(String more) {
            return "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d%s}"
                    .formatted(mediaType, digest(), bytes.size(), more);
        }
    }

    /** The {@code tars} are the layers, uncompressed; {@code layers} are the same as gzip. */
    public record Image(String platformJson, List<ByteString> tars, List<Blob> layers, Blob config, Blob manifest) {
        public List<Blob> blobs() {
            List<Blob> all = new ArrayList<>(layers);
            all.add(config);
            all.add(manifest);
            return all;
        }

        /** As an entry of an index. */
        public String entry() {
            return manifest.json(",\"platform\":" + platformJson);
        }
    }

    public Image image(Platform platform) {
        return image(platform.os(), platform.architecture(), platform.variant());
    }

    /** @param variant empty: the configuration names none */
    public Image image(String os, String architecture, String variant) {
        String fields = "\"os\":\"" + os + "\",\"architecture\":\"" + architecture + "\""
                + (variant.isEmpty() ? "" : ",\"variant\":\"" + variant + "\"");
        List<ByteString> tars = new ArrayList<>();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            tars.add(layer());
        }
        String diffIds = tars.stream()
                .map(tar -> "\"" + Digest.sha256(tar.toArray()) + "\"")
                .collect(Collectors.joining(","));
        Blob config = new Blob(
                MediaTypes.OCI_CONFIG,
                utf8("{%s,\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[%s]}}".formatted(fields, diffIds)));
        List<Blob> layers = tars.stream()
                .map(tar -> new Blob(MediaTypes.OCI_LAYER_GZIP, gzip(tar)))
                .toList();
        return new Image("{" + fields + "}", tars, layers, config, manifest(config, layers));
    }

    public static Blob manifest(Blob config, List<Blob> layers) {
        return manifest(
                config.json(""), layers.stream().map(layer -> layer.json("")).collect(Collectors.joining(",")));
    }

    /** @param layers descriptors as JSON, with commas between */
    public static Blob manifest(String config, String layers) {
        String json = "{ \"schemaVersion\":2,\"mediaType\":\"%s\",\"config\":%s,\"layers\":[%s]}";
        return new Blob(MediaTypes.OCI_MANIFEST, utf8(json.formatted(MediaTypes.OCI_MANIFEST, config, layers)));
    }

    /** @param entries descriptors as JSON */
    public static Blob index(String... entries) {
        String json = "{\"schemaVersion\":2,\"mediaType\":\"%s\",\"manifests\":[%s]}";
        return new Blob(MediaTypes.OCI_INDEX, utf8(json.formatted(MediaTypes.OCI_INDEX, String.join(",", entries))));
    }

    /** The files of an image layout with these images, and their platforms, in its index. */
    public static Map<String, ByteString> layout(Image... images) {
        List<String> entries = new ArrayList<>();
        for (Image image : images) {
            entries.add(image.entry());
        }
        return layout(index(entries.toArray(String[]::new)), images);
    }

    public static Map<String, ByteString> layout(Blob index, Image... images) {
        Map<String, ByteString> files = new LinkedHashMap<>();
        files.put("oci-layout", utf8("{\"imageLayoutVersion\":\"1.0.0\"}"));
        files.put("index.json", index.bytes());
        for (Image image : images) {
            image.blobs().forEach(blob -> files.put(blob.file(), blob.bytes()));
        }
        return files;
    }

    /** The files of a docker-archive with these images. */
    public static Map<String, ByteString> dockerArchive(Image... images) {
        Map<String, ByteString> files = new LinkedHashMap<>();
        List<String> entries = new ArrayList<>();
        for (Image image : images) {
            String config = image.config().digest().hex() + ".json";
            files.put(config, image.config().bytes());
            List<String> layers = new ArrayList<>();
            for (ByteString tar : image.tars()) {
                String name = Digest.sha256(tar.toArray()).hex() + ".tar";
                files.put(name, tar);
                layers.add("\"" + name + "\"");
            }
            entries.add("{\"Config\":\"%s\",\"RepoTags\":[\"a:b\"],\"Layers\":[%s]}"
                    .formatted(config, String.join(",", layers)));
        }
        files.put("manifest.json", utf8("[" + String.join(",", entries) + "]"));
        return files;
    }

    public static void write(Path directory, Map<String, ByteString> files) throws IOException {
        for (Map.Entry<String, ByteString> file : files.entrySet()) {
            Path path = directory.resolve(file.getKey());
            Files.createDirectories(path.getParent());
            Files.write(path, file.getValue().toArray());
        }
    }

    public static void writeTar(Path archive, Map<String, ByteString> files) throws IOException {
        try (OutputStream out = Files.newOutputStream(archive)) {
            out.write(tar(files).toArray());
        }
    }

    public static ByteString tar(Map<String, ByteString> files) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes, "UTF-8")) {
            tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
            for (Map.Entry<String, ByteString> file : files.entrySet()) {
                TarArchiveEntry entry = new TarArchiveEntry(file.getKey(), true);
                entry.setModTime(0);
                entry.setSize(file.getValue().size());
                tar.putArchiveEntry(entry);
                tar.write(file.getValue().toArray());
                tar.closeArchiveEntry();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return ByteString.fromArray(bytes.toByteArray());
    }

    public ByteString bytes(int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return ByteString.fromArray(bytes);
    }

    public static ByteString gzip(ByteString bytes) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes.toArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return ByteString.fromArray(out.toByteArray());
    }

    public static ByteString utf8(String text) {
        return ByteString.fromString(text, StandardCharsets.UTF_8);
    }

    private ByteString layer() {
        Map<String, ByteString> files = new LinkedHashMap<>();
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            files.put("app/file-" + Integer.toHexString(random.nextInt()), bytes(random.nextInt(5000)));
        }
        return tar(files);
    }
}
