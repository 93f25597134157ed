package dev.kiln.catalog;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorRef;
import akka.actor.typed.DispatcherSelector;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.pattern.StatusReply;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import com.fasterxml.jackson.databind.JsonNode;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildInput;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.build.BuildTimes;
import dev.kiln.build.Cause;
import dev.kiln.build.FailureClass;
import dev.kiln.catalog.BuildCatalog.Filter;
import dev.kiln.catalog.BuildCatalog.Page;
import dev.kiln.catalog.BuildCatalog.Row;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.LoadedConfig;
import dev.kiln.journal.Pool;
import dev.kiln.journal.Schema;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.SourceArchive;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The journal, the projection and the queries together, on the embedded database, or on an empty one that
 * {@code -Dtest.database=jdbc:postgresql://…} names (user and password {@code kiln}).
 */
class CatalogTest {
    private static final Config IN_A_TEST = ConfigFactory.parseString("akka.coordinated-shutdown.exit-jvm = off");
    private static final List<String> TAGS = List.of("build-0", "build-1", "build-2", "build-3");
    private static final Filter ALL = filter(null, null, null, null);
    private static final Instant T = Instant.parse("2026-11-23T10:00:00.123456Z");
    private static final String REVISION = "0123456789abcdef0123456789abcdef01234567";
    private static final Descriptor MANIFEST =
            new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256("m".getBytes(StandardCharsets.UTF_8)), 321);
    private static final Cause CAUSE = new Cause("docker/29", "10.0.0.7", "linux/amd64 by ?platform=", "main");
    private static final BuildInput INPUT =
            new BuildInput(new SourceArchive(Digest.sha256(new byte[0]), 0, 1_700_000_000), "make");

    @TempDir
    Path dir;

    private LoadedConfig loaded;
    private ActorTestKit kit;
    private Pool pool;
    private JdbcBuildCatalog catalog;

    @BeforeEach
    void start() throws SQLException {
        Properties properties = new Properties();
        String url = System.getProperty("test.database");
        if (url != null) {
            properties.setProperty("kiln.database.url", url);
            properties.setProperty("kiln.database.password", "kiln");
        }
        properties.setProperty("kiln.data-dir", dir.toString());
        loaded = ConfigLoader.load(Optional.empty(), properties);
        Schema.migrate(loaded.kiln().database());
        startNode();
        if (url != null) {
            execute("DELETE FROM event_journal");
            BuildProjection.reset(pool);
        }
    }

    @AfterEach
    void stopNode() {
        kit.shutdownTestKit();
    }

    private void startNode() {
        kit = ActorTestKit.create("kiln", IN_A_TEST.withFallback(loaded.akka()));
        pool = Pool.of(kit.system());
        catalog = new JdbcBuildCatalog(
                pool, kit.system().dispatchers().lookup(DispatcherSelector.fromConfig("kiln-store-dispatcher")));
    }

    private void startProjection() {
        Cluster cluster = Cluster.get(kit.system());
        cluster.manager().tell(Join.create(cluster.selfMember().address()));
        BuildProjection.init(kit.system(), pool, TAGS);
    }

    /** Keeps what it is told, as a build does. */
    private static final class Recorder extends EventSourcedBehavior<Recorder.Keep, BuildEvent, Integer> {
        record Keep(List<BuildEvent> events, ActorRef<StatusReply<Integer>> replyTo) {}

        private final String tag;

        Recorder(BuildKey key) {
            super(PersistenceId.of("Build", key.toString()));
            this.tag = TAGS.get(Math.floorMod(key.toString().hashCode(), TAGS.size()));
        }

        @Override
        public Integer emptyState() {
            return 0;
        }

        @Override
        public Set<String> tagsFor(BuildEvent event) {
            return Set.of(tag);
        }

        @Override
        public CommandHandler<Keep, BuildEvent, Integer> commandHandler() {
            return newCommandHandlerBuilder()
                    .forAnyState()
                    .onCommand(
                            Keep.class,
                            (state, command) -> Effect()
                                    .persist(command.events())
                                    .thenReply(command.replyTo(), StatusReply::success))
                    .build();
        }

        @Override
        public EventHandler<Integer, BuildEvent> eventHandler() {
            return newEventHandlerBuilder().forAnyState().onAnyEvent((state, event) -> state + 1);
        }
    }

    private void record(BuildKey key, BuildEvent... events) {
        var probe = kit.<StatusReply<Integer>>createTestProbe();
        var recorder = kit.spawn(new Recorder(key));
        recorder.tell(new Recorder.Keep(List.of(events), probe.getRef()));
        probe.receiveMessage(Duration.ofSeconds(20));
        kit.stop(recorder);
    }

    private static BuildKey key(String repository, String platform) {
        return BuildKey.of(repository + "@" + REVISION + "@" + platform);
    }

    private static BuildEvent requested(int request, Instant at) {
        return new BuildEvent.Requested(request, CAUSE, INPUT, at);
    }

    private static Filter filter(String repository, String revision, String platform, Phase phase) {
        return new Filter(
                Optional.ofNullable(repository),
                Optional.ofNullable(revision),
                Optional.ofNullable(platform),
                Optional.ofNullable(phase));
    }

    private static <A> A get(CompletionStage<A> stage) {
        return stage.toCompletableFuture().orTimeout(20, TimeUnit.SECONDS).join();
    }

    private List<Row> list(Filter filter) {
        return get(catalog.list(filter, 1000, Optional.empty())).builds();
    }

    private Row await1(BuildKey key, Phase phase) {
        await().atMost(Duration.ofSeconds(20))
                .until(() -> get(catalog.find(key))
                        .filter(row -> row.status().phase() == phase)
                        .isPresent());
        return get(catalog.find(key)).orElseThrow();
    }

    private void execute(String sql, Object... values) throws SQLException {
        try (Connection connection = pool.open();
                PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                statement.setObject(i + 1, values[i]);
            }
            statement.executeUpdate();
        }
    }

    @Test
    void eachEventChangesItsRow() {
        startProjection();
        BuildKey key = key("team/app", "linux/amd64");

        record(key, requested(1, T));
        assertThat(await1(key, Phase.QUEUED))
                .isEqualTo(new Row(
                        new BuildStatus(
                                key,
                                Phase.QUEUED,
                                1,
                                0,
                                Optional.of(T),
                                Optional.empty(),
                                Optional.empty(),
                                Optional.empty(),
                                Optional.empty(),
                                Optional.empty()),
                        "make",
                        "",
                        "docker/29",
                        "10.0.0.7",
                        "main"));

        record(key, new BuildEvent.AttemptStarted(1, 1, 7, "node-1", T.plusSeconds(1)));
        Row running = await1(key, Phase.RUNNING);
        assertThat(running.worker()).isEqualTo("node-1");
        assertThat(running.status().attempt()).isEqualTo(1);
        assertThat(running.status().startedAt()).contains(T.plusSeconds(1));

        record(
                key,
                new BuildEvent.AttemptFailed(
                        1,
                        7,
                        FailureClass.INFRASTRUCTURE,
                        "disk full",
                        Optional.of(T.plusSeconds(60)),
                        T.plusSeconds(2)));
        assertThat(await1(key, Phase.QUEUED).status().notBefore()).contains(T.plusSeconds(60));

        record(key, new BuildEvent.AttemptStarted(2, 1, 8, "node-2", T.plusSeconds(61)));
        assertThat(await1(key, Phase.RUNNING).status().notBefore()).isEmpty();
        record(key, new BuildEvent.AttemptLost(2, 8, false, "node-2 is gone", T.plusSeconds(62)));
        await1(key, Phase.QUEUED);
        record(
                key,
                new BuildEvent.AttemptStarted(3, 1, 9, "node-1", T.plusSeconds(63)),
                new BuildEvent.AttemptFailed(3, 9, FailureClass.SOURCE, "exit 2", Optional.empty(), T.plusSeconds(64)),
                new BuildEvent.Failed(
                        1, FailureClass.SOURCE, "exit 2", Optional.of(T.plusSeconds(3600)), T.plusSeconds(64)));
        BuildStatus failed = await1(key, Phase.FAILED).status();
        assertThat(failed.failure())
                .contains(new BuildFailure(
                        FailureClass.SOURCE, "exit 2", T.plusSeconds(64), Optional.of(T.plusSeconds(3600))));
        assertThat(failed.endedAt()).contains(T.plusSeconds(64));
        assertThat(failed.attempt()).isEqualTo(3);

        record(
                key,
                requested(2, T.plusSeconds(4000)),
                new BuildEvent.AttemptStarted(4, 2, 10, "node-1", T.plusSeconds(4001)),
                new BuildEvent.Built(4, 10, MANIFEST, T.plusSeconds(4002)),
                new BuildEvent.ResultDiscarded(2, 8, "a late result", T.plusSeconds(4003)));
        assertThat(await1(key, Phase.BUILT).status())
                .isEqualTo(new BuildStatus(
                        key,
                        Phase.BUILT,
                        2,
                        4,
                        Optional.of(T.plusSeconds(4000)),
                        Optional.of(T.plusSeconds(4001)),
                        Optional.of(T.plusSeconds(4002)),
                        Optional.empty(),
                        Optional.of(MANIFEST),
                        Optional.empty()));
        assertThat(get(catalog.find(key("team/app", "linux/arm64")))).isEmpty();
    }

    @Test
    void whatBuildsUsuallyTakeIsTheMedianOfTheLastSuccessfulOnesOfEachPlatform() {
        startProjection();
        long[] seconds = {10, 5000, 20, 40, 30};
        for (int i = 0; i < seconds.length; i++) {
            built(i, "linux/amd64", T.plusSeconds(i), seconds[i]);
        }
        for (int i = 0; i < 41; i++) {
            built(100 + i, "linux/arm64", T.plusSeconds(i), i < 21 ? 9000 : 100);
        }
        BuildKey failed = key(200, "linux/amd64");
        record(
                failed,
                requested(1, T.plusSeconds(99)),
                new BuildEvent.AttemptStarted(1, 1, 1, "n", T.plusSeconds(99)),
                new BuildEvent.Failed(1, FailureClass.SOURCE, "exit 2", Optional.empty(), T.plusSeconds(9999)));
        record(key(201, "linux/s390x"), requested(1, T));
        record(
                key("other", "linux/amd64"),
                requested(1, T),
                new BuildEvent.AttemptStarted(1, 1, 1, "n", T),
                new BuildEvent.Built(1, 1, MANIFEST, T.plusSeconds(1)));
        await().atMost(Duration.ofSeconds(20)).until(() -> list(ALL).size() == seconds.length + 41 + 3);
        await1(failed, Phase.FAILED);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> list(filter(null, null, null, Phase.BUILT)).size() == seconds.length + 41 + 1);

        assertThat(get(catalog.usualTimes(new RepositoryName("team/app"))))
                .isEqualTo(Map.of(
                        Platform.of("linux/amd64"),
                        new BuildTimes(Duration.ofSeconds(3), Duration.ofSeconds(30)),
                        Platform.of("linux/arm64"),
                        new BuildTimes(Duration.ofSeconds(3), Duration.ofSeconds(100))));
        assertThat(get(catalog.usualTimes(new RepositoryName("nobody")))).isEmpty();
    }

    private void built(int revision, String platform, Instant requestedAt, long seconds) {
        Instant start = requestedAt.plusSeconds(3);
        record(
                key(revision, platform),
                requested(1, requestedAt),
                new BuildEvent.AttemptStarted(1, 1, 1, "n", start),
                new BuildEvent.Built(1, 1, MANIFEST, start.plusSeconds(seconds)));
    }

    private static BuildKey key(int revision, String platform) {
        return BuildKey.of("team/app@" + "%040x".formatted(revision) + "@" + platform);
    }

    @Test
    void pagesGoOnWhereTheyEndedWhileNewBuildsArrive() {
        startProjection();
        // three builds share each time, so that the key has to break the tie
        List<BuildKey> expected = IntStream.range(0, 12)
                .mapToObj(i -> key("team/app" + (char) ('a' + i), "linux/amd64"))
                .toList();
        for (int i = 0; i < 12; i++) {
            record(expected.get(i), requested(1, T.minusSeconds(i / 3)));
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> list(ALL).size() == 12);

        List<BuildKey> seen = new ArrayList<>();
        Optional<String> next = Optional.empty();
        do {
            Page page = get(catalog.list(ALL, 5, next));
            page.builds().forEach(row -> seen.add(row.status().key()));
            if (next.isEmpty()) {
                record(key("newer", "linux/amd64"), requested(1, T.plusSeconds(9)));
                await1(key("newer", "linux/amd64"), Phase.QUEUED);
            }
            next = page.next();
        } while (next.isPresent());

        assertThat(seen).isEqualTo(expected);
        assertThat(get(catalog.list(filter("team/appa", null, null, null), 1, Optional.empty()))
                        .next())
                .as("a page that is just full is the last")
                .isEmpty();
    }

    @Test
    void aListIsNarrowedByEachField() {
        startProjection();
        BuildKey built = key("team/app", "linux/amd64");
        BuildKey queued = key("team/app", "linux/arm64");
        BuildKey other = BuildKey.of("other@" + "f".repeat(40) + "@linux/amd64");
        record(
                built,
                requested(1, T),
                new BuildEvent.AttemptStarted(1, 1, 1, "n", T),
                new BuildEvent.Built(1, 1, MANIFEST, T));
        record(queued, requested(1, T.minusSeconds(1)));
        record(other, requested(1, T.minusSeconds(2)));
        await1(built, Phase.BUILT);
        await1(queued, Phase.QUEUED);
        await1(other, Phase.QUEUED);

        assertThat(list(filter("team/app", null, null, null)))
                .extracting(row -> row.status().key())
                .containsExactly(built, queued);
        assertThat(list(filter(null, "0123", null, null)))
                .extracting(row -> row.status().key())
                .containsExactly(built, queued);
        assertThat(list(filter(null, "f".repeat(40), null, null)))
                .extracting(row -> row.status().key())
                .containsExactly(other);
        assertThat(list(filter(null, null, "linux/arm64/v8", null)))
                .extracting(row -> row.status().key())
                .containsExactly(queued);
        assertThat(list(filter(null, null, null, Phase.QUEUED)))
                .extracting(row -> row.status().key())
                .containsExactly(queued, other);
        assertThat(list(filter("team/app", "0123", "linux/amd64", Phase.QUEUED)))
                .isEmpty();
        assertThat(list(filter("' OR '1'='1", null, null, null))).isEmpty();
    }

    static Stream<String> notPages() {
        return Stream.of(
                "",
                "%%%",
                "a",
                "\u00e9",
                "x".repeat(5000),
                encoded("x"),
                encoded("1 app"),
                encoded("-5 " + key("app", "linux/amd64")),
                encoded("999999999999999999 " + key("app", "linux/amd64")),
                encoded("12" + key("app", "linux/amd64")));
    }

    private static String encoded(String text) {
        return Base64.getUrlEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    @ParameterizedTest
    @MethodSource("notPages")
    void whatIsNoPageIsRefused(String after) {
        assertRefused(catalog.list(ALL, 10, Optional.of(after)), ProblemCode.REQUEST_INVALID);
    }

    @Test
    void whatCannotBeAskedIsRefused() {
        assertRefused(catalog.list(ALL, 0, Optional.empty()), ProblemCode.REQUEST_INVALID);
        assertRefused(catalog.list(ALL, 1001, Optional.empty()), ProblemCode.REQUEST_INVALID);
        assertRefused(catalog.list(filter(null, "%", null, null), 1, Optional.empty()), ProblemCode.REQUEST_INVALID);
        assertThat(get(catalog.list(ALL, 1, Optional.of(encoded("99999999999999999 " + key("app", "linux/amd64")))))
                        .builds())
                .as("the latest time a page can begin at")
                .isEmpty();
    }

    @Test
    void aBusyOrBrokenDatabaseIsAnAnswerToo() {
        assertRefused(
                new JdbcBuildCatalog(pool, task -> {
                            throw new RejectedExecutionException("full");
                        })
                        .list(ALL, 1, Optional.empty()),
                ProblemCode.UNAVAILABLE);
        assertRefused(
                new JdbcBuildCatalog(
                                () -> {
                                    throw new SQLException("no connection to secret-host");
                                },
                                Runnable::run)
                        .find(key("app", "linux/amd64")),
                ProblemCode.UNAVAILABLE);
    }

    private static void assertRefused(CompletionStage<?> stage, ProblemCode code) {
        assertThatThrownBy(() -> get(stage)).cause().isInstanceOfSatisfying(Problem.class, problem -> {
            assertThat(problem.code()).isEqualTo(code);
            assertThat(problem.getMessage()).doesNotContain("secret-host");
        });
    }

    @Test
    void eventsAreShownAsTheyAreStored() {
        BuildKey key = key("team/app", "linux/amd64");
        record(key, requested(1, T), new BuildEvent.AttemptStarted(1, 1, 5, "node-1", T.plusSeconds(1)));
        record(key("team/app", "linux/arm64"), requested(1, T));

        List<JsonNode> events = get(catalog.events(key));

        assertThat(events).hasSize(2);
        assertThat(events.get(0).path("seq").asLong()).isEqualTo(1);
        assertThat(events.get(0).path("t").asText()).isEqualTo("requested");
        assertThat(events.get(0).path("at").asText()).isEqualTo(T.toString());
        assertThat(events.get(0).at("/cause/client").asText()).isEqualTo("docker/29");
        assertThat(Instant.parse(events.get(0).path("timestamp").asText())).isAfter(T.minus(Duration.ofDays(3650)));
        assertThat(events.get(1).path("seq").asLong()).isEqualTo(2);
        assertThat(events.get(1).path("worker").asText()).isEqualTo("node-1");
        assertThat(get(catalog.events(key("nothing", "linux/amd64")))).isEmpty();
    }

    @Test
    void anEventThatTheQueryByTagMissedIsAppliedWithTheNext() throws SQLException {
        BuildKey key = key("team/app", "linux/amd64");
        record(key, requested(1, T), new BuildEvent.AttemptStarted(1, 1, 5, "node-1", T.plusSeconds(1)));
        execute("DELETE FROM event_tag");
        record(key, new BuildEvent.Built(1, 5, MANIFEST, T.plusSeconds(2)));

        startProjection();

        Row row = await1(key, Phase.BUILT);
        assertThat(row.worker()).isEqualTo("node-1");
        assertThat(row.status().requestedAt()).contains(T);
    }

    @Test
    void aValueThatDoesNotFitIsCutAndHoldsNothingUp() {
        startProjection();
        BuildKey key = key("team/app", "linux/amd64");
        record(
                key,
                requested(1, T),
                new BuildEvent.AttemptStarted(1, 1, 5, "w".repeat(2000), T),
                new BuildEvent.Failed(1, FailureClass.SOURCE, "a\0b" + "m".repeat(5000), Optional.empty(), T));

        Row row = await1(key, Phase.FAILED);
        assertThat(row.worker()).hasSize(512);
        assertThat(row.status().failure().orElseThrow().message())
                .startsWith("a?bm")
                .hasSize(1024);
    }

    @Test
    void theSameRowsComeOutOfTheJournalAgain() throws SQLException {
        startProjection();
        for (String platform : List.of("linux/amd64", "linux/arm64", "linux/s390x", "linux/riscv64", "windows/amd64")) {
            BuildKey key = key("team/app", platform);
            record(key, requested(1, T), new BuildEvent.AttemptStarted(1, 1, 1, "n", T));
            record(key, new BuildEvent.Built(1, 1, MANIFEST, T.plusSeconds(3)));
            await1(key, Phase.BUILT);
        }
        List<Row> before = list(ALL);

        stopNode();
        startNode();
        execute("UPDATE builds SET worker = 'a lie'");
        execute("DELETE FROM builds WHERE platform = 'linux/amd64'");
        BuildProjection.reset(pool);
        assertThat(list(ALL)).isEmpty();
        startProjection();

        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(list(ALL)).isEqualTo(before));
    }
}
