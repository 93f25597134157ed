package dev.kiln.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.kiln.build.PushToken;
import dev.kiln.crash.Installation;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import dev.kiln.testing.RandomImages.Image;
import dev.kiln.testing.Shifted;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images that somebody else makes and pushes: a farm that is told so by a command or a webhook, and commands that push themselves. */
class BuildByPushIT {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Platform AMD64 = Platform.of("linux/amd64");
    private static final Pattern ADDRESS = Pattern.compile("push to http://[^/]+/v2/b/([a-z2-7]+)/team/app\n");

    /** With nothing but curl: the blobs first, and what is pushed by digest last. */
    private static final String CURL = """
            for file in "$KILN_OUTPUT"/blobs/sha256/*; do
                [ "sha256:${file##*/}" != "$digest" ] || continue
                location=$(curl -sSf -i -X POST "$KILN_PUSH_URL/blobs/uploads/" | tr -d '\\r' | sed -n 's/^[Ll]ocation: //p')
                curl -sSf -X PUT -H 'Content-Type: application/octet-stream' --data-binary "@$file" \\
                    "${KILN_PUSH_URL%%/v2/*}$location?digest=sha256:${file##*/}"
            done
            curl -sSf -X PUT -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' \\
                --data-binary "@$KILN_OUTPUT/blobs/sha256/${digest#sha256:}" "$KILN_PUSH_URL/manifests/$digest"
            echo "pushed $digest"
            """;

    private static final String TELL = "echo \"push to $KILN_PUSH_URL\" | " + Shifted.COMMAND;

    private static final String SKOPEO =
            "skopeo copy --dest-tls-verify=false oci:\"$KILN_OUTPUT\" docker://\"$KILN_PUSH_IMAGE@$digest\"\n";

    @TempDir
    private Path directory;

    private final RandomImages random = new RandomImages(11);
    private GitOrigin origin;
    private KilnProcess kiln;
    private PullClient client;
    private int port;

    @BeforeEach
    void prepare() throws IOException {
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwx--x--x"));
        origin = GitOrigin.create(directory.resolve("origin.git"));
        kiln = KilnProcess.prepare(directory, "");
        client = new PullClient(kiln::registry, APP.value());
        port = FreePorts.next();
    }

    @AfterEach
    void end() {
        kiln.close();
    }

    /** A commit whose build does as the script says; it finds {@code image.sh}, which makes an image. */
    private Revision branch(String name, String script) {
        try (InputStream image = KilnProcess.class.getResourceAsStream("/demo/hello/build.sh")) {
            String commit = origin.commit(
                    Map.of(
                            "build.sh",
                            script,
                            "image.sh",
                            new String(image.readAllBytes(), StandardCharsets.UTF_8)
                                    .replaceAll("(?m)^ *sleep .*", ":")),
                    name);
            origin.ref("refs/heads/" + name, commit);
            return new Revision(commit);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private void start(String builder, String more) {
        kiln.configure("""
                kiln.http { port = %1$d, public-url = "http://127.0.0.1:%1$d" }
                kiln.repositories = [{
                  name = "team/app"
                  source { url = "%2$s", refresh = 1s, timeout = 60s }
                  platforms = ["linux/amd64", "linux/arm64/v8"]
                  start = hinted, builder = farm
                }, { name = plain, push = true }]
                kiln.repository-defaults { partial-after = 1h, hop = 20s, patience = 190s, build.backoff = 1s }
                kiln.builders.farm { type = push, %3$s }
                kiln.queue.lease = 1h
                %4$s
                """.formatted(port, origin.directory(), builder, more));
        kiln.start();
    }

    private static String command() {
        return "command = [sh, build.sh]";
    }

    private CompletableFuture<PullClient.Answer> pull(String branch) {
        return client.pull(branch + "?platform=linux/amd64");
    }

    private PullClient.Answer get(String path) {
        return PullClient.join(client.request("GET", kiln.registry(), path));
    }

    /** What the command told, in a form in which Kiln does not know it again. */
    private String token(Revision revision) {
        await("the build's command")
                .atMost(Installation.SOON)
                .until(() -> ADDRESS.matcher(Shifted.back(log(revision))).find());
        Matcher address = ADDRESS.matcher(Shifted.back(log(revision)));
        assertThat(address.find()).isTrue();
        return address.group(1);
    }

    private String log(Revision revision) {
        return get("/api/v1/builds/" + new BuildKey(APP, revision, AMD64).id() + "/log")
                .text();
    }

    private PushClient with(String token) {
        return with(token, APP.value());
    }

    private PushClient with(String token, String repository) {
        return new PushClient(kiln.registry(), "b/" + token + "/" + repository);
    }

    private static Answer push(PushClient farm, Image image) {
        image.layers().forEach(layer -> farm.push(layer.bytes().toArray()));
        farm.push(image.config().bytes().toArray());
        return manifest(farm, image.manifest());
    }

    private static Answer manifest(PushClient farm, Blob manifest) {
        return farm.putManifest(
                manifest.digest().value(),
                manifest.mediaType(),
                manifest.bytes().toArray());
    }

    private static void assertRefused(Answer answer, int status, String code, String why) {
        assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
        assertThat(answer.code()).isEqualTo(code);
        assertThat(answer.json().at("/errors/0/message").asText()).contains(why);
    }

    @Test
    void aFarmThatIsNoPartOfTheClusterCompletesThePull() throws Exception {
        Revision revision = branch("main", "echo \"plainly $KILN_PUSH_URL\"; " + TELL);
        start(command(), "");
        CompletableFuture<PullClient.Answer> pull = pull("main");
        String token = token(revision);
        assertThat(log(revision)).contains("plainly http://", "********").doesNotContain(token);
        PushClient farm = with(token);
        Image image = random.image(AMD64);

        // Nobody else can push, nor can it be used for anything else.
        String guessed = PushToken.create(revision, AMD64).text();
        assertRefused(with(guessed).send("POST", "blobs/uploads/"), 403, "DENIED", "not that of the attempt");
        assertRefused(manifest(with(guessed), image.manifest()), 403, "DENIED", "not that of the attempt");
        assertRefused(with(token, "plain").send("POST", "blobs/uploads/"), 403, "DENIED", "no attempt of this build");
        assertRefused(with(token, "unknown").send("POST", "blobs/uploads/"), 404, "NAME_UNKNOWN", "configured");
        assertThat(new PushClient(kiln.registry(), APP.value())
                        .send("POST", "blobs/uploads/")
                        .status())
                .isEqualTo(405);
        byte[] bytes = image.manifest().bytes().toArray();
        assertRefused(farm.putManifest("latest", MediaTypes.OCI_MANIFEST, bytes), 403, "DENIED", "by its digest");
        assertThat(farm.head("manifests/" + image.manifest().digest()).status()).isEqualTo(404);
        assertThat(farm.get("tags/list").status()).isEqualTo(405);
        assertThat(farm.delete("blobs/" + image.config().digest()).status()).isEqualTo(405);
        Blob index = RandomImages.index(image.entry());
        assertRefused(manifest(farm, index), 400, "MANIFEST_INVALID", "no index");
        assertThat(manifest(farm, image.manifest()).code()).isEqualTo("MANIFEST_BLOB_UNKNOWN");

        assertThat(farm.upload()).as("an upload goes on with its token").startsWith("/v2/b/" + token + "/team/app/");
        Blob layer = image.layers().get(0);
        farm.push(layer.bytes().toArray());
        assertThat(farm.head("blobs/" + layer.digest()).status()).isEqualTo(200);
        assertThat(get("/v2/team/app/blobs/" + layer.digest()).status())
                .as("nothing of it is there before its build is")
                .isEqualTo(404);
        assertThat(pull).isNotDone();
        Answer pushed = push(farm, image);
        assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);
        assertThat(pushed.header("Location"))
                .isEqualTo("/v2/team/app/manifests/" + image.manifest().digest());

        PullClient.Answer pulled = PullClient.join(pull);
        assertThat(pulled.status()).as(pulled.text()).isEqualTo(200);
        assertThat(pulled.children())
                .containsEntry("linux/amd64", image.manifest().digest());
        client.readAll(pulled);

        // Used is used, except that its push may be said again.
        assertThat(manifest(farm, image.manifest()).status()).isEqualTo(201);
        assertRefused(manifest(farm, random.image(AMD64).manifest()), 403, "DENIED", "no attempt of this build runs");
        assertRefused(farm.send("POST", "blobs/uploads/"), 403, "DENIED", "no attempt of this build runs");
        assertNowhere(token);

        // What was built stays, where clients may push too.
        kiln.stop();
        start(command(), "kiln.repository-defaults.push = true");
        PushClient anybody = new PushClient(kiln.registry(), APP.value());
        for (Blob blob : List.of(image.manifest(), layer)) {
            assertRefused(anybody.delete("blobs/" + blob.digest()), 403, "DENIED", "was built here");
        }
        assertRefused(anybody.delete("manifests/" + image.manifest().digest()), 403, "DENIED", "was built here");
        assertThat(manifest(anybody, index).status())
                .as("an index of what was built")
                .isEqualTo(201);
    }

    /** Neither in what the server prints, nor in its database. */
    private void assertNowhere(String token) throws IOException {
        assertThat(kiln.log()).doesNotContain(token);
        try (Stream<Path> files = Files.walk(directory.resolve("data"))) {
            for (Path file :
                    files.filter(path -> path.toString().endsWith(".db")).toList()) {
                assertThat(Files.readString(file, StandardCharsets.ISO_8859_1)).doesNotContain(token);
            }
        }
    }

    @Test
    void aTokenIsGoodForTwiceTheBytesThatABuildMayWriteAndNoMore() {
        Revision revision = branch("main", TELL);
        start(command(), "kiln.repository-defaults.build.max-output = 1MiB");
        pull("main");
        PushClient farm = with(token(revision));
        byte[] blob = new byte[1 << 20];
        farm.push(blob);
        String location = farm.upload();
        assertThat(farm.chunk("PATCH", location, blob, 0, 900_000).status()).isEqualTo(202);
        assertThat(farm.stream("PATCH", farm.upload(), new byte[100_000]).status())
                .isEqualTo(202);

        for (int i = 0; i < 2; i++) {
            assertRefused(
                    farm.chunk("PATCH", location, blob, 900_000, blob.length),
                    413,
                    "SIZE_INVALID",
                    "more than the 2097152 bytes");
        }
        assertThat(farm.get(location).header("Range")).isEqualTo("0-899999");
    }

    @Test
    void anImageForAnotherPlatformFailsTheBuild() {
        Revision revision = branch("main", TELL);
        start(command(), "");
        CompletableFuture<PullClient.Answer> pull = pull("main");
        PushClient farm = with(token(revision));

        assertRefused(
                push(farm, random.image(Platform.of("linux/arm64"))),
                400,
                "MANIFEST_INVALID",
                "the image is for linux/arm64/v8, but linux/amd64 was asked for");

        PullClient.Answer pulled = PullClient.join(pull);
        assertThat(pulled.status()).isEqualTo(424);
        assertThat(pulled.text()).contains("the image is for linux/arm64/v8");
        assertThat(log(revision)).contains("but linux/amd64 was asked for");
        assertRefused(farm.send("POST", "blobs/uploads/"), 403, "DENIED", "no attempt of this build runs");
    }

    @Test
    void aCommandPushesItselfOrFailsItsBuild() {
        Revision good = branch("good", ". ./image.sh\n" + CURL);
        branch("bad", "exit 7");
        start(command(), "kiln.worker.slots = 1");

        PullClient.Answer pulled = PullClient.join(pull("good"));
        assertThat(pulled.status()).as(pulled.text()).isEqualTo(200);
        client.readAll(pulled);
        PullClient.Answer failed = PullClient.join(pull("bad"));
        assertThat(failed.status()).isEqualTo(424);
        assertThat(failed.text()).contains("exit code 7");
        assertThat(log(good)).as("who pushed comes to its end").contains("pushed sha256:");
    }

    @Test
    @Tag("clients")
    void aCommandPushesWithSkopeo() {
        Revision revision = branch("main", ". ./image.sh\n" + SKOPEO);
        start(command(), "");
        PullClient.Answer pulled = PullClient.join(pull("main"));
        assertThat(pulled.status()).as(log(revision)).isEqualTo(200);
        client.readAll(pulled);
    }

    private record Order(Optional<String> authorization, String json) {}

    @Test
    void aFarmIsToldByAWebhookAgainAfterItsServerWasKilled() throws Exception {
        BlockingQueue<Order> orders = new LinkedBlockingQueue<>();
        List<Integer> answers = new ArrayList<>(List.of(503, 202, 202));
        HttpServer hook = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        hook.createContext("/order", exchange -> {
            orders.add(new Order(
                    Optional.ofNullable(exchange.getRequestHeaders().getFirst("Authorization")),
                    new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8)));
            exchange.sendResponseHeaders(answers.remove(0), -1);
            exchange.close();
        });
        hook.start();
        try {
            Revision revision = branch("main", "");
            String builder =
                    "webhook = \"http://127.0.0.1:%d/order?key=hidden\", headers.Authorization = \"Bearer hidden\""
                            .formatted(hook.getAddress().getPort());
            start(builder, "");
            CompletableFuture<PullClient.Answer> pull = pull("main");
            String refused = next(orders);
            String lost = next(orders);
            assertThat(lost).isNotEqualTo(refused);
            assertThat(lost)
                    .contains("\"repository\":\"team/app\"")
                    .contains("\"revision\":\"" + revision + "\"")
                    .contains("\"platform\":\"linux/amd64\"")
                    .contains("\"source\":\"" + origin.directory() + "\"");
            kiln.kill();
            assertThat(pull.handle((answer, failure) -> failure == null && answer.status() == 200)
                            .join())
                    .isFalse();
            start(builder, "");
            pull = pull("main");
            PushClient late = with(token(lost));
            PushClient farm = with(token(next(orders)));
            Image image = random.image(AMD64);
            assertRefused(late.send("POST", "blobs/uploads/"), 403, "DENIED", "not that of the attempt");

            assertThat(push(farm, image).status()).isEqualTo(201);
            assertThat(PullClient.join(pull).children())
                    .containsEntry("linux/amd64", image.manifest().digest());
            assertThat(kiln.log()).doesNotContain("hidden");
        } finally {
            hook.stop(0);
        }
    }

    private static String next(BlockingQueue<Order> orders) throws InterruptedException {
        Order order = orders.poll(Installation.SOON.toSeconds(), TimeUnit.SECONDS);
        assertThat(order).isNotNull();
        assertThat(order.authorization()).contains("Bearer hidden");
        return order.json();
    }

    private static String token(String order) {
        Matcher url = Pattern.compile("\"pushUrl\":\"http://[^/]+/v2/b/([a-z2-7]+)/team/app\"")
                .matcher(order);
        assertThat(url.find()).isTrue();
        return url.group(1);
    }
}
