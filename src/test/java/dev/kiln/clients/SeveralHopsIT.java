package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.KilnProcess;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A pull that is sent back to itself again and again ends well, and the person who typed it did nothing. */
@Tag("clients")
final class SeveralHopsIT {
    private static final int HOPS = 4;

    @TempDir
    static Path temp;

    private static final Map<String, Gate> GATES = new TreeMap<>();

    private static Team team;
    private static KilnProcess server;

    @BeforeAll
    static void start() {
        clients().forEach(client -> GATES.put("GATE_" + client, Gate.closed()));
        String environment = GATES.entrySet().stream()
                .map(gate -> gate.getKey() + " = \"" + gate.getValue().number() + "\"")
                .collect(Collectors.joining(", "));
        String build = "gate=GATE_${KILN_REPOSITORY##*/}\n" + Gate.await("!gate") + Team.IMAGE;
        team = Team.create(temp, "app", Map.of("build.sh", build));
        server = KilnProcess.start(temp, """
                kiln.builders.sh { type = command, command = [bash, build.sh], environment { %s } }
                kiln.repositories = [{
                  name = "team/*", source.url = "%s", builder = sh, platforms = ["linux/amd64"], hop = 1s, patience = 10s
                }]
                """.formatted(environment, team.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
        GATES.values().forEach(Gate::close);
    }

    static Stream<Client> clients() {
        return Client.all(temp).stream();
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aPullOutlastsItsHops(Client client) throws Exception {
        try (Tap tap = Tap.before(server.registry(), "HTTP/1.1 307 ")) {
            String image = tap.host() + "/team/" + client + ":main";
            CompletableFuture<Outcome> pull = CompletableFuture.supplyAsync(() -> client.pull(image, "amd64"));
            Awaitility.await().atMost(Duration.ofMinutes(1)).until(() -> tap.count() >= HOPS || pull.isDone());
            GATES.get("GATE_" + client).open();

            pull.get().mustSucceed();
            assertThat(tap.count()).isGreaterThanOrEqualTo(HOPS);
            assertThat(client.saved(image, "amd64").file("hello.txt"))
                    .contains(Team.hello("team/" + client, team.revision(), "amd64"));
        }
    }
}
