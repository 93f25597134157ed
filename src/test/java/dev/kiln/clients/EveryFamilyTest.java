package dev.kiln.clients;

import static dev.kiln.testing.PullBench.AMD;
import static dev.kiln.testing.PullBench.ARM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.blob.SettlingContent;
import dev.kiln.client.HintTokens;
import dev.kiln.client.WaitPlans;
import dev.kiln.clients.ScriptedClient.Pulled;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.http.Fakes;
import dev.kiln.http.HttpServer;
import dev.kiln.http.HttpServices;
import dev.kiln.image.Dedup;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.Plans;
import dev.kiln.testing.PullBench;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every family of clients, with the shipped plans and their own time-outs, in every situation: a pull ends with the image
 * where one comes in time, and else, soon enough to be read, with a text. Over real connections, on a clock that is set.
 */
class EveryFamilyTest {
    private static final Duration HOP = Duration.ofSeconds(25);
    private static final Duration PATIENCE = Duration.ofSeconds(250);
    private static final Set<String> ONE_PASS = Set.of(
            "containerd 1.6",
            "crane 0.20",
            "crane 0.21.9",
            "kaniko",
            "cosign",
            "oras",
            "oras resolve",
            "helm",
            "notation",
            "harbor",
            "curl",
            "unknown");

    @TempDir
    static Path directory;

    private static Bench bench;
    private static Bench full;
    private static Bench half;

    /** A registry on a settable clock, and who pulls from it: each time of another repository. */
    private static final class Bench implements AutoCloseable {
        private final PullBench pulls;
        private final SteppedWorld world;
        private final URI registry;
        private int repositories;
        /** Then the answer comes by itself. */
        private boolean ended;

        Bench(String name, List<Platform> platforms, Duration patience, int queueLimit) throws Exception {
            RepositoryConfig repository = repository(platforms, patience);
            pulls = PullBench.start(
                    Files.createDirectory(directory.resolve(name)),
                    repository,
                    new KilnConfig.Queue(queueLimit, queueLimit, Duration.ofDays(1), Duration.ofMillis(20)));
            world = new SteppedWorld(pulls.clock);
            Fakes fakes = new Fakes();
            HttpServer server = HttpServer.start(
                            pulls.system(),
                            PullBench.config(repository),
                            new HttpServices(
                                    world.watch(pulls.images(repository)),
                                    fakes,
                                    fakes,
                                    fakes,
                                    () -> new Dedup.Counts(0, 0, 0),
                                    SettlingContent.ofOneNode(pulls.content(), pulls.blocking()),
                                    Fakes.NOBODY_PUSHES,
                                    (after, limit) -> CompletableFuture.completedFuture(List.of()),
                                    fakes,
                                    pulls.blocking(),
                                    pulls.clock,
                                    new HintTokens(new byte[32], pulls.clock),
                                    Optional::empty,
                                    Optional::empty))
                    .toCompletableFuture()
                    .get(20, TimeUnit.SECONDS);
            registry = URI.create("http://127.0.0.1:" + server.publicPort());
            pulls.means("main");
        }

        private static RepositoryConfig repository(List<Platform> platforms, Duration patience) {
            RepositoryConfig plain = PullBench.repository(platforms, new AnswerWhen.Hinted(), Start.ALL, HOP);
            return new RepositoryConfig(
                    plain.name(),
                    plain.source(),
                    plain.platforms(),
                    plain.defaultPlatform(),
                    plain.builder(),
                    plain.start(),
                    plain.answerWhen(),
                    plain.partialAfter(),
                    plain.hop(),
                    patience,
                    Plans.shipped(HOP, patience),
                    plain.build(),
                    plain.push());
        }

        Pulled pull(ScriptedClient client, String tag) {
            return client.pull(world, registry, repository().value(), tag);
        }

        RepositoryName repository() {
            return new RepositoryName("team/" + repositories);
        }

        /** A repository of which nothing is built. */
        void next(Platform... notBuilt) {
            repositories++;
            ended = false;
            for (Platform platform : notBuilt) {
                pulls.isStillToBuild(platform);
            }
        }

        void succeeds(Platform platform) {
            pulls.publish(repository(), platform);
            pulls.succeeds(platform);
        }

        void end(Runnable ending) {
            ending.run();
            ended = true;
        }

        @Override
        public void close() throws IOException {
            pulls.close();
        }
    }

    @BeforeAll
    static void start() throws Exception {
        bench = new Bench("bench", List.of(AMD), PATIENCE, 1000);
        full = new Bench("full", List.of(AMD), PATIENCE, 1);
        half = new Bench("half", List.of(AMD, ARM), HOP, 1000);
        bench.world.settledWhen(() -> !bench.ended && bench.pulls.attempts(bench.repository(), AMD) > 0);
        half.world.settledWhen(() -> !half.ended
                && half.pulls.attempts(half.repository(), ARM) > 0
                && half.pulls.indexes(half.repository()) > 0);
        full.world.settledWhen(() -> full.repositories > 0 || full.pulls.attempts(full.repository(), AMD) > 0);
        full.pull(ScriptedClient.named("notation"), "main");
    }

    @AfterAll
    static void stop() throws Exception {
        bench.close();
        full.close();
        half.close();
    }

    static Stream<ScriptedClient> clients() {
        return ScriptedClient.all().stream();
    }

    private static void buildTakes(Duration time) {
        bench.next(AMD);
        bench.world.after(time, () -> bench.end(() -> bench.succeeds(AMD)));
    }

    @Test
    void hasAClientOfEveryFamily() {
        WaitPlans shipped = Plans.shipped(HOP, PATIENCE);
        Set<String> families = new TreeSet<>(shipped.families());
        families.add("unknown");

        assertThat(clients()
                        .map(client ->
                                shipped.plan(Optional.of(client.userAgent())).family()))
                .containsAll(families);
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aBuildThatIsLongerThanAHopEndsInAnImage(ScriptedClient client) {
        buildTakes(Duration.ofSeconds(client.name().equals("unknown") ? 20 : 70));
        Pulled pulled = bench.pull(client, "main");

        assertThat(pulled.status()).as(pulled.exchanges().toString()).isEqualTo(200);
        assertThat(pulled.exchanges())
                .as("nobody asked again but when redirected")
                .allMatch(exchange -> exchange.endsWith(" 200") || exchange.endsWith(" tag 307"));
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aBuildThatIsLongerThanItsPatienceEndsInAnImageOrInATextThatArrives(ScriptedClient client) {
        buildTakes(Duration.ofSeconds(390));
        Pulled pulled = bench.pull(client, "main");

        String what = pulled.exchanges().toString();
        if (ONE_PASS.contains(client.name())) {
            assertThat(pulled.status()).as(what).isIn(429, 503);
            assertThat(pulled.header("Warning"))
                    .as(what)
                    .contains("linux/amd64 building for ")
                    .contains(", ETA unknown; pull again");
        } else {
            assertThat(pulled.status()).as(what).isEqualTo(200);
        }
        assertThat(pulled.exchanges().size()).as(what).isLessThanOrEqualTo(30);
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aFailedBuildIsToldOnceAndNotAskedForAgain(ScriptedClient client) {
        bench.next(AMD);
        bench.end(() -> bench.pulls.fails(AMD));
        Pulled pulled = bench.pull(client, "main");

        assertThat(pulled.status()).as(pulled.exchanges().toString()).isEqualTo(424);
        assertThat(pulled.header("Warning")).contains("the command ended with exit code 2");
        assertThat(pulled.count("424")).isEqualTo(client.first() == ScriptedClient.First.HEAD_THEN_GET ? 2 : 1);
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aFullQueueIsToldAfterAHold(ScriptedClient client) {
        // The clock is set on as soon as the pull is held, which may be before the queue has answered.
        Pulled pulled = await().pollInSameThread()
                .atMost(Duration.ofMinutes(1))
                .until(
                        () -> {
                            full.next();
                            return full.pull(client, "main");
                        },
                        told -> told.header("Warning").contains("the build queue is full"));

        assertThat(pulled.status()).as(pulled.exchanges().toString()).isIn(429, 503);
        assertThat(pulled.header("Warning")).contains("; pull again in some minutes");
        assertThat(pulled.exchanges()).hasSizeLessThanOrEqualTo(30);
    }

    @ParameterizedTest
    @MethodSource("clients")
    void whoWantsWhatIsNotReadyIsNotGivenWhatIs(ScriptedClient client) {
        half.next(ARM);
        half.succeeds(AMD);
        Pulled pulled = half.pull(client, "main_linux-arm64");

        assertThat(pulled.status()).as(pulled.exchanges().toString()).isIn(429, 503);
        // the clock is set on as soon as the attempt runs, which may be before the pull has heard of that
        assertThat(pulled.header("Warning")).containsPattern("linux/arm64/v8 (building|queued)");
        half.end(() -> half.succeeds(ARM));
        assertThat(half.pull(client, "main_linux-arm64").status()).isEqualTo(200);
    }

    @ParameterizedTest
    @MethodSource("clients")
    void aRequestThatIsLostIsSentAgainByWhoDoesThat(ScriptedClient client) {
        if (client.headerTimeout().isEmpty()) {
            return;
        }
        buildTakes(Duration.ofSeconds(200));
        bench.world.lose(2);
        Pulled pulled = bench.pull(client, "main");

        boolean resends = client.resends() > 1;
        assertThat(pulled.status()).as(pulled.exchanges().toString()).isEqualTo(resends ? 200 : 0);
        assertThat(pulled.count("timeout")).isEqualTo(resends ? 2 : 1);
        bench.world.lose(0);
        assertThat(bench.pull(client, "main").status())
                .as("the person who pulls again joins the same build")
                .isEqualTo(200);
    }

    @Test
    void aKubeletComesBackUntilTheImageIsThere() {
        buildTakes(Duration.ofMinutes(40));

        assertThat(bench.pull(ScriptedClient.kubelet(), "main").status()).isEqualTo(200);
    }
}
