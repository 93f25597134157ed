package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.Wire;
import dev.kiln.testing.Wire.Answer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What somebody could do with redirects, over connections to the packaged server: no more than with a pull of his own. */
final class HopChainIT {
    private static final Gate NEVER = Gate.closed();
    private static final String MAIN = "/v2/short/app/manifests/main";

    @TempDir
    static Path temp;

    private static Team team;
    private static KilnProcess server;

    @BeforeAll
    static void start() {
        team = Team.create(temp, "app", Map.of("never.sh", Gate.await("GATE")));
        server = KilnProcess.start(temp, """
                kiln.builders.never { type = command, command = [bash, never.sh], environment { GATE = "%s" } }
                kiln.clients.pollers { agents = [renovatebot], starts-builds = false }
                kiln.worker.slots = 1
                akka.http.server.idle-timeout = 5m
                kiln.repository-defaults { source.url = "%s", builder = never, platforms = ["linux/amd64", "linux/arm64"] }
                kiln.repositories = [
                  { name = "short/*", hop = 1s, patience = 3s }
                  { name = "long/*", start = hinted, hop = 4m }
                ]
                """.formatted(NEVER.number(), team.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
        NEVER.close();
    }

    @Test
    void aCounterLeadsToOneEndHoweverOftenItIsShown() throws IOException {
        String first = redirected(MAIN);
        String second = redirected(first);
        assertThat(first).startsWith(MAIN + "?w=1.");
        assertThat(second).startsWith(MAIN + "?w=2.");
        for (int i = 0; i < 3; i++) {
            assertThat(redirected(first)).as("replayed").isEqualTo(second);
            assertThat(get(second).status()).as("its patience has passed").isEqualTo(429);
        }
    }

    @Test
    void aCounterOfAnotherPullOrOfOnesOwnMakingIsAsIfAbsent() throws IOException {
        String counter = redirected(redirected(MAIN)).substring((MAIN + "?w=").length());
        assertThat(counter).startsWith("2.");
        for (String other : new String[] {
            "/v2/short/other/manifests/main?w=" + counter,
            "/v2/short/app/manifests/" + team.revision() + "?w=" + counter,
            "/v2/short/app/manifests/main_linux-arm64?w=" + counter,
            "/v2/p/linux-arm64/short/app/manifests/main?w=" + counter,
            MAIN + "?w=9" + counter.substring(1),
            MAIN + "?w=0" + counter.substring(1),
            MAIN + "?w=" + counter.substring(0, counter.length() - 1),
            MAIN + "?w=" + counter + "x",
            MAIN + "?w=9",
            MAIN + "?w=" + "9.".repeat(600)
        }) {
            assertThat(redirected(other)).as(other).contains("?w=1.");
        }
    }

    @Test
    void whoOnlyLooksStartsNothing() throws Exception {
        try (Wire wire = new Wire(server.registry().getPort())) {
            for (String method : new String[] {"HEAD", "GET"}) {
                Answer answer = wire.request(
                        method,
                        "/v2/short/looked-at/manifests/main",
                        "User-Agent: RenovateBot/43.0.0 (https://github.com/renovatebot/renovate)");
                assertThat(answer.status()).isEqualTo(404);
            }
            assertThat(json(wire, "/api/v1/builds?repository=short/looked-at").path("builds"))
                    .isEmpty();
        }
    }

    /** Both wait for a worker; who stays came first, so that nothing but his absence ends the other's waiting. */
    @Test
    void nobodyWaitsForAClientThatHasGone() throws Exception {
        try (Wire stays = new Wire(server.registry().getPort());
                Wire goes = new Wire(server.registry().getPort());
                Wire admin = new Wire(server.admin().getPort())) {
            Awaitility.await("somebody has the only worker")
                    .pollInSameThread()
                    .atMost(Duration.ofMinutes(1))
                    .until(() -> get(MAIN).status() > 0
                            && !json(admin, "/api/v1/builds?repository=short/app&phase=running")
                                    .path("builds")
                                    .isEmpty());
            stays.send(held("long/stays"));
            awaitAwaited(admin, "long/stays", true);
            goes.send(held("long/goes"));
            awaitAwaited(admin, "long/goes", true);
            goes.reset();
            awaitAwaited(admin, "long/goes", false);
            assertThat(awaited(admin, "long/stays")).contains(true);
        }
    }

    private static String held(String name) {
        return "HEAD /v2/" + name + "/manifests/main HTTP/1.1\r\nHost: x\r\nUser-Agent: containerd/2.2.1\r\n\r\n";
    }

    private static void awaitAwaited(Wire admin, String name, boolean awaited) {
        Awaitility.await(name + " is awaited: " + awaited)
                .pollInSameThread()
                .atMost(Duration.ofMinutes(1))
                .until(() -> awaited(admin, name).equals(Optional.of(awaited)));
    }

    private static Optional<Boolean> awaited(Wire admin, String name) throws IOException {
        JsonNode entries = json(admin, "/api/v1/queue").path("entries");
        return StreamSupport.stream(entries.spliterator(), false)
                .filter(entry -> entry.path("repository").asText().equals(name))
                .map(entry -> entry.path("awaited").asBoolean())
                .findFirst();
    }

    private static String redirected(String target) throws IOException {
        Answer answer = get(target);
        assertThat(answer.status()).as(target + ": " + answer).isEqualTo(307);
        return answer.header("Location");
    }

    private static Answer get(String target) throws IOException {
        try (Wire wire = new Wire(server.registry().getPort())) {
            return wire.request("GET", target, "User-Agent: curl/8.5.0");
        }
    }

    private static JsonNode json(Wire wire, String target) throws IOException {
        return new ObjectMapper().readTree(wire.request("GET", target).text());
    }
}
