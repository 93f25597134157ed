package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import akka.util.ByteString;
import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The clients that people push with, each with an image of one platform and of several, and with a large layer. */
@Tag("clients")
final class PushClientsIT {
    private static final int LARGE = 32 * 1024 * 1024;
    private static final String TLS = "--tls-verify=false";

    @TempDir
    static Path temp;

    private static KilnProcess server;
    private static PushClient origin;
    private static Digest index;

    @BeforeAll
    static void start() throws IOException {
        server = KilnProcess.start(temp, "kiln.repositories = [{ name = \"**\", push = true }]");
        origin = new PushClient(server.registry(), "people/origin");
        Path layout = temp.resolve("layout");
        index = write(layout);
        skopeo("copy", "--all", "oci:" + layout + ":main", "docker://" + image("people/origin:main"));
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    /** An image layout with an index of two platforms; the digest of the index. */
    private static Digest write(Path layout) throws IOException {
        RandomImages random = new RandomImages(5);
        RandomImages.Image amd64 = image(random, "amd64");
        RandomImages.Image arm64 = image(random, "arm64");
        Blob list = RandomImages.index(amd64.entry(), arm64.entry());
        Blob outer = RandomImages.index(list.json(",\"annotations\":{\"org.opencontainers.image.ref.name\":\"main\"}"));
        Map<String, ByteString> files = new LinkedHashMap<>(RandomImages.layout(outer, amd64, arm64));
        files.put(list.file(), list.bytes());
        RandomImages.write(layout, files);
        return list.digest();
    }

    private static RandomImages.Image image(RandomImages random, String architecture) {
        List<ByteString> tars = List.of(
                RandomImages.tar(Map.of("greeting", RandomImages.utf8("hello " + architecture + "\n"))),
                RandomImages.tar(Map.of("large", random.bytes(LARGE))));
        List<Blob> layers = tars.stream()
                .map(tar -> new Blob(MediaTypes.OCI_LAYER_GZIP, RandomImages.gzip(tar)))
                .toList();
        String platform = "\"os\":\"linux\",\"architecture\":\"" + architecture + "\"";
        String diffIds = "\"" + Digest.sha256(tars.get(0).toArray()) + "\",\""
                + Digest.sha256(tars.get(1).toArray()) + "\"";
        Blob config = new Blob(
                MediaTypes.OCI_CONFIG,
                RandomImages.utf8("{" + platform + ",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
                        + diffIds + "]}}"));
        return new RandomImages.Image(
                "{" + platform + "}", tars, layers, config, RandomImages.manifest(config, layers));
    }

    private static String image(String name) {
        return server.host() + "/" + name;
    }

    private static void skopeo(String... arguments) {
        String tls = arguments[0].equals("copy") ? "--dest-tls-verify=false" : TLS;
        List<String> line = new ArrayList<>(List.of(arguments));
        line.add(1, tls);
        if (arguments[0].equals("copy")) {
            line.add(1, "--src-tls-verify=false");
        }
        Client.skopeo(temp).run(line.toArray(String[]::new)).mustSucceed();
    }

    private static PushClient repository(String name) {
        return new PushClient(server.registry(), name);
    }

    private static void assertGreets(String name, String architecture) {
        Path storage = temp.resolve("pulled-" + architecture);
        assertThat(storage.toFile().isDirectory() || storage.toFile().mkdir()).isTrue();
        Client skopeo = Client.skopeo(storage);
        skopeo.pull(image(name), architecture).mustSucceed();
        assertThat(skopeo.saved(image(name), architecture).file("greeting")).contains("hello " + architecture + "\n");
    }

    @Test
    void skopeoCopiesAllOfItInAndOut() throws IOException {
        assertThat(origin.head("manifests/main").header("Docker-Content-Digest"))
                .isEqualTo(index.value());
        skopeo("copy", "--all", "docker://" + image("people/origin:main"), "docker://" + image("people/copy:main"));
        assertThat(repository("people/copy").head("manifests/main").header("Docker-Content-Digest"))
                .isEqualTo(index.value());
        Path out = temp.resolve("out");
        skopeo("copy", "--all", "docker://" + image("people/copy:main"), "oci:" + out + ":main");
        JsonNode written = new com.fasterxml.jackson.databind.ObjectMapper()
                .readTree(out.resolve("index.json").toFile());
        assertThat(written.findValuesAsText("digest")).containsExactly(index.value());
        assertGreets("people/copy:main", "amd64");
        assertGreets("people/copy:main", "arm64");
    }

    @Test
    void skopeoDeletesWhatItCopied() {
        skopeo("copy", "docker://" + image("people/origin:main"), "docker://" + image("people/gone:main"));
        assertThat(repository("people/gone").head("manifests/main").status()).isEqualTo(200);
        skopeo("delete", "docker://" + image("people/gone:main"));
        assertThat(repository("people/gone").head("manifests/main").status()).isEqualTo(404);
    }

    static Stream<Client> engines() {
        return Stream.of(Client.podman(temp), Client.buildah(temp));
    }

    @ParameterizedTest
    @MethodSource("engines")
    void podmanAndBuildahPushOnePlatform(Client client) {
        String name = "people/" + client;
        client.pull(image("people/origin:main"), "amd64").mustSucceed();
        client.run("push", TLS, image("people/origin:main"), "docker://" + image(name + ":v1"))
                .mustSucceed();
        assertGreets(name + ":v1", "amd64");
    }

    @ParameterizedTest
    @MethodSource("engines")
    void podmanAndBuildahPushSeveralPlatforms(Client client) {
        String list = client + "-list";
        String name = image("people/" + list + ":v1");
        client.run("manifest", "create", list).mustSucceed();
        client.run("manifest", "add", "--all", TLS, list, "docker://" + image("people/origin:main"))
                .mustSucceed();
        client.run("manifest", "push", "--all", TLS, list, "docker://" + name).mustSucceed();
        assertGreets("people/" + list + ":v1", "amd64");
        assertGreets("people/" + list + ":v1", "arm64");
    }

    @Test
    void dockerPushesOnePlatform() {
        Client docker = Client.docker(temp);
        docker.pull(image("people/origin:main"), "amd64").mustSucceed();
        docker.run("tag", image("people/origin:main"), image("people/docker:v1"))
                .mustSucceed();
        docker.run("push", image("people/docker:v1")).mustSucceed();
        assertGreets("people/docker:v1", "amd64");
        // Its layers are there already.
        docker.run("tag", image("people/origin:main"), image("people/docker:v2"))
                .mustSucceed();
        assertThat(docker.run("push", image("people/docker:v2")).mustSucceed().output())
                .contains("Layer already exists");
    }

    /** As people make one of images that were built on several machines: each is pushed, then a list of them. */
    @Test
    void dockerPushesAManifestListOfSeveralPlatforms() {
        Client docker = Client.docker(temp);
        String list = image("people/docker-list:v1");
        List<String> create = new ArrayList<>(List.of("manifest", "create", "--insecure", list));
        for (String architecture : List.of("amd64", "arm64")) {
            String one = image("people/docker-list:" + architecture);
            docker.pull(image("people/origin:main"), architecture).mustSucceed();
            docker.run("tag", image("people/origin:main"), one).mustSucceed();
            docker.run("push", one).mustSucceed();
            create.add(one);
        }
        docker.run(create.toArray(String[]::new)).mustSucceed();
        docker.run("manifest", "push", "--insecure", list).mustSucceed();

        assertThat(repository("people/docker-list").get("manifests/v1").json().get("manifests"))
                .hasSize(2);
        assertGreets("people/docker-list:v1", "amd64");
        assertGreets("people/docker-list:v1", "arm64");
    }

    @Test
    void ctrPushesOnePlatformAndSeveral() {
        Client ctr = Client.ctr(temp);
        ctr.run(
                        "images",
                        "pull",
                        "--plain-http",
                        "--snapshotter",
                        "native",
                        "--all-platforms",
                        image("people/origin:main"))
                .mustSucceed();
        ctr.run("images", "push", "--plain-http", image("people/ctr:all"), image("people/origin:main"))
                .mustSucceed();
        assertThat(repository("people/ctr").head("manifests/all").header("Docker-Content-Digest"))
                .isEqualTo(index.value());
        assertGreets("people/ctr:all", "arm64");
        ctr.run(
                        "images",
                        "push",
                        "--plain-http",
                        "--platform",
                        "linux/amd64",
                        image("people/ctr:one"),
                        image("people/origin:main"))
                .mustSucceed();
        assertGreets("people/ctr:one", "amd64");
    }
}
