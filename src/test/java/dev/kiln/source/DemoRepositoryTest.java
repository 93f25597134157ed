package dev.kiln.source;

import static dev.kiln.source.SourceFixture.config;
import static dev.kiln.source.SourceFixture.found;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DemoRepositoryTest {
    @TempDir
    Path folder;

    private SourceFixture fixture;
    private GitSource source;

    @BeforeEach
    void make() throws IOException {
        fixture = new SourceFixture(folder.resolve("mirrors"));
        DemoRepository.createIfAbsent(folder.resolve("demo/hello.git"));
        source = fixture.source(
                config(folder.resolve("demo/{name}.git").toString().replace("{name}", "hello")));
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void isTheSameWhereverItIsMadeAndIsLeftAloneAfterwards() throws IOException {
        Path other = folder.resolve("other.git");
        DemoRepository.createIfAbsent(other);
        GitSource otherSource = fixture.source(config(other.toString()));

        assertThat(found(otherSource, "main").revision())
                .isEqualTo(found(source, "main").revision());
        assertThat(found(source, "v1.0.0").revision())
                .isNotEqualTo(found(source, "main").revision());
        Files.delete(other.resolve("refs/heads/main"));
        DemoRepository.createIfAbsent(other);
        assertThat(other.resolve("refs/heads/main")).doesNotExist();
    }

    @Test
    void itsScriptBuildsAnImageThatRuns() throws Exception {
        Map<String, String> amd64 = build("one", "amd64", "");
        Map<String, String> again = build("two", "amd64", "");

        assertThat(amd64).isEqualTo(again);
        assertThat(amd64.get("platform")).isEqualTo("{\"architecture\":\"amd64\",\"os\":\"linux\"}");
        assertThat(amd64.get("hello.txt"))
                .startsWith("Hello from Kiln: demo/hello at ")
                .endsWith(" for linux/amd64\n");
        assumeTrue(System.getProperty("os.arch").equals("amd64"));
        Path program = folder.resolve("hello");
        Files.write(program, amd64.get("hello").getBytes(StandardCharsets.ISO_8859_1));
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        Process process = new ProcessBuilder(program.toString()).start();
        assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
                .isEqualTo(amd64.get("hello.txt"));
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void itsScriptBuildsForAPlatformWithAVariantToo() throws Exception {
        Map<String, String> arm = build("arm", "arm", "v7");

        assertThat(arm.get("platform")).isEqualTo("{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v7\"}");
        assertThat(arm.get("hello.txt")).endsWith(" for linux/arm/v7\n");
    }

    /** Runs the script in a checkout as a builder does, checks every digest, and returns the layer's files. */
    private Map<String, String> build(String name, String architecture, String variant) throws Exception {
        Meaning.Found main = found(source, "main");
        SourceArchive archive = source.archive(main.revision());
        Path checkout = Files.createDirectory(folder.resolve(name));
        Path output = Files.createDirectory(folder.resolve(name + "-output"));
        Checkout.extract(
                new ByteArrayInputStream(fixture.store.blobs.get(archive.digest())),
                checkout,
                archive.commitTime(),
                1_000_000,
                OptionalInt.empty());
        ProcessBuilder builder = new ProcessBuilder("sh", "build.sh").directory(checkout.toFile());
        builder.environment().clear();
        builder.environment()
                .putAll(Map.of(
                        "PATH",
                        "/usr/local/bin:/usr/bin:/bin",
                        "KILN_REPOSITORY",
                        "demo/hello",
                        "KILN_REVISION",
                        main.revision().value(),
                        "KILN_PLATFORM",
                        "linux/" + architecture + (variant.isEmpty() ? "" : "/" + variant),
                        "KILN_OS",
                        "linux",
                        "KILN_ARCH",
                        architecture,
                        "KILN_VARIANT",
                        variant,
                        "KILN_OUTPUT",
                        output.toString(),
                        "SOURCE_DATE_EPOCH",
                        String.valueOf(archive.commitTime())));
        Process process = builder.redirectErrorStream(true).start();
        String log = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(log).isZero();
        return read(output);
    }

    private static Map<String, String> read(Path layout) throws IOException {
        ObjectMapper json = new ObjectMapper();
        JsonNode entry = json.readTree(layout.resolve("index.json").toFile())
                .path("manifests")
                .get(0);
        ImageManifest manifest = ImageManifest.parse(
                blob(layout, Digest.parse(entry.path("digest").asText()).orElseThrow()));
        JsonNode config = json.readTree(blob(layout, manifest.config().digest()));
        Digest layer = manifest.layers().get(0).digest();
        assertThat(config.path("rootfs").path("diff_ids").get(0).asText()).isEqualTo(layer.value());
        assertThat(config.path("os").asText()).isEqualTo("linux");
        assertThat(config.path("architecture")).isEqualTo(entry.path("platform").path("architecture"));
        assertThat(config.path("created").asText()).isEqualTo("2026-01-02T00:00:00Z");
        Map<String, String> files = new TreeMap<>();
        files.put("platform", entry.path("platform").toString());
        TarArchiveInputStream tar = new TarArchiveInputStream(new ByteArrayInputStream(blob(layout, layer)), "UTF-8");
        for (TarArchiveEntry each = tar.getNextEntry(); each != null; each = tar.getNextEntry()) {
            if (each.isFile()) {
                files.put(
                        each.getName().replace("./", ""), new String(tar.readAllBytes(), StandardCharsets.ISO_8859_1));
            }
        }
        return files;
    }

    private static byte[] blob(Path layout, Digest digest) throws IOException {
        byte[] bytes = Files.readAllBytes(layout.resolve("blobs/sha256").resolve(digest.hex()));
        assertThat(Digest.sha256(bytes)).isEqualTo(digest);
        return bytes;
    }
}
