package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.image.DockerForm.NoDockerFormException;
import dev.kiln.image.IndexComposer.Child;
import dev.kiln.image.IndexComposer.Composition;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DockerFormTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Revision REVISION = new Revision("0123456789abcdef0123456789abcdef01234567");
    private static final String A = "sha256:" + "a".repeat(64);
    private static final String B = "sha256:" + "b".repeat(64);
    private static final List<String> PLATFORMS =
            List.of("linux/amd64", "linux/arm64", "linux/arm/v6", "linux/arm/v7", "linux/s390x", "windows/amd64");
    private static final List<String> LAYERS = List.of(
            MediaTypes.OCI_LAYER,
            MediaTypes.OCI_LAYER_GZIP,
            MediaTypes.DOCKER_LAYER_GZIP,
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");

    /** Clients have pinned these digests: they may never change. */
    @Test
    void theBytesOfAManifestAndAListNeverChange() throws Exception {
        byte[] manifest = utf8("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_MANIFEST + "\","
                + "\"artifactType\":\"application/x\",\"config\":{\"mediaType\":\"" + MediaTypes.OCI_CONFIG
                + "\",\"digest\":\"" + A + "\",\"size\":7,\"data\":\"e30=\"},\"layers\":[{\"mediaType\":\""
                + MediaTypes.OCI_LAYER_GZIP + "\",\"digest\":\"" + B + "\",\"size\":5000000000,"
                + "\"annotations\":{\"a\":\"b\"},\"urls\":[\"https://mirror.example.com/layer\"]}],"
                + "\"subject\":{\"mediaType\":\"x\",\"digest\":\"" + A
                + "\",\"size\":1},\"annotations\":{\"c\":\"d\"}}");

        byte[] docker = DockerForm.manifest(manifest);

        assertThat(text(docker))
                .isEqualTo("{\"schemaVersion\":2,"
                        + "\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\","
                        + "\"config\":{\"mediaType\":\"application/vnd.docker.container.image.v1+json\",\"size\":7,"
                        + "\"digest\":\"" + A + "\"},\"layers\":[{"
                        + "\"mediaType\":\"application/vnd.docker.image.rootfs.diff.tar.gzip\","
                        + "\"size\":5000000000,\"digest\":\"" + B + "\"}]}");
        assertThat(Digest.sha256(docker).value())
                .isEqualTo("sha256:4020306aa41fe904a6a3f698f436b863f9f64b91097ca9f6ecc6ee59bab996d3");

        Descriptor original = described(MediaTypes.OCI_MANIFEST, manifest);
        Descriptor translated = described(MediaTypes.DOCKER_MANIFEST, docker);
        byte[] index = index(List.of(
                new Child(Platform.of("linux/arm64"), original),
                new Child(Platform.of("linux/amd64"), new Descriptor(MediaTypes.DOCKER_MANIFEST, new Digest(A), 9))));
        byte[] list = DockerForm.list(
                index,
                Map.of(
                        original.digest(),
                        translated,
                        new Digest(A),
                        new Descriptor(MediaTypes.DOCKER_MANIFEST, new Digest(A), 9)));

        assertThat(text(list))
                .isEqualTo("{\"schemaVersion\":2,"
                        + "\"mediaType\":\"application/vnd.docker.distribution.manifest.list.v2+json\","
                        + "\"manifests\":[{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\","
                        + "\"size\":" + docker.length + ",\"digest\":\"" + translated.digest() + "\","
                        + "\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}},"
                        + "{\"mediaType\":\"application/vnd.docker.distribution.manifest.v2+json\",\"size\":9,"
                        + "\"digest\":\"" + A + "\",\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}]}");
    }

    @ParameterizedTest
    @CsvSource({
        "application/vnd.oci.image.layer.v1.tar, application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip, application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar, application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip,"
                + " application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar, application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip, application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip,"
                + " application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    })
    void eachLayerTypeHasItsName(String oci, String docker) throws Exception {
        JsonNode layer = layer(DockerForm.manifest(manifest(MediaTypes.OCI_CONFIG, oci)));
        assertThat(layer.path("mediaType").asText()).isEqualTo(docker);
        assertThat(layer.path("urls").isArray())
                .as("only what is not here is fetched elsewhere")
                .isEqualTo(docker.contains("foreign"));
    }

    @Test
    void aForeignLayerKeepsItsAddresses() throws Exception {
        JsonNode layer = layer(DockerForm.manifest(
                manifest(MediaTypes.DOCKER_CONFIG, "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")));
        assertThat(layer.path("urls").get(0).asText()).isEqualTo("https://foreign.example.com/layer");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "application/vnd.oci.image.layer.v1.tar+zstd",
                "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
                "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
                "application/octet-stream",
                ""
            })
    void whatDockerHasNoTypeForIsNamed(String mediaType) {
        assertThatThrownBy(() -> DockerForm.manifest(manifest(MediaTypes.OCI_CONFIG, mediaType)))
                .isInstanceOf(NoDockerFormException.class)
                .hasMessage("Docker has no type for a layer of " + mediaType);
        assertThatThrownBy(() -> DockerForm.manifest(manifest(mediaType, MediaTypes.OCI_LAYER)))
                .isInstanceOf(NoDockerFormException.class)
                .hasMessage("Docker has no type for a configuration of " + mediaType);
    }

    /** Whatever the images: every size and digest is the one of what it names, and the same input gives the same bytes. */
    @Test
    void everyDescriptorNamesWhatIsThere() throws Exception {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        for (int run = 0; run < 200; run++) {
            Map<Digest, byte[]> store = new HashMap<>();
            List<Child> children = new ArrayList<>();
            for (String platform : PLATFORMS.subList(0, 1 + random.nextInt(PLATFORMS.size()))) {
                byte[] manifest = randomManifest(random);
                Descriptor descriptor = described(MediaTypes.OCI_MANIFEST, manifest);
                store.put(descriptor.digest(), manifest);
                children.add(new Child(Platform.of(platform), descriptor));
            }
            byte[] index = index(children);
            Map<Digest, Descriptor> translated = new HashMap<>();
            for (Child child : children) {
                byte[] docker = DockerForm.manifest(store.get(child.manifest().digest()));
                assertThat(docker)
                        .isEqualTo(
                                DockerForm.manifest(store.get(child.manifest().digest())));
                Descriptor descriptor = described(MediaTypes.DOCKER_MANIFEST, docker);
                store.put(descriptor.digest(), docker);
                translated.put(child.manifest().digest(), descriptor);
            }

            byte[] list = DockerForm.list(index, translated);

            assertThat(list).as("seed " + seed).isEqualTo(DockerForm.list(index, new HashMap<>(translated)));
            JsonNode entries = JSON.readTree(list).path("manifests");
            assertThat(entries).as("seed " + seed).hasSameSizeAs(children);
            for (int i = 0; i < children.size(); i++) {
                Descriptor listed = ImageManifest.descriptor(entries.get(i));
                byte[] docker = store.get(listed.digest());
                assertThat(listed).as("seed " + seed).isEqualTo(described(MediaTypes.DOCKER_MANIFEST, docker));
                assertSameContent(
                        ImageManifest.parse(docker),
                        ImageManifest.parse(store.get(children.get(i).manifest().digest())),
                        seed);
                assertThat(entries.get(i).path("platform"))
                        .isEqualTo(JSON.readTree(index).path("manifests").get(i).path("platform"));
            }
        }
    }

    private static void assertSameContent(ImageManifest docker, ImageManifest oci, long seed) {
        assertThat(docker.config().digest())
                .as("seed " + seed)
                .isEqualTo(oci.config().digest());
        assertThat(docker.layers()).as("seed " + seed).hasSameSizeAs(oci.layers());
        for (int i = 0; i < oci.layers().size(); i++) {
            assertThat(docker.layers().get(i).digest())
                    .isEqualTo(oci.layers().get(i).digest());
            assertThat(docker.layers().get(i).size())
                    .isEqualTo(oci.layers().get(i).size());
            assertThat(docker.layers().get(i).mediaType()).startsWith("application/vnd.docker.");
        }
    }

    private static byte[] randomManifest(Random random) {
        StringBuilder layers = new StringBuilder();
        for (int i = random.nextInt(6); i >= 0; i--) {
            layers.append(layers.isEmpty() ? "" : ",")
                    .append("{\"mediaType\":\"")
                    .append(LAYERS.get(random.nextInt(LAYERS.size())))
                    .append("\",\"digest\":\"")
                    .append(randomDigest(random))
                    .append("\",\"size\":")
                    .append(random.nextLong(1L << 40))
                    .append('}');
        }
        return utf8("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" + MediaTypes.OCI_CONFIG + "\",\"digest\":\""
                + randomDigest(random) + "\",\"size\":" + random.nextInt(9999) + "},\"layers\":[" + layers + "]}");
    }

    private static Digest randomDigest(Random random) {
        byte[] bytes = new byte[8];
        random.nextBytes(bytes);
        return Digest.sha256(bytes);
    }

    private static byte[] manifest(String config, String layer) {
        return utf8("{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" + config + "\",\"digest\":\"" + A
                + "\",\"size\":7},\"layers\":[{\"mediaType\":\"" + layer + "\",\"digest\":\"" + B
                + "\",\"size\":8,\"urls\":[\"https://foreign.example.com/layer\"]}]}");
    }

    private static JsonNode layer(byte[] manifest) throws Exception {
        return JSON.readTree(manifest).path("layers").get(0);
    }

    private static byte[] index(List<Child> children) {
        return utf8(IndexComposer.compose(new Composition(
                IndexComposer.VERSION, REVISION, Optional.empty(), Optional.empty(), children, List.of())));
    }

    private static Descriptor described(String mediaType, byte[] bytes) {
        return new Descriptor(mediaType, Digest.sha256(bytes), bytes.length);
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String text(byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
