package dev.kiln.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.WaitPlans;
import dev.kiln.testing.Plans;
import dev.kiln.testing.Wire;
import dev.kiln.testing.Wire.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;

/** What every kind of client is told in every situation, through the listener: the table of docs/clients.md. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WaitMatrixTest {
    private static final String ENGINE =
            "docker/%s go/go1.26.3 os/linux arch/amd64%s UpstreamClient(Docker-Client/%1$s \\(linux\\))";

    /** One client of each family, by the name under which the table lists it. */
    private static final Map<String, String> CLIENTS = new LinkedHashMap<>();

    static {
        CLIENTS.put("containerd, CRI, `ctr`, nerdctl", "containerd/1.6.20~ds1");
        CLIENTS.put("containerd 2.3.0, 2.3.1", "containerd/v2.3.1");
        CLIENTS.put("containerd 2.3.2 and later", "containerd/v2.3.4");
        CLIENTS.put(
                "Docker Engine, containerd image store below 2.3",
                ENGINE.formatted("29.1.0", " containerd-client/2.2.1 storage-driver/overlayfs"));
        CLIENTS.put(
                "Docker Engine, containerd image store 2.3.0, 2.3.1",
                ENGINE.formatted("29.6.0", " containerd-client/2.3.1 storage-driver/overlayfs"));
        CLIENTS.put(
                "Docker Engine, containerd image store 2.3.2 and later",
                ENGINE.formatted("29.7.2", " containerd-client/2.3.3+unknown storage-driver/overlayfs"));
        CLIENTS.put("Docker Engine, graph driver", ENGINE.formatted("20.10.24", ""));
        CLIENTS.put("BuildKit, buildx", "buildkit/v0.26");
        CLIENTS.put("podman", "containers/5.36.2 (github.com/containers/image)");
        CLIENTS.put("buildah", "Buildah/1.28.2");
        CLIENTS.put("skopeo", "skopeo/1.9.3");
        CLIENTS.put("CRI-O", "cri-o/1.31.0 go/go1.22 os/linux arch/arm64");
        CLIENTS.put("apptainer", "Apptainer/1.3.4 (Linux amd64) Go/1.22");
        CLIENTS.put("crane", "crane/v0.20.3 go-containerregistry/v0.20.3");
        CLIENTS.put("kaniko, ko, flux, trivy", "go-containerregistry/v0.21.9");
        CLIENTS.put("cosign", "cosign/v3.1.2 (linux; amd64) go-containerregistry/v0.21.9");
        CLIENTS.put("regctl, zot", "regclient/regctl (v0.11.5)");
        CLIENTS.put("regsync, regbot", "regclient/regsync (v0.11.5)");
        CLIENTS.put("oras, helm", "oras/1.3.3");
        CLIENTS.put("notation", "notation/1.3.0");
        CLIENTS.put("Harbor", "harbor-registry-client");
        CLIENTS.put("curl, wget, `kiln wait`", "curl/8.5.0");
        CLIENTS.put("any other", "Java-http-client/17");
    }

    private static final Set<String> REPEAT_A_429_AT_ONCE = Set.of(
            "containerd, CRI, `ctr`, nerdctl",
            "containerd 2.3.0, 2.3.1",
            "containerd 2.3.2 and later",
            "Docker Engine, containerd image store below 2.3",
            "Docker Engine, containerd image store 2.3.0, 2.3.1",
            "Docker Engine, containerd image store 2.3.2 and later",
            "BuildKit, buildx");

    private TestServer server;

    @BeforeAll
    void start() throws Exception {
        server = new TestServer();
    }

    @AfterAll
    void stop() {
        server.close();
    }

    @Test
    void hasAClientOfEveryFamily() throws IOException {
        WaitPlans shipped = Plans.shipped(Duration.ofSeconds(25), Duration.ofSeconds(250));
        Set<String> families = new TreeSet<>(shipped.families());
        families.add("unknown");

        assertThat(CLIENTS.values().stream()
                        .map(agent -> shipped.plan(Optional.of(agent)).family()))
                .containsAll(families);
    }

    @Test
    void isTheTableOfTheDocumentation() throws IOException {
        StringBuilder table =
                new StringBuilder("| client | redirects | whole index | nothing ready | awaited not ready |"
                        + " failed | queue full |\n|---|---|---|---|---|---|---|\n");
        for (Map.Entry<String, String> client : CLIENTS.entrySet()) {
            Answer first = get("GET", "notyet", client.getValue());
            var plan = server.fakes.pulls.get(server.fakes.pulls.size() - 1).plan();
            table.append("| ")
                    .append(client.getKey())
                    .append(
                            plan.redirects()
                                    ? " | " + seconds(plan.hop()) + ", in all " + seconds(plan.patience())
                                    : " | held once")
                    .append(plan.wholeIndex() ? " | always" : " |")
                    .append(" | ")
                    .append(text(first))
                    .append(" | ")
                    .append(text(get("GET", "awaited", client.getValue())))
                    .append(" | ")
                    .append(text(get("GET", "broken", client.getValue())))
                    .append(" | ")
                    .append(text(get("GET", "full", client.getValue())))
                    .append(" |\n");
        }

        assertThat(Files.readString(Path.of("docs/clients.md"))).contains(table);
    }

    @Test
    void noAnswerIsOneThatSomeClientTakesForAnImageOrHammers() throws IOException {
        for (Map.Entry<String, String> client : CLIENTS.entrySet()) {
            for (String situation : List.of("notyet", "awaited", "full", "broken", "waiting", "latest", "partial")) {
                for (String method : List.of("GET", "HEAD")) {
                    Answer answer = get(method, situation, client.getValue());
                    String what = client.getKey() + ", " + situation + ", " + method + ": " + answer;
                    assertThat(answer.status()).as(what).isIn(200, 307, 424, 429, 503);
                    assertThat(answer.header("Content-Encoding")).as(what).isEmpty();
                    if (answer.status() == 200) {
                        assertThat(answer.header("Docker-Content-Digest"))
                                .as(what)
                                .startsWith("sha256:");
                        assertThat(answer.header("Content-Length")).as(what).isNotEmpty();
                    } else if (answer.status() != 307) {
                        assertThat(answer.reason()).as(what).hasSizeBetween(10, 80);
                        assertThat(answer.header("Warning"))
                                .as(what)
                                .contains(answer.reason().substring(0, 20));
                        assertThat(answer.header("Content-Type")).as(what).isEqualTo("application/json");
                    }
                    if (answer.status() == 429 && REPEAT_A_429_AT_ONCE.contains(client.getKey())) {
                        assertThat(server.fakes
                                        .pulls
                                        .get(server.fakes.pulls.size() - 1)
                                        .plan()
                                        .leastHold())
                                .as(what)
                                .isGreaterThanOrEqualTo(Duration.ofSeconds(10));
                    }
                }
            }
        }
    }

    private Answer get(String method, String tag, String userAgent) throws IOException {
        try (Wire wire = new Wire(server.port())) {
            return wire.request(method, "/v2/team/app/manifests/" + tag, "User-Agent: " + userAgent, "Accept: */*");
        }
    }

    private static String text(Answer answer) {
        String code = answer.text().replaceAll("(?s).*\"code\":\"([A-Z_]+)\".*", "$1");
        return answer.status() + " " + code
                + Optional.of(answer.header("Retry-After"))
                        .filter(s -> !s.isEmpty())
                        .map(s -> ", after " + s + " s")
                        .orElse("");
    }

    private static String seconds(Duration time) {
        return time.toSeconds() + " s";
    }
}
