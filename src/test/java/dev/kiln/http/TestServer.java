package dev.kiln.http;

import akka.actor.CoordinatedShutdown;
import akka.actor.testkit.typed.javadsl.ActorTestKit;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.SettlingContent;
import dev.kiln.client.HintTokens;
import dev.kiln.config.ClusterConfig;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.NamePattern;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.image.Dedup;
import dev.kiln.testing.Plans;
import dev.kiln.testing.SettableClock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;

/** Both listeners on free ports of the loopback, over {@link Fakes}. */
final class TestServer implements AutoCloseable {
    final Fakes fakes = new Fakes();
    final AtomicReference<Optional<String>> notReady = new AtomicReference<>(Optional.empty());
    final AtomicReference<Optional<String>> impaired = new AtomicReference<>(Optional.empty());
    final SettableClock clock = new SettableClock(Fakes.AT);
    final HttpServer server;

    private static final byte[] SECRET = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final ActorTestKit kit;
    private final ExecutorService blocking = Executors.newFixedThreadPool(2);

    /** @param settings HOCON over the defaults of Akka */
    TestServer(String settings, Optional<String> publicUrl, Duration hop) throws Exception {
        kit = ActorTestKit.create(
                ConfigFactory.parseString("akka.loglevel=WARNING\n" + settings).withFallback(ConfigFactory.load()));
        server = start(config(publicUrl, hop, 0, 0));
    }

    /** @param usernames whether clients are asked for one */
    TestServer(KilnConfig.Http http, boolean usernames) throws Exception {
        kit = ActorTestKit.create(
                ConfigFactory.parseString("akka.loglevel=WARNING").withFallback(ConfigFactory.load()));
        server = start(config(http, Duration.ofSeconds(25), 0, usernames));
    }

    /** A second pair of listeners, without what is an experiment. */
    HttpServer startWithoutExperiments() throws Exception {
        return start(config(
                new KilnConfig.Http("127.0.0.1", 0, Optional.empty(), List.of()),
                Duration.ofSeconds(25),
                0,
                false,
                new KilnConfig.Experimental(false)));
    }

    private HttpServer start(KilnConfig config) throws Exception {
        return HttpServer.start(
                        kit.system(),
                        config,
                        new HttpServices(
                                fakes,
                                fakes,
                                fakes,
                                fakes,
                                () -> new Dedup.Counts(2, 998, 1998),
                                SettlingContent.ofOneNode(new ContentStore(fakes, fakes), blocking),
                                Fakes.NOBODY_PUSHES,
                                (after, limit) -> CompletableFuture.completedFuture(List.of(Fakes.APP)),
                                fakes,
                                blocking,
                                () -> Fakes.NOW,
                                new HintTokens(SECRET, clock),
                                notReady::get,
                                impaired::get))
                .toCompletableFuture()
                .get(20, TimeUnit.SECONDS);
    }

    TestServer() throws Exception {
        this("", Optional.empty(), Duration.ofSeconds(25));
    }

    /** Starts a second pair of listeners in the same system. */
    HttpServer startOn(int port, int adminPort) throws Exception {
        return start(config(Optional.empty(), Duration.ofSeconds(25), port, adminPort));
    }

    /** Begins the coordinated shutdown, as a signal to the process does. */
    void shutDown() {
        CoordinatedShutdown.get(kit.system()).runAll(CoordinatedShutdown.unknownReason());
    }

    int port() {
        return server.publicPort();
    }

    int adminPort() {
        return server.adminPort();
    }

    static KilnConfig config(Optional<String> publicUrl, Duration hop, int port, int adminPort) {
        return config(new KilnConfig.Http("127.0.0.1", port, publicUrl, List.of()), hop, adminPort, false);
    }

    private static KilnConfig config(KilnConfig.Http http, Duration hop, int adminPort, boolean usernames) {
        return config(http, hop, adminPort, usernames, new KilnConfig.Experimental(true));
    }

    private static KilnConfig config(
            KilnConfig.Http http,
            Duration hop,
            int adminPort,
            boolean usernames,
            KilnConfig.Experimental experimental) {
        RepositoryConfig repository = new RepositoryConfig(
                new NamePattern("team/**"),
                Optional.of(new RepositoryConfig.GitSourceConfig(
                        "https://git.example.com/{name}.git",
                        List.of("refs/heads/*"),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(20),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty())),
                List.of(Fakes.AMD64, Fakes.ARM64),
                Optional.of(Fakes.AMD64),
                Optional.of("make"),
                RepositoryConfig.Start.ALL,
                new RepositoryConfig.AnswerWhen.Hinted(),
                Duration.ofSeconds(20),
                hop,
                hop.multipliedBy(10),
                Plans.shipped(hop, hop.multipliedBy(10)),
                new RepositoryConfig.Build(Duration.ofMinutes(30), 3, Duration.ofHours(1), Duration.ofSeconds(5), 1, 1),
                false);
        return new KilnConfig(
                Set.of(KilnConfig.Role.REGISTRY),
                Path.of("/nowhere/data"),
                Path.of("/nowhere/work"),
                0,
                Optional.empty(),
                new KilnConfig.Database("jdbc:h2:mem:", "", "", 1),
                new KilnConfig.Store(Path.of("/nowhere/store"), 0, Duration.ZERO),
                http,
                new KilnConfig.Admin("127.0.0.1", adminPort),
                new KilnConfig.Cache(Duration.ofSeconds(10), Duration.ofSeconds(2), 1 << 20),
                List.of(repository),
                Map.of(),
                new KilnConfig.Worker(1, List.of("*"), List.of("*"), 60000, Duration.ofSeconds(1)),
                new KilnConfig.Queue(10, 10, Duration.ofSeconds(120), Duration.ofSeconds(5)),
                experimental,
                new KilnConfig.Hints(usernames),
                ClusterConfig.ALONE,
                new ClusterConfig.Leaving(Duration.ZERO, Duration.ZERO),
                new KilnConfig.Push(Duration.ofHours(1), Duration.ofHours(24), Duration.ofHours(1), 1000, false));
    }

    @Override
    public void close() {
        kit.shutdownTestKit();
        blocking.shutdownNow();
    }
}
