package dev.kiln.http;

import static dev.kiln.testing.PullBench.AMD;
import static dev.kiln.testing.PullBench.ARM;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.blob.SettlingContent;
import dev.kiln.client.HintTokens;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.image.Dedup;
import dev.kiln.image.DockerTypedImages;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.PullBench;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Pulls over the wire with what clients say in {@code Accept}, of an image that is built. */
class DockerTypesTest {
    private static final RepositoryConfig HINTED = PullBench.repository(new AnswerWhen.Hinted(), Start.ALL);
    private static final String INDEX = MediaTypes.OCI_INDEX;
    private static final String MANIFEST = MediaTypes.OCI_MANIFEST;
    private static final String LIST = MediaTypes.DOCKER_LIST;
    private static final String SCHEMA2 = MediaTypes.DOCKER_MANIFEST;
    private static final String SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    private static final HttpClient CLIENT = HttpClient.newHttpClient();

    @TempDir
    static Path directory;

    private static PullBench bench;
    private static HttpServer server;

    @BeforeAll
    static void start() throws Exception {
        bench = PullBench.start(directory, HINTED);
        bench.means("main");
        bench.succeeds(AMD);
        bench.succeeds(ARM);
        Fakes fakes = new Fakes();
        server = HttpServer.start(
                        bench.system(),
                        PullBench.config(HINTED),
                        new HttpServices(
                                new DockerTypedImages(bench.images(HINTED), bench.content(), bench.blocking()),
                                fakes,
                                fakes,
                                fakes,
                                new Dedup()::counts,
                                SettlingContent.ofOneNode(bench.content(), bench.blocking()),
                                Fakes.NOBODY_PUSHES,
                                (after, limit) -> CompletableFuture.completedFuture(List.of()),
                                fakes,
                                bench.blocking(),
                                bench.clock,
                                new HintTokens(new byte[32], bench.clock),
                                Optional::empty,
                                Optional::empty))
                .toCompletableFuture()
                .get(20, TimeUnit.SECONDS);
    }

    @AfterAll
    static void stop() throws Exception {
        bench.close();
    }

    static Stream<Arguments> accepts() {
        return Stream.of(
                Arguments.of(
                        "containerd", List.of(SCHEMA2 + ", " + LIST + ", " + MANIFEST + ", " + INDEX + ", */*"), INDEX),
                Arguments.of("skopeo", List.of(MANIFEST, SCHEMA2, SCHEMA1, LIST, INDEX), INDEX),
                Arguments.of("nothing said", List.of(), INDEX),
                Arguments.of("an engine before OCI", List.of(SCHEMA2, LIST, SCHEMA1, "application/json"), LIST),
                Arguments.of("the list alone", List.of(LIST), LIST),
                Arguments.of("skopeo before OCI indexes", List.of(MANIFEST, SCHEMA2, SCHEMA1, LIST), LIST),
                Arguments.of("a script", List.of(SCHEMA2), SCHEMA2),
                Arguments.of("single manifests of both", List.of(SCHEMA2, MANIFEST), MANIFEST),
                Arguments.of("OCI manifests alone", List.of(MANIFEST), MANIFEST),
                Arguments.of("URL pointers, which are off", List.of(MediaTypes.URL_POINTERS), MANIFEST));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("accepts")
    void eachIsAnsweredInATypeThatItNamedByHeadAndByGet(String client, List<String> accept, String expected)
            throws Exception {
        HttpResponse<byte[]> head = send("HEAD", "main", accept);
        HttpResponse<byte[]> get = send("GET", "main", accept);
        for (HttpResponse<byte[]> answer : List.of(head, get)) {
            assertThat(answer.statusCode()).isEqualTo(200);
            assertThat(answer.headers().firstValue("content-type")).contains(expected);
            assertThat(answer.headers().firstValue("vary").orElse("")).contains("Accept");
        }
        Digest digest = Digest.sha256(get.body());
        assertThat(head.headers().firstValue("docker-content-digest")).contains(digest.value());
        assertThat(head.headers().firstValueAsLong("content-length")).hasValue(get.body().length);
        HttpResponse<byte[]> byDigest = send("GET", digest.value(), accept);
        assertThat(byDigest.statusCode()).isEqualTo(200);
        assertThat(byDigest.body()).isEqualTo(get.body());
        assertThat(byDigest.headers().firstValue("content-type")).contains(expected);
    }

    @Test
    void everyManifestOfTheListCanBePulled() throws Exception {
        JsonNode list = new ObjectMapper()
                .readTree(send("GET", "main", List.of(LIST, SCHEMA2)).body());
        assertThat(list.path("manifests")).hasSize(2);
        for (JsonNode child : list.path("manifests")) {
            HttpResponse<byte[]> manifest = send("GET", child.path("digest").asText(), List.of(LIST, SCHEMA2));
            assertThat(manifest.statusCode()).isEqualTo(200);
            assertThat(manifest.headers().firstValue("content-type")).contains(SCHEMA2);
            assertThat(manifest.body()).hasSize(child.path("size").asInt());
        }
    }

    @Test
    void aDigestNamesItsBytesWhateverTheClientTakes() throws Exception {
        String digest = send("GET", "main", List.of(INDEX))
                .headers()
                .firstValue("docker-content-digest")
                .orElseThrow();
        assertThat(send("GET", digest, List.of(LIST, SCHEMA2)).headers().firstValue("content-type"))
                .contains(INDEX);
    }

    private static HttpResponse<byte[]> send(String method, String reference, List<String> accept) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(
                        URI.create(server.publicUrl() + "/v2/team/app/manifests/" + reference))
                .method(method, HttpRequest.BodyPublishers.noBody());
        accept.forEach(value -> request.header("Accept", value));
        return CLIENT.send(request.build(), BodyHandlers.ofByteArray());
    }
}
