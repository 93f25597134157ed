package dev.kiln.testing;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.persistence.testkit.PersistenceTestKitPlugin;
import akka.persistence.testkit.PersistenceTestKitSnapshotPlugin;
import akka.persistence.testkit.ProcessingSuccess;
import akka.persistence.testkit.WriteEvents;
import akka.persistence.testkit.javadsl.PersistenceTestKit;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.SettlingContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildTimes;
import dev.kiln.build.Cause;
import dev.kiln.build.FailureClass;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.client.Hint;
import dev.kiln.client.HopSigner;
import dev.kiln.client.WaitPlan;
import dev.kiln.config.ClusterConfig;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.NamePattern;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.image.Dedup;
import dev.kiln.image.Pull;
import dev.kiln.image.PullAnswer;
import dev.kiln.image.PullImages;
import dev.kiln.image.ShardedTags;
import dev.kiln.image.TagEvent;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageForm;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.source.Meaning;
import dev.kiln.source.SourceArchive;
import dev.kiln.source.Sources.ArchiveAnswer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicReference;
import org.awaitility.Awaitility;

/**
 * One node with real entities, queue and store, a journal in memory, a scripted source and a scripted worker: everything
 * between a pull and its answer but git and builders. Its clock stands still until a test moves it.
 */
public final class PullBench implements AutoCloseable {
    public static final Platform AMD = Platform.of("linux/amd64");
    public static final Platform ARM = Platform.of("linux/arm64");
    public static final RepositoryName APP = new RepositoryName("team/app");
    public static final Revision REVISION = new Revision("0123456789".repeat(4));
    /** Asks and subscriptions are short, since in real time. */
    private static final KilnConfig.Queue QUEUE =
            new KilnConfig.Queue(100, 100, Duration.ofMinutes(2), Duration.ofMillis(100));

    public final SettableClock clock = new SettableClock(Instant.parse("2026-11-23T10:00:00Z"));
    public final ScriptedSources sources = new ScriptedSources();
    /** What the node knows of its database; the journal itself is always there. */
    public final AtomicReference<Optional<String>> databaseAway = new AtomicReference<>(Optional.empty());

    /** What this bench's builds usually take; at first, nobody knows. */
    public final Map<Platform, BuildTimes> usual = new ConcurrentHashMap<>();

    private final BuildHistory history = new BuildHistory() {
        @Override
        public Map<Platform, BuildTimes> known(RepositoryName repository) {
            return usual;
        }

        @Override
        public CompletionStage<Map<Platform, BuildTimes>> times(RepositoryName repository) {
            return CompletableFuture.completedFuture(usual);
        }
    };
    private final KilnConfig.Queue queue;
    private final ActorTestKit testKit;
    private final ExecutorService blocking = Executors.newFixedThreadPool(8);
    private final SharedFolder folder;
    private final ShardedTags tags;
    private final ShardedBuilds builds;
    private final Map<Platform, CompletableFuture<Result>> endings = new ConcurrentHashMap<>();
    private final HopSigner signer = new HopSigner("0123456789abcdef".getBytes(StandardCharsets.UTF_8));

    /** Of every pull that names no other. */
    public static final WaitPlan PLAN = Plans.plan(Duration.ofSeconds(25), Duration.ofSeconds(60));

    private PullBench(Path directory, RepositoryConfig repository, KilnConfig.Queue queue, Config config)
            throws IOException {
        this.queue = queue;
        folder = SharedFolder.open(directory, clock);
        testKit = ActorTestKit.create(
                "pulls",
                config.withFallback(PersistenceTestKitPlugin.config())
                        .withFallback(PersistenceTestKitSnapshotPlugin.config())
                        .withFallback(ConfigFactory.parseString("akka.coordinated-shutdown { exit-jvm = off,"
                                + " run-by-actor-system-terminate = off, run-by-jvm-shutdown-hook = off }"))
                        .withFallback(ConfigFactory.parseResources("kiln-akka.conf"))
                        .withFallback(ConfigFactory.load())
                        .resolve());
        Cluster cluster = Cluster.get(testKit.system());
        cluster.manager().tell(Join.create(cluster.selfMember().address()));
        Awaitility.await().until(() -> cluster.selfMember().status() == MemberStatus.up());
        tags = ShardedTags.init(testKit.system(), folder.content(), blocking, clock);
        builds = ShardedBuilds.init(testKit.system(), config(repository, queue), clock);
        testKit.spawn(ScriptedWorker.create(
                builds,
                queue.ask(),
                key -> endings.computeIfAbsent(key.platform(), unused -> new CompletableFuture<>())));
        sources.archives(
                REVISION,
                new ArchiveAnswer.Archived(
                        new SourceArchive(Digest.sha256(new byte[0]), 0, 0), "https://git.example.com/team/app.git"));
    }

    public static PullBench start(Path directory, RepositoryConfig repository) throws IOException {
        return start(directory, repository, QUEUE);
    }

    public static PullBench start(Path directory, RepositoryConfig repository, KilnConfig.Queue queue)
            throws IOException {
        return new PullBench(directory, repository, queue, ConfigFactory.empty());
    }

    /** Whose entities stop as soon as nobody talks to them, and recover when somebody does. */
    public static PullBench startForgetful(Path directory, RepositoryConfig repository) throws IOException {
        return new PullBench(
                directory,
                repository,
                QUEUE,
                ConfigFactory.parseString("akka.cluster.sharding.passivation {"
                        + " strategy = default-idle-strategy, default-idle-strategy.idle-entity.timeout = 300ms }"));
    }

    /** Two platforms, amd64 the default; twenty seconds to partial, a hop of 25 s, patience of 60 s. */
    public static RepositoryConfig repository(RepositoryConfig.AnswerWhen answerWhen, RepositoryConfig.Start start) {
        return repository(List.of(AMD, ARM), answerWhen, start, Duration.ofSeconds(25));
    }

    public static RepositoryConfig repository(
            List<Platform> platforms,
            RepositoryConfig.AnswerWhen answerWhen,
            RepositoryConfig.Start start,
            Duration hop) {
        return new RepositoryConfig(
                new NamePattern("team/*"),
                Optional.of(new RepositoryConfig.GitSourceConfig(
                        "https://git.example.com/{name}.git",
                        List.of("refs/heads/*"),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(20),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty())),
                platforms,
                Optional.of(platforms.get(0)),
                Optional.of("make"),
                start,
                answerWhen,
                Duration.ofSeconds(20),
                hop,
                hop.multipliedBy(12).dividedBy(5),
                Plans.plans(hop, hop.multipliedBy(12).dividedBy(5)),
                new RepositoryConfig.Build(
                        Duration.ofMinutes(30), 1, Duration.ofHours(1), Duration.ofSeconds(5), 1 << 20, 1 << 20),
                false);
    }

    public static KilnConfig config(RepositoryConfig repository) {
        return config(repository, QUEUE);
    }

    private static KilnConfig config(RepositoryConfig repository, KilnConfig.Queue queue) {
        return new KilnConfig(
                Set.of(KilnConfig.Role.REGISTRY),
                Path.of("/nowhere/data"),
                Path.of("/nowhere/work"),
                0,
                Optional.empty(),
                new KilnConfig.Database("jdbc:h2:mem:", "", "", 1),
                new KilnConfig.Store(Path.of("/nowhere/store"), 0, Duration.ZERO),
                new KilnConfig.Http("127.0.0.1", 0, Optional.empty(), List.of()),
                new KilnConfig.Admin("127.0.0.1", 0),
                new KilnConfig.Cache(Duration.ofSeconds(10), Duration.ofSeconds(2), 1 << 20),
                List.of(repository),
                Map.of(),
                new KilnConfig.Worker(1, List.of("*"), List.of("*"), 60000, Duration.ofSeconds(1)),
                queue,
                new KilnConfig.Experimental(false),
                new KilnConfig.Hints(false),
                ClusterConfig.ALONE,
                new ClusterConfig.Leaving(Duration.ZERO, Duration.ZERO),
                new KilnConfig.Push(Duration.ofHours(1), Duration.ofHours(24), Duration.ofHours(1), 1000, false));
    }

    /** Of all nodes. */
    public final Dedup dedup = new Dedup();

    /** A node's images, with empty caches. */
    public PullImages images(RepositoryConfig repository) {
        CompletableFuture<PullImages> images = new CompletableFuture<>();
        Behavior<Void> owner = Behaviors.setup(context -> {
            images.complete(new PullImages(
                    config(repository, queue),
                    tags,
                    sources,
                    builds,
                    history,
                    SettlingContent.ofOneNode(folder.content(), blocking),
                    signer,
                    dedup,
                    databaseAway::get,
                    clock,
                    context));
            return Behaviors.empty();
        });
        testKit.spawn(owner);
        return images.join();
    }

    /** Nothing is recorded until {@code goesOn} is at zero. */
    public void recordsNothingUntil(CountDownLatch goesOn) {
        PersistenceTestKit.create(testKit.system()).withPolicy((id, operation) -> {
            if (operation instanceof WriteEvents) {
                try {
                    goesOn.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
            return ProcessingSuccess.getInstance();
        });
    }

    /** Git says that {@code tag} means {@link #REVISION}, from now on. */
    public void means(String tag) {
        sources.says(tag, found(tag));
    }

    /** As {@link #means(String)}, when all refs of the source are {@code refs}. */
    public void means(String tag, String refs) {
        sources.says(tag, found(tag, Optional.of(Digest.sha256(refs.getBytes(StandardCharsets.UTF_8)))));
    }

    public Meaning.Found found(String tag) {
        return found(tag, Optional.empty());
    }

    private Meaning.Found found(String tag, Optional<Digest> refs) {
        return new Meaning.Found(
                REVISION, "refs/heads/" + tag, "https://git.example.com/team/app.git", clock.instant(), refs);
    }

    public static Pull pull(String tag) {
        return pull(tag, Optional.empty(), Optional.empty(), true);
    }

    public static Pull pull(String tag, Platform hint) {
        return pull(tag, Optional.of(new Hint(hint, true, "?platform=")), Optional.empty(), true);
    }

    public static Pull pull(String tag, Optional<Hint> hint, Optional<String> hop, boolean acceptsIndex) {
        return pull(tag, hint, hop, acceptsIndex, PLAN);
    }

    public static Pull pull(
            String tag, Optional<Hint> hint, Optional<String> hop, boolean acceptsIndex, WaitPlan plan) {
        return pull(tag, hint, hop, acceptsIndex ? ImageForm.INDEX : ImageForm.MANIFEST, plan);
    }

    public static Pull pull(String tag, Optional<Hint> hint, Optional<String> hop, ImageForm form) {
        return pull(tag, hint, hop, form, PLAN);
    }

    public static Pull pull(String tag, Optional<Hint> hint, Optional<String> hop, ImageForm form, WaitPlan plan) {
        return new Pull(
                APP,
                new Tag(tag),
                hint,
                hop,
                form,
                plan,
                new CompletableFuture<>(),
                () -> new Cause("test", "192.0.2.1", "", tag),
                Optional.empty());
    }

    /** The attempts for this platform end well, now and from now on. */
    public void succeeds(Platform platform) {
        ends(platform, new Result.Succeeded(publish(platform)));
    }

    /** The attempts for this platform end with this manifest, now and from now on. */
    public void succeeds(Platform platform, String mediaType, String manifest) {
        ends(platform, new Result.Succeeded(publish(APP, mediaType, manifest)));
    }

    /** The attempts for this platform fail by the source's fault, now and from now on. */
    public void fails(Platform platform) {
        ends(platform, new Result.Failed(FailureClass.SOURCE, "the command ended with exit code 2"));
    }

    private void ends(Platform platform, Result result) {
        CompletableFuture<Result> before = endings.put(platform, CompletableFuture.completedFuture(result));
        if (before != null) {
            before.complete(result);
        }
    }

    /** Attempts for this platform that start from now on end when a test says so. */
    public void isStillToBuild(Platform platform) {
        endings.remove(platform);
    }

    private Descriptor publish(Platform platform) {
        return publish(APP, platform);
    }

    /** Makes what an attempt for this platform leaves known in another repository too. */
    public Descriptor publish(RepositoryName repository, Platform platform) {
        String digest = Digest.sha256(platform.toString().getBytes(StandardCharsets.UTF_8))
                .value();
        return publish(repository, MediaTypes.OCI_MANIFEST, """
                {"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"%s","digest":"%s","size":7},
                "layers":[{"mediaType":"%s","digest":"%s","size":8}],"annotations":{"platform":"%s"}}""".formatted(
                MediaTypes.OCI_MANIFEST, MediaTypes.OCI_CONFIG, digest, MediaTypes.OCI_LAYER_GZIP, digest, platform));
    }

    private Descriptor publish(RepositoryName repository, String mediaType, String manifest) {
        try {
            return folder.content()
                    .publishManifest(repository, mediaType, manifest.getBytes(StandardCharsets.UTF_8), "test");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Events of one build, in order. */
    public List<BuildEvent> journal(Platform platform) {
        return journal(APP, platform);
    }

    private List<BuildEvent> journal(RepositoryName repository, Platform platform) {
        BuildKey key = new BuildKey(repository, REVISION, platform);
        return PersistenceTestKit.create(testKit.system())
                .persistedInStorage(BuildEntity.persistenceId(key).id())
                .stream()
                .map(BuildEvent.class::cast)
                .toList();
    }

    public List<Object> journal(String persistenceId) {
        return PersistenceTestKit.create(testKit.system()).persistedInStorage(persistenceId);
    }

    /** How many attempts of a platform were started, ever. */
    public long attempts(Platform platform) {
        return attempts(APP, platform);
    }

    public long attempts(RepositoryName repository, Platform platform) {
        return journal(repository, platform).stream()
                .filter(BuildEvent.AttemptStarted.class::isInstance)
                .count();
    }

    /** How many indexes of a repository's revision were composed, ever. */
    public long indexes(RepositoryName repository) {
        return journal("Tag|" + repository + ":" + REVISION.value()).stream()
                .filter(TagEvent.IndexComposed.class::isInstance)
                .count();
    }

    public void awaitAttempt(Platform platform) {
        Awaitility.await().until(() -> attempts(platform) > 0);
    }

    /** The answer, which must be one with content. */
    public static PullAnswer.Served served(PullAnswer answer) {
        if (answer instanceof PullAnswer.Served served) {
            return served;
        }
        throw new AssertionError("not served but " + answer);
    }

    public ActorSystem<?> system() {
        return testKit.system();
    }

    public ContentStore content() {
        return folder.content();
    }

    public ExecutorService blocking() {
        return blocking;
    }

    public ShardedBuilds builds() {
        return builds;
    }

    @Override
    public void close() throws IOException {
        ActorTestKit.shutdown(testKit.system(), Duration.ofSeconds(60));
        blocking.shutdownNow();
        folder.close();
    }
}
