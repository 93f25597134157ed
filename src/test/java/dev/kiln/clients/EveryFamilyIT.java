package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.clients.ScriptedClient.Pulled;
import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The scripts of {@link EveryFamilyTest} against the packaged server; and against the clients that are here, which must ask
 * for the same in the same order.
 */
final class EveryFamilyIT {
    private static final Gate NEVER = Gate.closed();
    private static final Map<String, Gate> SLOW = new TreeMap<>();
    private static final ExecutorService THREADS = Executors.newCachedThreadPool();

    @TempDir
    static Path temp;

    private static Team team;
    private static KilnProcess server;

    @BeforeAll
    static void start() {
        Client.all(temp).forEach(client -> SLOW.put("GATE_" + client, Gate.closed()));
        String gates = SLOW.entrySet().stream()
                .map(gate -> gate.getKey() + " = \"" + gate.getValue().number() + "\"")
                .collect(Collectors.joining(", "));
        String slow = "gate=GATE_${KILN_REPOSITORY##*/}; gate=${gate%-scripted}\n" + Gate.await("!gate") + Team.IMAGE;
        team = Team.create(
                temp, "app", Map.of("slow.sh", slow, "fails.sh", "exit 1\n", "never.sh", Gate.await("GATE")));
        server = KilnProcess.start(temp, """
                kiln.builders {
                  slow { type = command, command = [bash, slow.sh], environment { %s } }
                  fails { type = command, command = [sh, fails.sh] }
                  never { type = command, command = [bash, never.sh], environment { GATE = "%s" } }
                }
                kiln.worker.slots = 64
                kiln.clients.containers-image.nothing-ready.retry-after = 1s
                kiln.repository-defaults { source.url = "%s", platforms = ["linux/amd64"] }
                kiln.repositories = [
                  { name = "slow/*", builder = slow, hop = 5s, patience = 50s }
                  { name = "fails/*", builder = fails }
                  { name = "never/*", builder = never, hop = 1s, patience = 2s }
                ]
                """.formatted(gates, NEVER.number(), team.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
        THREADS.shutdownNow();
        NEVER.close();
        SLOW.values().forEach(Gate::close);
    }

    static Stream<ScriptedClient> clients() {
        return ScriptedClient.all().stream();
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aFailedBuildIsToldOnceAndNotAskedForAgain(ScriptedClient client) {
        Pulled pulled = pull(client, server, "fails/app");

        assertThat(pulled.status()).as(pulled.exchanges().toString()).isEqualTo(424);
        assertThat(pulled.count("424")).isEqualTo(client.first() == ScriptedClient.First.HEAD_THEN_GET ? 2 : 1);
    }

    @Test
    void aBuildLongerThanEveryPatienceEndsWithATextAfterABoundedNumberOfRequests() {
        Map<ScriptedClient, CompletableFuture<Pulled>> pulls = new LinkedHashMap<>();
        clients().forEach(client -> pulls.put(client, later(() -> pull(client, server, "never/app"))));

        pulls.forEach((client, pull) -> {
            Pulled pulled = pull.join();
            String what = client + ": " + pulled.exchanges();
            assertThat(pulled.status()).as(what).isIn(429, 503);
            assertThat(pulled.header("Warning"))
                    .as(what)
                    .contains("linux/amd64")
                    .contains("pull again");
            assertThat(pulled.exchanges()).as(what).hasSizeLessThanOrEqualTo(44);
        });
    }

    /** What the script says of a client that is here is what the client does; else the script is wrong. */
    @Test
    @Tag("clients")
    void theScriptsAskAsTheRealClientsDo() throws Exception {
        Map<Client, ScriptedClient> scripts = new LinkedHashMap<>();
        scripts.put(Client.docker(temp), ScriptedClient.named("docker 20.10"));
        scripts.put(Client.ctr(temp), ScriptedClient.named("containerd 1.6"));
        scripts.put(Client.podman(temp), ScriptedClient.named("podman"));
        scripts.put(Client.buildah(temp), ScriptedClient.named("buildah"));
        scripts.put(Client.skopeo(temp), ScriptedClient.named("skopeo"));
        try (KilnProcess small = KilnProcess.start(
                Files.createDirectory(temp.resolve("small")), """
                kiln.builders.never { type = command, command = [bash, never.sh], environment { GATE = "%s" } }
                kiln.queue.limit = 1
                kiln.clients.containers-image.queue-full.retry-after = 1s
                kiln.repositories = [
                  { name = "full/*", source.url = "%s", builder = never, platforms = ["linux/amd64"], hop = 1s, patience = 1s }
                ]
                """.formatted(NEVER.number(), team.url()))) {
            pull(ScriptedClient.named("notation"), small, "full/first");
            List<CompletableFuture<Void>> compared = new ArrayList<>();
            for (Map.Entry<Client, ScriptedClient> each : scripts.entrySet()) {
                compared.add(later(() -> {
                    for (String situation : List.of("fails", "never")) {
                        compare(each.getKey(), each.getValue(), server, situation);
                    }
                    compare(each.getKey(), each.getValue(), small, "full");
                    compare(each.getKey(), each.getValue(), server, "slow");
                    return null;
                }));
            }
            for (CompletableFuture<Void> each : compared) {
                each.get();
            }
        }
    }

    /** Each pulls of a repository of its own, so that both wait; a slow build goes on when both have been sent back. */
    private static void compare(Client client, ScriptedClient script, KilnProcess registry, String situation) {
        String name = situation + "/" + client;
        try (Tap real = Tap.before(registry.registry(), "HTTP/1.1 307 ");
                Tap scripted = Tap.before(registry.registry(), "HTTP/1.1 307 ")) {
            CompletableFuture<Outcome> pull = later(() -> client.pull(real.host() + "/" + name + ":main", "amd64"));
            CompletableFuture<Pulled> play = later(() ->
                    script.pull(new HastyWorld(), URI.create("http://" + scripted.host()), name + "-scripted", "main"));
            if (situation.equals("slow")) {
                Awaitility.await()
                        .atMost(Duration.ofMinutes(1))
                        .until(() -> (real.count() > 0 || pull.isDone()) && (scripted.count() > 0 || play.isDone()));
                SLOW.get("GATE_" + client).open();
            }
            pull.join();
            assertThat(ScriptedClient.sequence(named(real.exchanges())))
                    .as(client + ", " + situation)
                    .isEqualTo(play.join().sequence());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Pulled pull(ScriptedClient client, KilnProcess registry, String name) {
        URI uri = registry.registry();
        return client.pull(new HastyWorld(), uri, name, "main");
    }

    private static <A> CompletableFuture<A> later(Supplier<A> work) {
        return CompletableFuture.supplyAsync(work, THREADS);
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
