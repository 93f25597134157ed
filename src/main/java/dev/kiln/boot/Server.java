package dev.kiln.boot;

import akka.Done;
import akka.actor.CoordinatedShutdown;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.SharedFolder;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.catalog.BuildProjection;
import dev.kiln.catalog.CachedBuildHistory;
import dev.kiln.catalog.JdbcBuildCatalog;
import dev.kiln.client.HintTokens;
import dev.kiln.client.HopSigner;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.LoadedConfig;
import dev.kiln.http.HttpServer;
import dev.kiln.http.HttpServices;
import dev.kiln.image.DockerTypedImages;
import dev.kiln.image.PullImages;
import dev.kiln.image.ShardedTags;
import dev.kiln.journal.CannotStart;
import dev.kiln.journal.DataDirLock;
import dev.kiln.journal.DatabaseWatch;
import dev.kiln.journal.JdbcClusterSecret;
import dev.kiln.journal.OnlyNode;
import dev.kiln.journal.Pool;
import dev.kiln.journal.Schema;
import dev.kiln.source.DemoRepository;
import dev.kiln.source.GitSources;
import dev.kiln.source.ShardedSources;
import dev.kiln.worker.Worker;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * One running node: everything wired together, in the order in which it depends on each other. Tests and the command line
 * start it in the same way.
 */
public final class Server implements AutoCloseable {
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);

    /** Why the node shuts itself down. */
    private record Fault(String text) implements CoordinatedShutdown.Reason {}

    private final ActorSystem<?> system;
    private final HttpServer http;
    private final List<String> notes;
    private final CompletableFuture<String> fault;

    private Server(ActorSystem<?> system, HttpServer http, List<String> notes, CompletableFuture<String> fault) {
        this.fault = fault;
        this.system = system;
        this.http = http;
        this.notes = List.copyOf(notes);
    }

    /**
     * Starts a node and returns when it answers.
     *
     * @throws CannotStart when it cannot; the message says why and what to do, and nothing is left running
     */
    public static Server start(LoadedConfig loaded) {
        KilnConfig config = loaded.kiln();
        Resources resources = new Resources();
        try {
            resources.add(DataDirLock.take(config.dataDir()));
            OnlyNode claim = resources.add(OnlyNode.claim(config.database()));
            Schema.migrate(config.database());
            claim.sign();
            config.demoRepository().ifPresent(Server::createDemo);
            SharedFolder folder = resources.add(
                    usable("store.dir", config.store().dir(), dir -> SharedFolder.open(dir, Clock.systemUTC())));
            Disks disks = Disks.of(config, folder.content());
            Builders builders =
                    resources.add(usable("work-dir", config.workDir(), dir -> Builders.prepare(config, disks)));
            GitSources git =
                    resources.add(new GitSources(config, disks.intake().blobs(), disks.dataDir(), Clock.systemUTC()));

            ActorSystem<Void> system = ActorSystem.create(Behaviors.empty(), "kiln", loaded.akka());
            try {
                CompletableFuture<String> fault = new CompletableFuture<>();
                Pool pool = Pool.of(system);
                DatabaseWatch watch =
                        resources.add(DatabaseWatch.start(claim, onWatch(pool, fault), Clock.systemUTC()));
                HttpServer http = wire(system, config, folder, disks, builders, git, pool, watch);
                system.getWhenTerminated().whenComplete((done, failure) -> resources.close());
                return new Server(system, http, builders.lacks(), fault);
            } catch (RuntimeException e) {
                system.terminate();
                system.getWhenTerminated().toCompletableFuture().join();
                throw e;
            }
        } catch (RuntimeException e) {
            resources.close();
            throw e;
        }
    }

    private interface Opening<T> {
        T open(Path directory) throws IOException;
    }

    private static <T> T usable(String key, Path directory, Opening<T> opening) {
        try {
            return opening.open(directory);
        } catch (IOException e) {
            throw new CannotStart(
                    "cannot use " + key + " " + directory + " (" + e.getClass().getSimpleName() + ": " + e.getMessage()
                            + "); give it a folder that this user can write",
                    e);
        }
    }

    private static void createDemo(Path directory) {
        try {
            DemoRepository.createIfAbsent(directory);
        } catch (IOException e) {
            throw new CannotStart("could not create the demonstration's git repository: " + e.getMessage(), e);
        }
    }

    private static DatabaseWatch.Listener onWatch(Pool pool, CompletableFuture<String> fault) {
        return new DatabaseWatch.Listener() {
            @Override
            public void forgetConnections() {
                pool.forgetConnections();
            }

            @Override
            public void lost() {
                fault.complete("another node has used the database while it was away from this one, or it was restored;"
                        + " this version runs one node");
            }
        };
    }

    private static HttpServer wire(
            ActorSystem<Void> system,
            KilnConfig config,
            SharedFolder folder,
            Disks disks,
            Builders builders,
            GitSources git,
            Pool pool,
            DatabaseWatch watch) {
        Clock clock = Clock.systemUTC();
        ContentStore store = folder.content();
        Executor storeExecutor = system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-store-dispatcher"));
        Executor gitExecutor = system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-git-dispatcher"));
        Executor buildExecutor = system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-build-dispatcher"));
        Executor catalogExecutor =
                system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-catalog-dispatcher"));
        Supplier<Optional<String>> databaseAway = () -> watch.away().map(DatabaseWatch.Away::text);
        byte[] secret = config.secret()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .orElseGet(() -> new JdbcClusterSecret(pool).get("hop"));

        Cluster cluster = Cluster.get(system);
        cluster.manager().tell(Join.create(cluster.selfMember().address()));

        ShardedBuilds builds = ShardedBuilds.init(system, config, clock);
        ShardedTags tags = ShardedTags.init(system, store, storeExecutor, clock);
        ShardedSources sources = ShardedSources.init(system, git, gitExecutor);
        BuildProjection.init(system, pool, BuildEntity.TAGS);
        JdbcBuildCatalog catalog = new JdbcBuildCatalog(watch.unlessAway(pool), catalogExecutor);
        BuildHistory history = new CachedBuildHistory(catalog::usualTimes);

        CompletableFuture<PullImages> images = new CompletableFuture<>();
        system.systemActorOf(
                Behaviors.setup((ActorContext<Void> context) -> {
                    images.complete(new PullImages(
                            config,
                            tags,
                            sources,
                            builds,
                            history,
                            store,
                            storeExecutor,
                            new HopSigner(secret),
                            databaseAway,
                            clock,
                            context));
                    return Behaviors.empty();
                }),
                "images",
                Props.empty());
        if (config.roles().contains(KilnConfig.Role.BUILDER)) {
            system.systemActorOf(
                    VitalActor.create(
                            builders.worker(config, disks, folder.logs(), builds, buildExecutor),
                            "worker",
                            worker -> handBackOnShutdown(system, worker),
                            () -> CoordinatedShutdown.get(system)
                                    .runAll(new Fault("its worker has failed, see the log before this"))),
                    "worker",
                    Props.empty());
        }
        HttpServices services = new HttpServices(
                new DockerTypedImages(images.join(), store, storeExecutor),
                builds,
                catalog,
                history,
                store,
                folder.logs(),
                storeExecutor,
                clock,
                new HintTokens(secret, clock),
                () -> cluster.selfMember().status() == MemberStatus.up()
                        ? databaseAway.get()
                        : Optional.of("the node is not a member of its cluster yet"));
        try {
            return HttpServer.start(system, config, services)
                    .toCompletableFuture()
                    .get(START_TIMEOUT.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new CannotStart(
                    "could not listen on " + config.http().host() + ":"
                            + config.http().port() + " and "
                            + config.admin().host() + ":" + config.admin().port()
                            + "; is another server using one of them? (" + root(e).getMessage() + ")",
                    e);
        } catch (TimeoutException | InterruptedException e) {
            throw new CompletionException(e);
        }
    }

    private static Throwable root(Throwable failure) {
        Throwable cause = failure;
        while (cause.getCause() != null) {
            cause = cause.getCause();
        }
        return cause;
    }

    /** Before the node leaves, its builds are ended and given back, so that another node takes them at once. */
    private static void handBackOnShutdown(ActorSystem<Void> system, ActorRef<Worker.Message> worker) {
        CoordinatedShutdown.get(system)
                .addTask(
                        CoordinatedShutdown.PhaseServiceStop(),
                        "hand-back-builds",
                        () -> AskPattern.<Worker.Message, Done>ask(
                                worker, Worker.HandBack::new, Duration.ofSeconds(25), system.scheduler()));
    }

    public HttpServer http() {
        return http;
    }

    /** Sentences for the operator: what this machine does not allow. */
    public List<String> notes() {
        return notes;
    }

    /**
     * Completes when the node has ended, or must: with one line that says why, empty when somebody asked for it. Who started
     * it then ends the process, at once and without {@link #close}.
     */
    public CompletableFuture<Optional<String>> ended() {
        CompletableFuture<Optional<String>> ended = system.getWhenTerminated()
                .<Optional<String>>thenApply(done ->
                        CoordinatedShutdown.get(system).getShutdownReason().flatMap(Server::fault))
                .toCompletableFuture();
        return ended.applyToEither(fault.thenApply(Optional::of), Function.identity());
    }

    private static Optional<String> fault(CoordinatedShutdown.Reason reason) {
        if (reason instanceof Fault fault) {
            return Optional.of(fault.text());
        }
        return reason.equals(CoordinatedShutdown.clusterDowningReason())
                ? Optional.of("the cluster has removed this node, which it could not reach")
                : Optional.empty();
    }

    /** Ends the node in good order and waits for that. */
    @Override
    public void close() {
        CoordinatedShutdown.get(system)
                .runAll(CoordinatedShutdown.unknownReason())
                .toCompletableFuture()
                .join();
    }
}
