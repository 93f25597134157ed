package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import akka.util.ByteString;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** An image with one layer of 1 GiB, through a node whose heap is half of that. */
@Tag("clients")
@Tag("long")
final class LargeLayerIT {
    private static final long SIZE = 1L << 30;

    @TempDir
    static Path temp;

    private static KilnProcess server;
    private static Path layout;
    private static Digest layer;
    private static long layerSize;
    private static Digest manifest;

    @BeforeAll
    static void start() throws IOException {
        layout = temp.resolve("layout");
        writeLayout();
        server = KilnProcess.start(temp, "kiln.repositories = [{ name = \"**\", push = true }]", "-Xmx512m");
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    /** The layer never is in memory as a whole. */
    private static void writeLayout() throws IOException {
        Path blobs = Files.createDirectories(layout.resolve("blobs/sha256"));
        Path file = blobs.resolve("layer");
        MessageDigest compressed = Digest.newMessageDigest("sha256");
        MessageDigest plain = Digest.newMessageDigest("sha256");
        Random random = new Random(7);
        byte[] block = new byte[1 << 20];
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), block.length);
                OutputStream gzip = new StoringGzip(new DigestOutputStream(out, compressed));
                TarArchiveOutputStream tar = new TarArchiveOutputStream(new DigestOutputStream(gzip, plain), "UTF-8")) {
            TarArchiveEntry entry = new TarArchiveEntry("large", true);
            entry.setModTime(0);
            entry.setSize(SIZE);
            tar.putArchiveEntry(entry);
            for (long written = 0; written < SIZE; written += block.length) {
                random.nextBytes(block);
                tar.write(block);
            }
            tar.closeArchiveEntry();
        }
        layer = Digest.of("sha256", compressed.digest());
        layerSize = Files.size(file);
        Files.move(file, layout.resolve("blobs/sha256/" + layer.hex()));
        Blob config =
                new Blob(MediaTypes.OCI_CONFIG, RandomImages.utf8("""
                {"os":"linux","architecture":"amd64","config":{},"rootfs":{"type":"layers","diff_ids":["%s"]}}""".formatted(Digest.of("sha256", plain.digest()))));
        Blob image = RandomImages.manifest(
                config.json(""),
                "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d}"
                        .formatted(MediaTypes.OCI_LAYER_GZIP, layer, layerSize));
        manifest = image.digest();
        Map<String, ByteString> files = new LinkedHashMap<>(RandomImages.layout(
                RandomImages.index(image.json(",\"annotations\":{\"org.opencontainers.image.ref.name\":\"main\"}"))));
        files.put(config.file(), config.bytes());
        files.put(image.file(), image.bytes());
        RandomImages.write(layout, files);
    }

    /** Does not try to make random bytes smaller. */
    private static final class StoringGzip extends GZIPOutputStream {
        StoringGzip(OutputStream out) throws IOException {
            super(out, 1 << 16);
            def.setLevel(Deflater.NO_COMPRESSION);
        }
    }

    private static String image(String name) {
        return server.host() + "/" + name;
    }

    @Test
    void skopeoCopiesItInAndOut() throws IOException {
        Client skopeo = Client.skopeo(temp);
        skopeo.run("copy", "--dest-tls-verify=false", "oci:" + layout + ":main", "docker://" + image("large/skopeo:v1"))
                .mustSucceed();
        assertStored("large/skopeo");

        Path out = temp.resolve("out");
        skopeo.run("copy", "--src-tls-verify=false", "docker://" + image("large/skopeo:v1"), "dir:" + out)
                .mustSucceed();
        try (InputStream bytes = Files.newInputStream(out.resolve(layer.hex()))) {
            assertThat(Digest.of("sha256", digest(bytes))).isEqualTo(layer);
        }
    }

    private static byte[] digest(InputStream bytes) throws IOException {
        MessageDigest digest = Digest.newMessageDigest("sha256");
        bytes.transferTo(new DigestOutputStream(OutputStream.nullOutputStream(), digest));
        return digest.digest();
    }

    @Test
    void ctrPushesIt() throws IOException {
        Path archive = temp.resolve("layout.tar");
        try (OutputStream file = Files.newOutputStream(archive);
                TarArchiveOutputStream tar = new TarArchiveOutputStream(file, "UTF-8");
                Stream<Path> paths = Files.walk(layout)) {
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                tar.putArchiveEntry(new TarArchiveEntry(
                        path.toFile(), layout.relativize(path).toString()));
                Files.copy(path, tar);
                tar.closeArchiveEntry();
            }
        }
        Client ctr = Client.ctr(temp);
        ctr.run("images", "import", "--no-unpack", "--base-name", image("large/ctr"), archive.toString())
                .mustSucceed();
        ctr.run("images", "push", "--plain-http", image("large/ctr:v1"), image("large/ctr:main"))
                .mustSucceed();
        assertStored("large/ctr");
    }

    private static void assertStored(String name) {
        PushClient repository = new PushClient(server.registry(), name);
        assertThat(repository.head("manifests/v1").header("Docker-Content-Digest"))
                .isEqualTo(manifest.value());
        Answer blob = repository.head("blobs/" + layer);
        assertThat(blob.status()).isEqualTo(200);
        assertThat(blob.header("Content-Length")).isEqualTo(Long.toString(layerSize));
        Answer end = repository.get("blobs/" + layer, "Range", "bytes=-8");
        assertThat(end.header("Content-Range")).endsWith("/" + layerSize);
        assertThat(end.body()).hasSize(8);
    }
}
