package dev.kiln.http;

import static dev.kiln.http.Fakes.BUILD_ID;
import static dev.kiln.http.Fakes.INDEX;
import static dev.kiln.http.Fakes.LAYER_DIGEST;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.SettlingContent;
import dev.kiln.client.Hint;
import dev.kiln.config.KilnConfig;
import dev.kiln.http.api.HealthRoutes;
import dev.kiln.http.registry.RegistryRoutes;
import dev.kiln.http.wire.Routes;
import dev.kiln.image.Pull;
import dev.kiln.oci.ImageForm;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.Wire;
import dev.kiln.testing.Wire.Answer;
import java.io.IOException;
import java.net.BindException;
import java.net.ConnectException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What takes more than one request, another configuration, or a look at what the routes were given. */
class ListenerTest {
    private static final String APP = "/v2/team/app/manifests/";

    private TestServer server;

    private TestServer start(String settings, Optional<String> publicUrl, Duration hop) throws Exception {
        server = new TestServer(settings, publicUrl, hop);
        return server;
    }

    private TestServer start() throws Exception {
        return start("", Optional.empty(), Duration.ofSeconds(25));
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.close();
        }
    }

    @Test
    void aPullIsHandedOnWithAllThatTheRequestSays() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            wire.request(
                    "HEAD",
                    APP + "latest?w=3.abc",
                    "User-Agent: docker/29.7 go/go1 os/linux arch/arm64 UpstreamClient(x)",
                    "Accept: application/vnd.oci.image.manifest.v1+json",
                    "Accept: application/vnd.docker.distribution.manifest.v2+json");
        }
        Pull pull = server.fakes.pulls.get(0);
        assertThat(pull.hint()).contains(new Hint(Fakes.ARM64, false, "User-Agent"));
        assertThat(pull.hop()).contains("3.abc");
        assertThat(pull.form()).isEqualTo(ImageForm.MANIFEST);
        assertThat(pull.cause().get().address()).isEqualTo("127.0.0.1");
        assertThat(pull.cause().get().client()).startsWith("docker/29.7");
        assertThat(pull.cause().get().hint()).isEqualTo("linux/arm64/v8 by User-Agent");
        assertThat(pull.cause().get().reference()).isEqualTo("latest");
    }

    @Test
    void allPlatformsMeansAWholeIndexAndAPreferenceShortensTheWait() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            wire.request("GET", APP + "latest?platform=all");
            wire.request("GET", APP + "latest", "Prefer: wait=2");
            assertThat(wire.request("GET", APP + "notyet", "Prefer: respond-async")
                            .header("Preference-Applied"))
                    .isEqualTo("respond-async");
            assertThat(wire.request("GET", APP + "notyet").header("Preference-Applied"))
                    .isEmpty();
            assertThat(wire.request("GET", APP + "notyet", "Prefer: wait=9").header("Preference-Applied"))
                    .isEqualTo("wait=9");
            assertThat(wire.request("GET", APP + "notyet", "Prefer: wait=9999").header("Preference-Applied"))
                    .as("longer than the repository's patience")
                    .isEmpty();
            assertThat(wire.request("GET", APP + "notyet", "Prefer: wait=0", "User-Agent: containerd/1.6.20")
                            .header("Preference-Applied"))
                    .as("held for longer, since it repeats a 429 at once")
                    .isEmpty();
            assertThat(wire.request("GET", APP + "latest?platform=all&platform=linux/arm64")
                            .status())
                    .isEqualTo(400);
        }
        assertThat(server.fakes.pulls.get(0).plan().wholeIndex()).isTrue();
        assertThat(server.fakes.pulls.get(0).hint()).isEmpty();
        assertThat(server.fakes.pulls.get(1).plan().wholeIndex()).isFalse();
        assertThat(server.fakes.pulls.get(1).plan().patience()).isEqualTo(Duration.ofSeconds(2));
        assertThat(server.fakes.pulls.get(2).plan().patience()).isEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void aHeaderOfTheClientsOwnDoesNotReplaceThePath() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            Answer answer = wire.request("GET", APP + "latest", "Raw-Request-URI: /health/live", "Timeout-Access: x");
            assertThat(answer.header("Docker-Content-Digest")).isNotEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                APP + "latest",
                APP + "partial",
                APP + "single",
                APP + "waiting",
                APP + "notyet",
                APP + "broken",
                APP + "down",
                APP + "bug",
                APP + "nothing",
                APP + ".git",
                "/v2/",
                "/v2/x",
                "/v2/team/app/tags/list?n=1",
                "/v2/other/tags/list",
                "/api/v1/builds",
                "/api/v1/builds/x",
                "/health/live",
                "/health/x"
            })
    void headIsGetWithoutTheBody(String target) throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            Answer get = wire.request("GET", target);
            Answer head = wire.request("HEAD", target);
            assertThat(head.statusLine()).isEqualTo(get.statusLine());
            assertThat(withoutDate(head)).containsExactlyInAnyOrderElementsOf(withoutDate(get));
            assertThat(head.header("Content-Length"))
                    .isEqualTo(Integer.toString(get.text().length()));
            // Nothing of a body is left on the connection.
            assertThat(wire.request("GET", "/health/live").status()).isEqualTo(200);
        }
    }

    @Test
    void aNodeThatLacksWhatAllNodesLackIsReadyAndSaysSo() throws Exception {
        start();
        server.impaired.set(Optional.of("the database has not answered"));
        try (Wire wire = new Wire(server.port())) {
            Answer ready = wire.request("GET", "/health/ready");
            assertThat(ready.status()).isEqualTo(200);
            assertThat(ready.text()).contains("\"impaired\":\"the database has not answered\"");
        }
    }

    private static List<String> withoutDate(Answer answer) {
        return answer.lines().stream().filter(line -> !line.startsWith("Date:")).toList();
    }

    @Test
    void aHeldPullMayTakeLongerThanOtherRequestsAndEndsInTheAnswer() throws Exception {
        start("akka.http.server.request-timeout = 500ms", Optional.empty(), Duration.ofSeconds(20));
        ExecutorService client = Executors.newSingleThreadExecutor();
        try (Wire held = new Wire(server.port())) {
            Future<Answer> answer = client.submit(() -> held.request("GET", APP + "held"));
            Awaitility.await().until(() -> !server.fakes.pulls.isEmpty());
            // The listener's own timeout passes for another request that began later.
            server.fakes.queueHangs.set(true);
            assertThat(Wire.once(server.adminPort(), "GET /api/v1/queue HTTP/1.1\r\nHost: x\r\n\r\n")
                            .status())
                    .isEqualTo(503);
            server.fakes.held.complete(INDEX);
            assertThat(answer.get().status()).isEqualTo(200);
        } finally {
            client.shutdownNow();
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aClientThatGoesWhileItsPullIsHeldIsNoticedAtOnce(boolean reset) throws Exception {
        server = new TestServer();
        Wire gone = new Wire(server.port());
        try (Wire stays = new Wire(server.port())) {
            stays.send("HEAD " + APP + "held HTTP/1.1\r\nHost: x\r\n\r\n");
            awaitPulls(1);
            gone.send("HEAD " + APP + "held HTTP/1.1\r\nHost: x\r\n\r\n");
            awaitPulls(2);
            if (reset) {
                gone.reset();
            } else {
                gone.close();
            }

            assertThat(server.fakes.pulls.get(1).gone()).succeedsWithin(Duration.ofSeconds(20));
            assertThat(server.fakes.pulls.get(0).gone().toCompletableFuture()).isNotDone();
        }
    }

    @Test
    void aSecondRequestOfAConnectionWaitsForTheFirstAnswerAndNeitherIsLost() throws Exception {
        server = new TestServer();
        try (Wire wire = new Wire(server.port())) {
            wire.send("HEAD " + APP + "held HTTP/1.1\r\nHost: x\r\n\r\n");
            awaitPulls(1);
            wire.send("HEAD " + APP + "partial HTTP/1.1\r\nHost: x\r\n\r\nGET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n");
            server.fakes.held.complete(INDEX);

            assertThat(wire.read(true).header("Docker-Content-Digest"))
                    .isEqualTo(INDEX.descriptor().digest().value());
            assertThat(wire.read(true).header("X-Kiln-Missing-Platforms")).isEqualTo("linux/arm64/v8");
            assertThat(wire.read(false).text()).isEqualTo("{}");
            assertThat(wire.request("HEAD", APP + "latest").status()).isEqualTo(200);
        }
    }

    private void awaitPulls(int count) {
        Awaitility.await().until(() -> server.fakes.pulls.size() == count);
    }

    @Test
    void whoWaitsForAnAnswerThatNeverComesGetsAnErrorInTheFormOfItsPath() throws Exception {
        start("akka.http.server.request-timeout = 100ms", Optional.empty(), Duration.ofSeconds(20));
        server.fakes.queueHangs.set(true);
        Answer api = Wire.once(server.adminPort(), "GET /api/v1/queue HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(api.status()).isEqualTo(503);
        assertThat(api.header("Content-Type")).isEqualTo("application/problem+json");
        server.fakes.tagsHang.set(true);
        Answer tags = Wire.once(server.port(), "GET /v2/team/app/tags/list HTTP/1.1\r\nHost: x\r\n\r\n");
        assertThat(tags.status()).isEqualTo(503);
        assertThat(tags.text()).contains("\"errors\"", "UNAVAILABLE");
    }

    @Test
    void manyHeldPullsCostNoThreadEach() throws Exception {
        start();
        ExecutorService clients = Executors.newFixedThreadPool(100);
        try {
            List<Callable<Answer>> pulls = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                pulls.add(() -> Wire.once(server.port(), "HEAD " + APP + "held HTTP/1.1\r\nHost: x\r\n\r\n"));
            }
            List<Future<Answer>> answers = new ArrayList<>();
            pulls.forEach(pull -> answers.add(clients.submit(pull)));
            Awaitility.await().until(() -> server.fakes.pulls.size() == 100);
            assertThat(Wire.once(server.port(), "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
                            .status())
                    .isEqualTo(200);
            server.fakes.held.complete(INDEX);
            for (Future<Answer> answer : answers) {
                assertThat(answer.get().header("Content-Length")).isEqualTo("11");
            }
        } finally {
            clients.shutdownNow();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {APP + "latest", APP + "sha256:", "/v2/"})
    void aHitNeedsNoOtherThread(String path) throws Exception {
        KilnConfig config = TestServer.config(Optional.empty(), Duration.ofSeconds(25), 0, 0);
        Fakes fakes = new Fakes();
        Routes registry = new RegistryRoutes(
                config,
                fakes,
                fakes,
                SettlingContent.ofOneNode(new ContentStore(fakes, fakes), task -> fail("the store was asked")),
                task -> fail("the store was asked"),
                Fakes.NOBODY_PUSHES,
                (after, limit) -> fail("the catalog was asked"),
                Optional.empty(),
                () -> "");
        Routes rest = new HealthRoutes(Optional::empty, Optional::empty);
        String target = path.replace("sha256:", INDEX.descriptor().digest().value());
        CompletableFuture<HttpResponse> answer = new Listener(registry, rest, rest, null)
                .answer(HttpRequest.GET(target), new CompletableFuture<>())
                .toCompletableFuture();
        assertThat(answer).isDone();
        assertThat(answer.join().status().intValue()).isEqualTo(200);
    }

    @Test
    void aShutdownLetsHeldPullsComeToTheirEnd() throws Exception {
        start();
        ExecutorService client = Executors.newSingleThreadExecutor();
        try (Wire held = new Wire(server.port())) {
            Future<Answer> answer = client.submit(() -> held.request("HEAD", APP + "held"));
            Awaitility.await().until(() -> !server.fakes.pulls.isEmpty());
            server.shutDown();
            Awaitility.await().until(() -> isRefused(server.port()));
            server.fakes.held.complete(INDEX);
            assertThat(answer.get().status()).isEqualTo(200);
            assertThat(answer.get().header("Connection")).isEqualTo("close");
        } finally {
            client.shutdownNow();
        }
    }

    private static boolean isRefused(int port) throws IOException {
        try {
            new Wire(port).close();
            return false;
        } catch (ConnectException e) {
            return true;
        }
    }

    @Test
    void aPortThatIsTakenStopsTheStartAndLeavesNothingBound() throws Exception {
        start();
        int adminPort = FreePorts.next();
        assertThatThrownBy(() -> server.startOn(server.port(), adminPort)).hasRootCauseInstanceOf(BindException.class);
        assertThat(isRefused(adminPort)).isTrue();
    }

    @Test
    void aBodyOnGetEndsTheConnectionAndIsNeverANextRequest() throws Exception {
        start();
        for (String length : List.of("46", "18446744073709551620", "1000000")) {
            try (Wire wire = new Wire(server.port())) {
                Answer answer = wire.request(
                        "GET",
                        APP + "latest",
                        "Content-Length: " + length + "\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x");
                assertThat(answer.status()).isEqualTo(200);
                assertThat(answer.header("Connection")).isEqualTo("close");
                assertThat(wire.isClosed()).isTrue();
            }
        }
    }

    /** It may be no request at all, but more of the body (RFC 9112, 9.6). */
    @Test
    void whatComesBehindARefusedBodyIsNotProcessed() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            wire.send("PUT " + APP + "latest HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
            assertThat(wire.read(false).header("Connection")).isEqualTo("close");
            wire.send("0\r\n\r\nHEAD " + APP + "latest HTTP/1.1\r\nHost: x\r\n\r\n");
            assertThat(wire.isClosed()).isTrue();
        }
        assertThat(server.fakes.pulls).isEmpty();
    }

    /** Beyond what is read of a body that nobody wants, in a bounded time. */
    private static final long TOO_MUCH = 512L * 1024 * 1024;

    @ParameterizedTest
    @CsvSource({
        "PUT, /v2/team/app/manifests/latest, 405", // nobody asks for the body
        "PATCH, /v2/team/app/blobs/uploads/1234, 405",
        "POST, /token, 404",
        "POST, /api/v1/queue, 403",
    })
    void whoSendsAllOfALargeBodyBeforeItReadsIsAnswered(String method, String target, int status) throws Exception {
        start();
        for (int mebibytes : new int[] {1, 8, 64}) {
            try (Wire wire = new Wire(server.port())) {
                wire.sendChunked(method + " " + target, mebibytes << 20);
                Answer answer = wire.read(false);
                assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
                assertThat(answer.header("Connection")).isEqualTo("close");
                assertThat(wire.isClosed()).isTrue();
            }
        }
    }

    @Test
    void whoSendsTooMuchOfWhatNobodyWantsIsCutOff() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            assertThatThrownBy(() -> wire.sendChunked("PUT " + APP + "latest", TOO_MUCH))
                    .isInstanceOf(IOException.class);
        }
    }

    /** Who reads before it sends need not send: the answer does not wait for the body. */
    @Test
    void anAnswerDoesNotWaitForABodyThatNobodyWants() throws Exception {
        start();
        for (String header : new String[] {"Content-Length: 1000000", "Transfer-Encoding: chunked"}) {
            try (Wire wire = new Wire(server.port())) {
                assertThat(wire.request("PUT", APP + "latest", header).status()).isEqualTo(405);
            }
        }
    }

    @Test
    void aBlobThatIsThereIsLookedUpOnce() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            for (int i = 0; i < 5; i++) {
                assertThat(wire.request("GET", "/v2/team/app/blobs/" + LAYER_DIGEST, "Range: bytes=1-2")
                                .text())
                        .isEqualTo("12");
                wire.request("GET", "/v2/team/app/blobs/" + Fakes.UNLINKED);
            }
        }
        assertThat(server.fakes.looked.stream().filter(LAYER_DIGEST::equals)).hasSize(1);
        assertThat(server.fakes.looked.stream().filter(Fakes.UNLINKED::equals)).hasSize(5);
    }

    @Test
    void theAddressOfALogIsThePublicOneAndNeverTheHostHeaders() throws Exception {
        start("", Optional.of("https://kiln.example.com/base"), Duration.ofSeconds(25));
        String log = "https://kiln.example.com/base/api/v1/builds/" + BUILD_ID + "/log";
        Answer answer = Wire.once(server.port(), "GET " + APP + "broken HTTP/1.1\r\nHost: evil.example\r\n\r\n");
        assertThat(answer.text()).contains("\"log\":\"" + log + "\"").doesNotContain("evil");
        assertThat(server.server.publicUrl()).isEqualTo("https://kiln.example.com/base");
    }

    @Test
    void aLongMessageIsCutButItsLogIsNot() throws Exception {
        start();
        Answer answer = Wire.once(server.port(), "GET " + APP + "verbose HTTP/1.1\r\nHost: x\r\n\r\n");
        String warning = answer.header("Warning");
        assertThat(answer.reason()).hasSizeLessThanOrEqualTo(80).startsWith("? xxx");
        assertThat(warning)
                .hasSizeLessThanOrEqualTo(200 + "299 - \"\"".length())
                .endsWith("/log\"");
        assertThat(answer.text()).contains(warning.substring("299 - \"".length(), warning.length() - 1));
    }

    @Test
    void aRetryIsRecordedWithWhoAskedForIt() throws Exception {
        start();
        String path = "/api/v1/builds/" + BUILD_ID + "/retry";
        try (Wire wire = new Wire(server.adminPort())) {
            wire.request("POST", path, "X-Kiln-Operator: ada \t(on call) " + "x".repeat(500));
        }
        try (Wire wire = new Wire(server.adminPort())) {
            wire.request("POST", path);
        }
        assertThat(server.fakes.changes.get(0))
                .startsWith("retry " + Fakes.BUILD + " by ada (on call) xxx")
                .hasSizeLessThan(250);
        assertThat(server.fakes.changes.get(1)).endsWith(" by at 127.0.0.1");
    }

    @Test
    void aNodeThatIsNotReadySaysWhyAndStillLives() throws Exception {
        start();
        server.notReady.set(Optional.of("the journal\ndoes not answer"));
        try (Wire wire = new Wire(server.port())) {
            Answer ready = wire.request("GET", "/health/ready");
            assertThat(ready.status()).isEqualTo(503);
            assertThat(ready.text()).contains("\"reason\":\"the journal does not answer\"");
            assertThat(wire.request("GET", "/health/live").status()).isEqualTo(200);
        }
    }

    @Test
    void whatABuildPrintsIsSeenBeforeItEnds() throws Exception {
        start();
        try (Wire wire = new Wire(server.port())) {
            assertThat(wire.firstLineOf("/api/v1/builds/" + BUILD_ID + "/log?follow=true&offset=99"))
                    .isEqualTo("attempt 2 from 99");
        }
    }
}
