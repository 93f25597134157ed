package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.build.BuildEvent;
import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import dev.kiln.testing.RandomImages.Image;
import dev.kiln.testing.Shifted;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Builds on builder nodes, as they are seen and steered from any registry node. */
class FarmIT extends ClusterIntegration {
    private static String name(Node node) throws IOException {
        return Files.readString(node.dataDir().resolve("node-name")).strip();
    }

    /** A log that is read as it comes. */
    private record Followed(BufferedReader lines, InputStream body) implements AutoCloseable {
        static Followed on(Node node, BuildKey build) throws Exception {
            URI log = node.url().resolve("/api/v1/builds/" + build.id() + "/log?follow=true");
            HttpResponse<InputStream> answer = HttpClient.newHttpClient()
                    .send(HttpRequest.newBuilder(log).build(), HttpResponse.BodyHandlers.ofInputStream());
            assertThat(answer.statusCode()).isEqualTo(200);
            return new Followed(
                    new BufferedReader(new InputStreamReader(answer.body(), StandardCharsets.UTF_8)), answer.body());
        }

        String line() throws IOException {
            return lines.readLine();
        }

        List<String> rest() {
            return lines.lines().toList();
        }

        @Override
        public void close() {
            try {
                body.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    @Test
    void aBuildIsFollowedFromEveryNodeWhileItRunsOnAnother() throws Exception {
        Node one = cluster.registry("one", "");
        Node two = cluster.registry("two", "");
        cluster.builder("builder", List.of(AMD64, ARM64), "");
        String revision = cluster.gatedBranch("main", AMD64, ARM64);
        BuildKey build = ClusterProcesses.build(revision, ARM64);
        cluster.startAll();
        List<CompletableFuture<Answer>> pulls = Stream.of(one, one, one, two, two)
                .map(node -> node.client().pull("main"))
                .toList();
        List<Followed> logs = new ArrayList<>();
        try {
            for (Node node : List.of(one, two)) {
                node.awaitPhase(build, "running");
                await("its log has begun")
                        .atMost(ClusterProcesses.SOON)
                        .until(() -> node.get("/api/v1/builds/" + build.id() + "/log")
                                .text()
                                .contains("at the gate"));
                Followed log = Followed.on(node, build);
                logs.add(log);
                assertThat(log.line()).as("while the build runs").contains("at the gate");
            }
            await("every pull is counted")
                    .atMost(ClusterProcesses.SOON)
                    .until(() -> sum("started", one, two) == 2 && sum("saved", one, two) == 2 * pulls.size() - 2);
            assertThat(sum("joined", one, two)).isBetween(pulls.size() - 2L, pulls.size() - 1L);

            cluster.open(revision, AMD64);
            cluster.open(revision, ARM64);
            List<String> rest = logs.get(0).rest();
            assertThat(rest).isNotEmpty();
            assertThat(logs.get(1).rest()).isEqualTo(rest);
            assertThat(pulls).allMatch(pull -> PullClient.join(pull).status() == 200);
            assertThat(one.get("/api/v1/builds/" + build.id() + "/log")
                            .text()
                            .lines()
                            .skip(1))
                    .containsExactlyElementsOf(rest);
        } finally {
            logs.forEach(Followed::close);
        }
    }

    /** The push goes through one node, the owner of its build may be on another, and the attempt that waits runs on a third. */
    @Test
    void anImageIsPushedThroughEveryNodeWhileItsAttemptWaitsOnAnother() throws Exception {
        String farm = """
                kiln.http.public-url = "http://registry.invalid"
                kiln.builders.make { type = push, command = ["sh", "-c", "echo push to $KILN_PUSH_URL | %s"] }
                """.formatted(Shifted.COMMAND);
        Node one = cluster.registry("one", farm);
        Node two = cluster.registry("two", farm);
        cluster.builder("builder", List.of(AMD64), farm);
        BuildKey build = ClusterProcesses.build(cluster.branch("main"), AMD64);
        cluster.startAll();
        CompletableFuture<Answer> pull = one.client().pull("main?platform=linux/amd64");
        Pattern address = Pattern.compile("push to http://registry.invalid/v2/(b/[a-z2-7]+/team/app)\n");
        String log = "/api/v1/builds/" + build.id() + "/log";
        await("the farm is told")
                .atMost(ClusterProcesses.SOON)
                .until(() -> address.matcher(Shifted.back(two.get(log).text())).find());
        Matcher told = address.matcher(Shifted.back(two.get(log).text()));
        assertThat(told.find()).isTrue();
        List<PushClient> nodes =
                List.of(new PushClient(one.url(), told.group(1)), new PushClient(two.url(), told.group(1)));
        Image image = new RandomImages(3).image(Platform.of(AMD64));
        List<Blob> blobs = new ArrayList<>(image.layers());
        blobs.add(image.config());
        for (int i = 0; i < blobs.size(); i++) {
            nodes.get(i % 2).push(blobs.get(i).bytes().toArray());
        }

        PushClient.Answer pushed = put(nodes.get(1), image.manifest());
        assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);

        assertThat(PullClient.join(pull).children())
                .containsEntry(AMD64, image.manifest().digest());
        two.client().readAll(PullClient.join(two.client().pull("main?platform=linux/amd64")));
        for (PushClient node : nodes) {
            assertThat(put(node, image.manifest()).status()).as("said again").isEqualTo(201);
            assertThat(node.send("POST", "blobs/uploads/").status()).isEqualTo(403);
        }
    }

    private static PushClient.Answer put(PushClient node, Blob manifest) {
        return node.putManifest(
                manifest.digest().value(),
                manifest.mediaType(),
                manifest.bytes().toArray());
    }

    private static long sum(String count, Node... nodes) {
        return Stream.of(nodes)
                .mapToLong(node -> node.get("/api/v1/dedup").json().path(count).asLong())
                .sum();
    }

    @Test
    @Tag("long")
    void platformsPlacesLimitsAndDrainedWorkersAreTheSameOnEveryNode() throws Exception {
        String small = """
                kiln.queue.limit-per-repository = 2
                kiln.repository-defaults { hop = 3s, patience = 28s }
                """;
        Node one = cluster.registry("one", small);
        Node two = cluster.registry("two", small);
        Node amd = cluster.builder("amd", List.of(AMD64), "");
        Node arm = cluster.builder("arm", List.of(ARM64), "");
        String first = cluster.gatedBranch("first", AMD64);
        cluster.branch("second");
        // Before the look-up whose answer stays fresh for a while.
        String third = cluster.branch("third");
        for (Node node : List.of(one, two, amd)) {
            node.launch();
        }
        List.of(one, two, amd).forEach(Node::awaitReady);

        // Their patience may end before the test has come so far: what they began goes on.
        one.client().pull("first");
        two.awaitPhase(ClusterProcesses.build(first, AMD64), "running");
        BuildKey queued = ClusterProcesses.build(first, ARM64);
        await("its place is told")
                .atMost(ClusterProcesses.SOON)
                .until(() -> two.status(queued).path("position").asInt() == 1);
        assertThat(two.status(queued).path("phase").asText())
                .as("nobody offers it")
                .isEqualTo("queued");
        assertThat(two.status(queued).at("/eta/state").asText()).isEqualTo("unknown");

        Answer full = PullClient.join(two.client().pull("second"));
        assertThat(full.status()).isEqualTo(429);
        assertThat(full.text()).contains("the build queue is full");

        drain(two, amd, "drain");
        assertThat(worker(one, amd).path("drained").asBoolean()).isTrue();
        arm.start();
        cluster.open(first, AMD64);
        two.awaitPhase(ClusterProcesses.build(first, AMD64), "built");
        two.awaitPhase(queued, "built");
        assertThat(pull(two, "first").children()).as("what ran went on").containsOnlyKeys(AMD64, ARM64);

        one.client().pull("third");
        two.awaitPhase(ClusterProcesses.build(third, ARM64), "built");
        assertThat(two.status(ClusterProcesses.build(third, AMD64))
                        .path("phase")
                        .asText())
                .isEqualTo("queued");
        drain(one, amd, "undrain");
        one.awaitPhase(ClusterProcesses.build(third, AMD64), "built");
        assertThat(pull(one, "third").children()).containsOnlyKeys(AMD64, ARM64);

        String amdName = name(amd);
        String armName = name(arm);
        cluster.journal()
                .builds()
                .forEach((id, events) -> assertThat(events)
                        .filteredOn(BuildEvent.AttemptStarted.class::isInstance)
                        .extracting(event -> ((BuildEvent.AttemptStarted) event).worker())
                        .as(id)
                        .containsOnly(id.endsWith(AMD64) ? amdName : armName));
    }

    private static void drain(Node through, Node worker, String operation) throws IOException {
        Answer answer = PullClient.join(
                through.client().request("POST", through.admin(), "/api/v1/workers/" + name(worker) + "/" + operation));
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
    }

    private static JsonNode worker(Node through, Node worker) throws IOException {
        String name = name(worker);
        JsonNode queue = PullClient.join(through.client().request("GET", through.admin(), "/api/v1/queue"))
                .json();
        for (JsonNode one : queue.path("workers")) {
            if (one.path("name").asText().equals(name)) {
                return one;
            }
        }
        throw new AssertionError(name + " is not among " + queue.path("workers"));
    }
}
