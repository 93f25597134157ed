package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.clients.ScriptedClient.Pulled;
import dev.kiln.testing.KilnProcess;
import java.net.URI;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every family of clients, those that cannot be installed too, in every situation: a pull ends with the image where one
 * comes in time, and else after a bounded number of requests with a text.
 */
final class EveryFamilyIT {
    private static final Gate NEVER = Gate.closed();

    @TempDir
    static Path temp;

    private static KilnProcess server;

    @BeforeAll
    static void start() {
        Team team = Team.create(
                temp,
                "app",
                Map.of("slow.sh", "sleep 6\n" + Team.IMAGE, "fails.sh", "exit 1\n", "never.sh", Gate.await("GATE")));
        server = KilnProcess.start(temp, """
                kiln.builders {
                  slow { type = command, command = [sh, slow.sh] }
                  fails { type = command, command = [sh, fails.sh] }
                  never { type = command, command = [bash, never.sh], environment { GATE = "%s" } }
                }
                kiln.worker.slots = 64
                kiln.clients {
                  containers-image.nothing-ready.retry-after = 1s
                  regclient.nothing-ready.retry-after = 1s
                }
                kiln.client-defaults.nothing-ready.retry-after = 1s
                kiln.repository-defaults { source.url = "%s", platforms = ["linux/amd64"] }
                kiln.repositories = [
                  { name = "slow/*", builder = slow, hop = 2s, patience = 20s }
                  { name = "fails/*", builder = fails }
                  { name = "never/*", builder = never, hop = 1s, patience = 2s }
                ]
                """.formatted(NEVER.number(), team.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
        NEVER.close();
    }

    @Test
    void aBuildLongerThanAHopEndsInAnImage() {
        Map<ScriptedClient, CompletableFuture<Pulled>> pulls = new LinkedHashMap<>();
        ScriptedClient.all().forEach(client -> pulls.put(client, client.start(uri(), "slow/app", "main")));

        pulls.forEach((client, pull) -> {
            Pulled pulled = pull.join();
            assertThat(pulled.end().statusCode())
                    .as(client + ": " + pulled.exchanges())
                    .isEqualTo(200);
            assertThat(pulled.exchanges()).as(client.toString()).hasSizeLessThan(40);
        });
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aFailedBuildIsToldOnceAndNotAskedForAgain(ScriptedClient client) {
        Pulled pulled = client.pull(uri(), "fails/app", "main");

        assertThat(pulled.end().statusCode()).as(pulled.exchanges().toString()).isEqualTo(424);
        assertThat(pulled.exchanges().stream().filter(e -> e.endsWith(" 424"))).hasSize(client.getsAfterHead() ? 2 : 1);
    }

    @Test
    void aBuildLongerThanEveryPatienceEndsWithATextAfterABoundedNumberOfRequests() {
        Map<ScriptedClient, CompletableFuture<Pulled>> pulls = new LinkedHashMap<>();
        ScriptedClient.all().forEach(client -> pulls.put(client, client.start(uri(), "never/app", "main")));

        pulls.forEach((client, pull) -> {
            Pulled pulled = pull.join();
            String what = client + ": " + pulled.exchanges();
            assertThat(pulled.end().statusCode()).as(what).isIn(429, 503);
            assertThat(pulled.end().headers().firstValue("Warning"))
                    .as(what)
                    .hasValueSatisfying(warning ->
                            assertThat(warning).contains("linux/amd64").contains("pull again"));
            assertThat(pulled.exchanges()).as(what).hasSizeLessThanOrEqualTo(20);
        });
    }

    static Stream<ScriptedClient> clients() {
        return ScriptedClient.all().stream();
    }

    private static URI uri() {
        return server.registry();
    }

    /** What the script says of a client that is here is what the client does; else the script is wrong. */
    @Test
    @Tag("clients")
    void theScriptsAskAsTheRealClientsDo() throws Exception {
        Map<Client, String> scripts = new LinkedHashMap<>();
        scripts.put(Client.docker(temp), "docker 20.10");
        scripts.put(Client.ctr(temp), "containerd 1.6");
        scripts.put(Client.skopeo(temp), "skopeo");
        scripts.put(Client.podman(temp), "skopeo");
        scripts.put(Client.buildah(temp), "skopeo");
        for (Map.Entry<Client, String> each : scripts.entrySet()) {
            ScriptedClient script = ScriptedClient.all().stream()
                    .filter(s -> s.name().equals(each.getValue()))
                    .findFirst()
                    .orElseThrow();
            for (String situation : List.of("slow", "fails")) {
                String name = situation + "/" + each.getKey();
                List<String> real;
                try (Tap tap = Tap.before(uri(), "HTTP/1.1 307 ")) {
                    each.getKey().pull(tap.host() + "/" + name + ":main", "amd64");
                    real = ScriptedClient.sequence(named(tap.exchanges()));
                }
                // of its own, so that it waits too
                List<String> scripted =
                        script.pull(uri(), name + "-scripted", "main").sequence();
                assertThat(real).as(each.getKey() + ", " + situation).isEqualTo(scripted);
            }
        }
    }

    /** As the script writes them down; blobs, which it does not fetch, left out. */
    private static List<String> named(List<String> exchanges) {
        List<String> named = new ArrayList<>();
        boolean index = false;
        for (String exchange : exchanges) {
            String[] parts = exchange.split(" ");
            if (parts[1].contains("/blobs/")) {
                continue;
            }
            String what;
            if (parts[1].equals("/v2/")) {
                what = "ping";
            } else if (!parts[1].contains("/manifests/sha256:")) {
                what = "tag";
                index = parts[0].equals("GET") && parts[2].equals("200");
            } else {
                what = index ? "manifest" : "index";
                index = true;
            }
            named.add(parts[0] + " " + what + " " + parts[2]);
        }
        return named;
    }
}
