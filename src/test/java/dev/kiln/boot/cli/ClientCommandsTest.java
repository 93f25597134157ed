package dev.kiln.boot.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** The commands against a server that answers as it is told. */
class ClientCommandsTest {
    private static final Instant NOW = Instant.parse("2026-11-23T10:10:00Z");
    private static final String REVISION = "0123456789abcdef0123456789abcdef01234567";
    private static final String AMD64 = "team~app@" + REVISION + "@linux~amd64";
    private static final String ARM64 = "team~app@" + REVISION + "@linux~arm64~v8";
    private static final String DIGEST = "sha256:" + "a".repeat(64);

    /** What the server says next to a path; its last answer is said again and again. */
    private final Map<String, Queue<Answer>> answers = new ConcurrentHashMap<>();

    private final List<String> requests = new CopyOnWriteArrayList<>();
    private final List<Duration> pauses = new CopyOnWriteArrayList<>();
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private HttpServer server;

    private record Answer(int status, Map<String, String> headers, String body) {}

    @BeforeEach
    void start() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.setExecutor(threads);
        server.start();
    }

    @AfterEach
    void stop() {
        server.stop(0);
        threads.shutdownNow();
    }

    private void answer(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().toString();
        String authorization = exchange.getRequestHeaders().getFirst("Authorization");
        requests.add(exchange.getRequestMethod() + " " + path + (authorization == null ? "" : " " + authorization));
        Queue<Answer> queue = answers.getOrDefault(path, new ConcurrentLinkedQueue<>());
        Answer answer = queue.size() > 1 ? queue.poll() : queue.peek();
        if (answer == null) {
            answer = new Answer(
                    404,
                    Map.of(),
                    "{\"title\":\"NOT_FOUND\",\"status\":404,\"detail\":\"nothing at " + path.replace("\"", "")
                            + "\"}");
        }
        answer.headers().forEach(exchange.getResponseHeaders()::add);
        byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(answer.status(), head || body.length == 0 ? -1 : body.length);
        if (!head && body.length > 0) {
            exchange.getResponseBody().write(body);
        }
        exchange.close();
    }

    private void on(String path, int status, Map<String, String> headers, String body) {
        answers.computeIfAbsent(path, p -> new ConcurrentLinkedQueue<>()).add(new Answer(status, headers, body));
    }

    private void on(String path, String body) {
        on(path, 200, Map.of(), body);
    }

    private String url() {
        return "http://127.0.0.1:" + server.getAddress().getPort();
    }

    private int kiln(String... arguments) {
        List<String> all = new ArrayList<>(List.of(arguments));
        all.addAll(List.of("--server", url(), "--admin", url()));
        return run(all);
    }

    private int run(List<String> arguments) {
        CommandLine line = ClientCommands.commands(Clock.fixed(NOW, ZoneOffset.UTC), pauses::add);
        line.setOut(new PrintWriter(out)).setErr(new PrintWriter(err));
        return line.execute(arguments.toArray(String[]::new));
    }

    private static String build(String id, String phase, String more) {
        String[] parts = id.replace('~', '/').split("@", -1);
        return "{\"id\":\"" + id + "\",\"repository\":\"" + parts[0] + "\",\"revision\":\"" + parts[1]
                + "\",\"platform\":\"" + parts[2] + "\",\"phase\":\"" + phase
                + "\",\"request\":1,\"requestedAt\":\"2026-11-23T10:00:00Z\"" + more + "}";
    }

    @Test
    void whatIsUnderWayIsListedWithWhenItIsLikelyToBeDone() {
        String running = ",\"attempt\":1,\"startedAt\":\"2026-11-23T10:01:00Z\",\"eta\":";
        on(
                "/api/v1/builds?n=50",
                page(
                        "null",
                        build(
                                AMD64,
                                "running",
                                running + "{\"state\":\"estimated\",\"queueSeconds\":0,\"buildSeconds\":250}"),
                        build(ARM64, "running", running + "{\"state\":\"overdue\",\"queueSeconds\":0}"),
                        build(AMD64, "queued", ",\"eta\":{\"state\":\"overdue\",\"buildSeconds\":240}"),
                        build(ARM64, "queued", ",\"eta\":{\"state\":\"unknown\"}"),
                        build(ARM64, "queued", ",\"eta\":[\"\\u001b[31m\"]")));

        assertThat(kiln("builds")).isZero();

        assertThat(out.toString().lines())
                .containsExactly(
                        "BUILD                                 PHASE    ATTEMPT  REQUESTED  TIME   ETA",
                        "team/app@0123456789ab@linux/amd64     RUNNING  1        10m0s ago  9m0s   4m10s",
                        "team/app@0123456789ab@linux/arm64/v8  RUNNING  1        10m0s ago  9m0s   overdue",
                        "team/app@0123456789ab@linux/amd64     QUEUED            10m0s ago  10m0s  over 4m0s",
                        "team/app@0123456789ab@linux/arm64/v8  QUEUED            10m0s ago  10m0s  unknown",
                        "team/app@0123456789ab@linux/arm64/v8  QUEUED            10m0s ago  10m0s");
    }

    private static String page(String next, String... builds) {
        return "{\"builds\":[" + String.join(",", builds) + "],\"next\":" + next + "}";
    }

    @Test
    void buildsAreListedOverPages() {
        on(
                "/api/v1/builds?n=200&phase=failed&repository=team%2Fapp",
                page(
                        "\"p 2\"",
                        build(
                                AMD64,
                                "failed",
                                ",\"attempt\":2,\"startedAt\":\"2026-11-23T10:01:00Z\","
                                        + "\"endedAt\":\"2026-11-23T10:02:05Z\",\"reference\":\"main\","
                                        + "\"failure\":{\"class\":\"source\",\"message\":\"exit 2\\u001b[31m\\n!\"}")));
        on(
                "/api/v1/builds?after=p+2&n=199&phase=failed&repository=team%2Fapp",
                page("null", build(ARM64, "failed", "")));

        assertThat(kiln("builds", "--repository", "team/app", "--phase", "failed", "-n", "200"))
                .isZero();

        assertThat(out.toString().lines())
                .containsExactly(
                        "BUILD                                 PHASE   ATTEMPT  REQUESTED  TIME  FOR   FAILURE",
                        "team/app@0123456789ab@linux/amd64     FAILED  2        10m0s ago  1m5s  main  source: exit 2 !",
                        "team/app@0123456789ab@linux/arm64/v8  FAILED           10m0s ago");
    }

    @Test
    void aServerThatRepeatsAPageForEverIsLeft() {
        on("/api/v1/builds?n=5", page("\"again\""));

        assertThat(kiln("builds", "-n", "5")).isZero();
        assertThat(requests).hasSize(1);
        assertThat(err.toString()).contains("no builds");
    }

    @Test
    void buildsAsJsonAreOneALine() {
        on("/api/v1/builds?n=50", page("null", build(AMD64, "built", ""), build(ARM64, "running", "")));

        assertThat(kiln("builds", "--json")).isZero();
        assertThat(out.toString().lines()).containsExactly(build(AMD64, "built", ""), build(ARM64, "running", ""));
    }

    @Test
    void aBuildIsShownWithItsEvents() {
        on(
                "/api/v1/builds/" + AMD64,
                build(
                        AMD64,
                        "built",
                        ",\"attempt\":1,\"builder\":\"make\",\"manifest\":{\"digest\":\""
                                + DIGEST
                                + "\"},\"events\":[{\"seq\":1,\"t\":\"requested\",\"at\":\"2026-11-23T10:00:00Z\",\"request\":1,"
                                + "\"cause\":{\"client\":\"docker\"}}]"));

        assertThat(kiln("build", AMD64)).isZero();

        assertThat(out.toString())
                .contains("team/app@0123456789ab@linux/amd64  BUILT attempt 1")
                .contains("manifest   " + DIGEST)
                .contains("1  2026-11-23T10:00:00Z  requested request=1 cause={\"client\":\"docker\"}");
    }

    @Test
    void anImageStandsForTheBuildsOfItsNewestRevision() {
        String old = "team~app@" + "f".repeat(40) + "@linux~amd64";
        on(
                "/api/v1/builds?n=1000&repository=team%2Fapp",
                page(
                        "null",
                        build(AMD64, "running", ",\"reference\":\"other\""),
                        build(ARM64, "running", ",\"reference\":\"main\""),
                        build(old, "built", ",\"reference\":\"main\"")));
        on(
                "/api/v1/builds?n=1000&repository=team%2Fapp&revision=" + REVISION,
                page("null", build(AMD64, "running", ""), build(ARM64, "running", "")));

        assertThat(kiln("log", "127.0.0.1:8080/team/app:main")).isEqualTo(2);

        assertThat(err.toString())
                .contains("which one? Add --platform")
                .contains("team/app@0123456789ab@linux/amd64")
                .contains("team/app@0123456789ab@linux/arm64/v8");
    }

    @Test
    void aLogIsFollowedOverSilencesAndAttemptsToItsEnd() {
        String path = "/api/v1/builds/" + AMD64;
        on(path, build(AMD64, "queued", ",\"attempt\":0"));
        on(path, build(AMD64, "queued", ",\"attempt\":0"));
        on(path, build(AMD64, "running", ",\"attempt\":1"));
        on(path, build(AMD64, "running", ",\"attempt\":1"));
        on(path, build(AMD64, "running", ",\"attempt\":2"));
        on(path, build(AMD64, "built", ",\"attempt\":2"));
        on(path + "/log?attempt=1&follow=true", "gr\u00fcn\r\n\u001b[32mgo\u001b[0m");
        on(path + "/log?attempt=1&follow=true&offset=18", " on\n");
        on(path + "/log?attempt=2&follow=true", "again\n");
        on(path + "/log?attempt=2&offset=6", "end\n");

        assertThat(kiln("log", "--follow", AMD64)).isZero();

        assertThat(out.toString()).isEqualTo("gr\u00fcn\ngo on\nagain\nend\n");
        assertThat(err.toString().lines())
                .containsExactly(
                        "kiln: waiting for a worker", "kiln: attempt 1 has ended, here is attempt 2", "kiln: built");
        assertThat(pauses).as("one for the time in the queue").hasSize(1);
    }

    @Test
    void followingAFailedBuildFails() {
        on(
                "/api/v1/builds/" + AMD64,
                build(AMD64, "failed", ",\"attempt\":1,\"failure\":{\"class\":\"source\",\"message\":\"exit 2\"}"));
        on("/api/v1/builds/" + AMD64 + "/log?attempt=1", "no\n");

        assertThat(kiln("log", "-f", AMD64)).isEqualTo(1);
        assertThat(out.toString()).isEqualTo("no\n");
        assertThat(err.toString()).isEqualTo("kiln: failed, source: exit 2\n");
    }

    @Test
    void waitFollowsHopsAndShowsTheBuildsOfTheRevision() {
        String manifest = "/v2/team/app/manifests/main";
        String hop = manifest + "?w=1.1700000000." + REVISION + ".mac";
        on(manifest, 307, Map.of("Location", hop), "");
        on(hop, 429, Map.of("Retry-After", "7"), "");
        on(manifest, 200, Map.of("Docker-Content-Digest", DIGEST, "X-Kiln-Missing-Platforms", "linux/arm64/v8"), "");
        on(
                "/api/v1/builds?n=1000&repository=team%2Fapp&revision=" + REVISION,
                page("null", build(AMD64, "built", ",\"attempt\":1"), build(ARM64, "running", ",\"attempt\":1")));

        assertThat(kiln("wait", "team/app:main")).isZero();

        assertThat(out.toString()).isEqualTo("team/app:main  " + DIGEST + "  without linux/arm64/v8\n");
        assertThat(err.toString()).contains("team/app@0123456789ab@linux/arm64/v8  RUNNING attempt 1");
        assertThat(pauses).containsExactly(Duration.ofSeconds(7));
    }

    @Test
    void waitFetchesATokenWhereItIsAskedForOne() {
        String manifest = "/v2/team/app/manifests/main";
        on(manifest, 401, Map.of("WWW-Authenticate", "Bearer realm=\"http://evil.example/token\""), "");
        on("/token", "{\"token\":\"a.b-c_d\"}");
        on(manifest, 200, Map.of("Docker-Content-Digest", DIGEST), "");

        assertThat(kiln("wait", "team/app:main")).isZero();

        assertThat(requests)
                .filteredOn(request -> !request.contains("/api/"))
                .containsExactly("HEAD " + manifest, "GET /token", "HEAD " + manifest + " Bearer a.b-c_d");
    }

    @Test
    void aServerThatTakesNoTokenOfItsOwnIsAskedOnce() {
        on("/v2/team/app/manifests/main", 401, Map.of("Warning", "299 - \"who are you?\""), "");
        on("/token", "{\"token\":\"a\"}");

        assertThat(kiln("wait", "team/app:main")).isEqualTo(1);

        assertThat(requests).filteredOn(request -> !request.contains("/api/")).hasSize(3);
        assertThat(err.toString()).contains("who are you?");
    }

    @Test
    void waitForAllGoesOnForWhatIsMissing() {
        String manifest = "/v2/team/app/manifests/main";
        on(
                manifest,
                200,
                Map.of("Docker-Content-Digest", DIGEST, "X-Kiln-Missing-Platforms", "linux/arm64/v8, linux/s390x"),
                "");
        on(manifest + "?platform=linux%2Farm64%2Fv8", 200, Map.of("Docker-Content-Digest", "sha256:2"), "");
        on(manifest + "?platform=linux%2Fs390x", 424, Map.of("Warning", "299 - \"s390x: \\\"make\\\" failed\""), "");

        assertThat(kiln("wait", "team/app:main", "--all")).isEqualTo(1);

        assertThat(out.toString()).contains("team/app:main linux/arm64/v8  sha256:2");
        assertThat(err.toString()).contains("kiln: team/app:main linux/s390x: s390x: \"make\" failed");
    }

    @Test
    void waitGivesUpWhenTheTimeIsOver() {
        on("/v2/team/app/manifests/main", 429, Map.of(), "");
        // the clock stands still: only a time of nothing can pass
        assertThat(kiln("wait", "team/app:main", "--timeout", "0s")).isEqualTo(3);
        assertThat(err.toString()).contains("team/app:main: not there after 0s");
    }

    @Test
    void aRedirectThatLeavesHttpIsNotFollowed() {
        on("/v2/team/app/manifests/main", 307, Map.of("Location", "file:///etc/passwd"), "");

        assertThat(kiln("wait", "team/app:main")).isEqualTo(1);
        assertThat(err.toString()).contains("redirects to nowhere");
    }

    @Test
    void anOperatorsChangeIsPosted() {
        on("/api/v1/builds/" + AMD64, build(AMD64, "failed", ""));
        on("/api/v1/builds/" + AMD64 + "/retry", build(AMD64, "queued", ""));
        on(
                "/api/v1/builds/" + AMD64 + "/cancel",
                409,
                Map.of(),
                "{\"title\":\"CONFLICT\",\"detail\":\"it has\\nended\"}");

        assertThat(kiln("retry", AMD64)).isZero();
        assertThat(out.toString()).startsWith("team/app@0123456789ab@linux/amd64  QUEUED");
        assertThat(kiln("cancel", AMD64)).isEqualTo(1);
        assertThat(err.toString()).isEqualTo("kiln: it has ended\n");
        assertThat(requests)
                .contains("POST /api/v1/builds/" + AMD64 + "/retry", "POST /api/v1/builds/" + AMD64 + "/cancel");
    }

    @Test
    void theQueueAndItsWorkersAreShown() {
        on(
                "/api/v1/queue",
                "{\"entries\":["
                        + build(
                                AMD64,
                                "",
                                ",\"worker\":\"n1\",\"enqueuedAt\":\"2026-11-23T10:09:50Z\",\"cause\":{\"reference\":\"main\"}")
                        + ","
                        + build(
                                ARM64,
                                "",
                                ",\"position\":1,\"awaited\":true,\"enqueuedAt\":\"2026-11-23T10:09:50Z\",\"cause\":{\"reference\":\"main\"}")
                        + "],\"workers\":[{\"name\":\"n1\",\"drained\":true,\"slots\":2,\"running\":1,\"platforms\":[\"*\"],\"builders\":[\"make\",\"jib\"]}]}");

        assertThat(kiln("queue")).isZero();
        assertThat(out.toString().lines())
                .containsExactly(
                        "BUILD                                 WORKER  PLACE  QUEUED  FOR",
                        "team/app@0123456789ab@linux/amd64     n1             10s     main",
                        "team/app@0123456789ab@linux/arm64/v8          1*     10s     main",
                        "",
                        "WORKER  RUNNING  SLOTS  STATE    PLATFORMS  BUILDERS",
                        "n1      1        2      drained  *          make, jib");
    }

    @Test
    void aWorkerIsDrained() {
        on("/api/v1/workers/n1/drain", "{\"name\":\"n1\",\"drained\":true,\"running\":2}");
        on("/api/v1/workers/n1/undrain", "{\"name\":\"n1\",\"drained\":false,\"running\":2}");

        assertThat(kiln("drain", "n1")).isZero();
        assertThat(kiln("undrain", "n1")).isZero();
        assertThat(out.toString()).isEqualTo("n1  drained, 2 running\nn1  takes builds, 2 running\n");
        assertThat(requests).contains("POST /api/v1/workers/n1/drain", "POST /api/v1/workers/n1/undrain");
    }

    @Test
    void whatIsWrongIsSaidInOneLine() {
        assertThat(kiln("build", AMD64)).isEqualTo(1);
        assertThat(err.toString()).isEqualTo("kiln: nothing at /api/v1/builds/" + AMD64 + "\n");

        on("/api/v1/queue", "<html>");
        assertThat(kiln("queue")).isEqualTo(1);
        assertThat(err.toString()).contains("kiln: no Kiln answers at " + url());

        server.stop(0);
        assertThat(kiln("queue")).isEqualTo(1);
        assertThat(err.toString()).contains("kiln: could not reach " + url());
        assertThat(kiln("wait", "team/app:main")).isEqualTo(1);
    }

    @Test
    void aWrongCommandLineIsNoFailureOfTheServer() {
        assertThat(kiln("build", "a b")).isEqualTo(2);
        assertThat(kiln("build", "app@xyz")).isEqualTo(2);
        assertThat(kiln("wait", "app")).isEqualTo(2);
        assertThat(kiln("wait", "app:main", "--timeout", "soon")).isEqualTo(2);
        assertThat(kiln("wait", "app:main", "--platform", "amd64")).isEqualTo(2);
        assertThat(kiln("builds", "-n", "0")).isEqualTo(2);
        assertThat(run(List.of("builds", "--server", "ftp://x"))).isEqualTo(2);
        assertThat(run(List.of("builds", "--server", "http://user:secret@x"))).isEqualTo(2);
        assertThat(requests).isEmpty();
    }
}
