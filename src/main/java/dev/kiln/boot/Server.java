package dev.kiln.boot;

import akka.actor.Address;
import akka.actor.BootstrapSetup;
import akka.actor.CoordinatedShutdown;
import akka.actor.setup.ActorSystemSetup;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.stream.SystemMaterializer;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueFactory;
import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.PatientBlobStore;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SettlingContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.StoreId;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.catalog.BuildProjection;
import dev.kiln.catalog.CachedBuildHistory;
import dev.kiln.catalog.JdbcBuildCatalog;
import dev.kiln.catalog.JdbcRepositoryNames;
import dev.kiln.catalog.RepositoryProjection;
import dev.kiln.client.HintTokens;
import dev.kiln.client.HopSigner;
import dev.kiln.cluster.ClusterLogs;
import dev.kiln.cluster.DatabaseDesk;
import dev.kiln.cluster.Ending;
import dev.kiln.cluster.JoinSetup;
import dev.kiln.cluster.Membership;
import dev.kiln.cluster.PublicationDesk;
import dev.kiln.cluster.Terms;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.LoadedConfig;
import dev.kiln.http.HttpServer;
import dev.kiln.http.HttpServices;
import dev.kiln.http.registry.Pushing;
import dev.kiln.image.Dedup;
import dev.kiln.image.DockerTypedImages;
import dev.kiln.image.PullImages;
import dev.kiln.image.PushedImages;
import dev.kiln.image.ShardedTags;
import dev.kiln.journal.CannotStart;
import dev.kiln.journal.DataDirLock;
import dev.kiln.journal.DatabaseClaim;
import dev.kiln.journal.DatabaseWatch;
import dev.kiln.journal.JdbcClusterSecret;
import dev.kiln.journal.Pool;
import dev.kiln.journal.Schema;
import dev.kiln.repository.Collector;
import dev.kiln.repository.PromptUnlinker;
import dev.kiln.repository.Pushes;
import dev.kiln.repository.RepositoryEntity;
import dev.kiln.repository.ShardedRepositories;
import dev.kiln.source.DemoRepository;
import dev.kiln.source.GitSources;
import dev.kiln.source.ShardedSources;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
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
    private static final String SYSTEM = "kiln";
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);

    /** Why the node shuts itself down. */
    private record Fault(Ending ending) implements CoordinatedShutdown.Reason {}

    private final ActorSystem<?> system;
    private final HttpServer http;
    private final List<String> notes;
    private final CompletableFuture<Ending> ending;

    private Server(ActorSystem<?> system, HttpServer http, List<String> notes, CompletableFuture<Ending> ending) {
        this.ending = ending;
        this.system = system;
        this.http = http;
        this.notes = List.copyOf(notes);
    }

    /** What every node has, whatever it does. */
    private record Node(
            ActorSystem<Void> system,
            KilnConfig config,
            SharedFolder folder,
            Disks disks,
            Builders builders,
            Membership membership,
            Departure departure) {
        Optional<String> notReady() {
            return departure.notReady().or(membership::notReady);
        }
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
            Optional<DatabaseClaim> claim = claim(config, resources);
            config.demoRepository().ifPresent(Server::createDemo);
            SharedFolder folder = resources.add(
                    usable("store.dir", config.store().dir(), dir -> SharedFolder.open(dir, Clock.systemUTC())));
            Disks disks = Disks.of(config, folder.content());
            Builders builders =
                    resources.add(usable("work-dir", config.workDir(), dir -> Builders.prepare(config, disks)));
            CompletableFuture<Ending> ending = new CompletableFuture<>();
            String name = NodeName.of(config.dataDir());
            Terms terms = terms(loaded);
            ActorSystem<Void> system = ActorSystem.create(
                    Behaviors.empty(),
                    SYSTEM,
                    ActorSystemSetup.create(
                            BootstrapSetup.create(withRole(loaded.akka(), name)),
                            new JoinSetup(claim, terms, ending::complete)));
            try {
                Departure departure = Departure.plan(system, config, ending::complete);
                Membership membership = Membership.begin(system, config, name, terms, ending::complete);
                Node node = new Node(system, config, folder, disks, builders, membership, departure);
                HttpServer http;
                if (claim.isPresent()) {
                    GitSources git = resources.add(
                            new GitSources(config, disks.intake().blobs(), disks.dataDir(), Clock.systemUTC()));
                    Pool pool = Pool.of(system);
                    DatabaseWatch watch =
                            resources.add(DatabaseWatch.start(claim.get(), onWatch(pool, ending), Clock.systemUTC()));
                    http = wireRegistry(node, git, pool, watch);
                } else {
                    http = wireBuilder(node);
                }
                system.getWhenTerminated().whenComplete((done, failure) -> resources.close());
                return new Server(system, http, builders.lacks(), ending);
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

    /** Brings the database to this program's schema and claims it, in the name of this node or of its cluster. */
    private static Optional<DatabaseClaim> claim(KilnConfig config, Resources resources) {
        if (!config.roles().contains(KilnConfig.Role.REGISTRY)) {
            return Optional.empty();
        }
        boolean alone = config.cluster().discovery().isEmpty();
        DatabaseClaim claim = alone
                ? DatabaseClaim.alone(config.database())
                : DatabaseClaim.shared(
                        config.database(),
                        new Address(
                                        "akka",
                                        SYSTEM,
                                        config.cluster().host(),
                                        config.cluster().port())
                                .hostPort());
        resources.add(claim);
        Schema.migrate(config.database());
        if (alone) {
            claim.sign();
        }
        return Optional.of(claim);
    }

    private static Terms terms(LoadedConfig loaded) {
        KilnConfig config = loaded.kiln();
        String store = usable("store.dir", config.store().dir(), StoreId::of);
        return Terms.of(config, loaded.akka(), store);
    }

    /** By its roles a node's name is known to all members. */
    private static Config withRole(Config akka, String name) {
        List<String> roles = new ArrayList<>(akka.getStringList("akka.cluster.roles"));
        roles.add(name);
        return akka.withValue("akka.cluster.roles", ConfigValueFactory.fromIterable(roles));
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

    private static DatabaseWatch.Listener onWatch(Pool pool, CompletableFuture<Ending> ending) {
        return new DatabaseWatch.Listener() {
            @Override
            public void forgetConnections() {
                pool.forgetConnections();
            }

            @Override
            public void lost() {
                ending.complete(Ending.failed(
                        "another node has used the database while it was away from this one, or it was restored"));
            }
        };
    }

    private static HttpServer wireRegistry(Node node, GitSources git, Pool pool, DatabaseWatch watch) {
        ActorSystem<Void> system = node.system();
        KilnConfig config = node.config();
        SharedFolder folder = node.folder();
        Clock clock = Clock.systemUTC();
        ContentStore store = folder.content();
        Executor storeExecutor = system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-store-dispatcher"));
        Executor gitExecutor = system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-git-dispatcher"));
        Executor catalogExecutor =
                system.dispatchers().lookup(DispatcherSelector.fromConfig("kiln-catalog-dispatcher"));
        Supplier<Optional<String>> databaseAway = () -> watch.away().map(DatabaseWatch.Away::text);
        byte[] secret = config.secret()
                .map(text -> text.getBytes(StandardCharsets.UTF_8))
                .orElseGet(() -> new JdbcClusterSecret(pool).get("hop"));

        if (config.cluster().discovery().isPresent()) {
            DatabaseDesk.open(
                    system,
                    () -> watch.away().isPresent(),
                    () -> leave(
                            system,
                            Ending.removed("the database is out of reach of this node, and within that of others")));
        }
        SettlingContent content = settling(node, storeExecutor);
        BuildLogs logs = logs(node);
        ShardedBuilds builds = ShardedBuilds.init(system, config, clock);
        ShardedTags tags = ShardedTags.init(system, store, storeExecutor, clock);
        ShardedSources sources = ShardedSources.init(system, git, gitExecutor);
        Pushing pushing = pushing(node, sources, content, storeExecutor, clock);
        BuildProjection.init(system, pool, BuildEntity.TAGS);
        RepositoryProjection.init(system, pool, RepositoryEntity.TAGS);
        JdbcBuildCatalog catalog = new JdbcBuildCatalog(watch.unlessAway(pool), catalogExecutor);
        BuildHistory history = new CachedBuildHistory(catalog::usualTimes);

        Dedup dedup = new Dedup();
        CompletableFuture<PullImages> images = new CompletableFuture<>();
        system.systemActorOf(
                Behaviors.setup((ActorContext<Void> context) -> {
                    images.complete(new PullImages(
                            config,
                            tags,
                            sources,
                            builds,
                            history,
                            content,
                            new HopSigner(secret),
                            dedup,
                            databaseAway,
                            clock,
                            context));
                    return Behaviors.empty();
                }),
                "images",
                Props.empty());
        if (config.roles().contains(KilnConfig.Role.BUILDER)) {
            startWorker(node, builds);
        }
        HttpServices services = new HttpServices(
                new DockerTypedImages(
                        images.join(),
                        new ContentStore(new PatientBlobStore(store.blobs(), config.settle()), store.links()),
                        storeExecutor),
                builds,
                catalog,
                history,
                dedup::counts,
                content,
                pushing,
                new JdbcRepositoryNames(watch.unlessAway(pool), catalogExecutor),
                logs,
                storeExecutor,
                clock,
                new HintTokens(secret, clock),
                node::notReady,
                databaseAway);
        return listening(config, HttpServer.start(system, config, services));
    }

    /** What repositories are served from that clients push to. */
    private static Pushing pushing(
            Node node, ShardedSources sources, SettlingContent shared, Executor storeExecutor, Clock clock) {
        ActorSystem<Void> system = node.system();
        KilnConfig config = node.config();
        KilnConfig.Push push = config.push();
        ContentStore store = node.folder().content();
        Executor uploadExecutor = system.dispatchers().lookup(DispatcherSelector.fromConfig(Pushing.DISPATCHER));
        PushTerms terms =
                new PushTerms(push.uploadExpiry(), push.grace(), node.disks().all());
        PushedContent content = node.folder().pushed(terms);
        ShardedRepositories repositories = ShardedRepositories.init(
                system, push.maxManifests(), new PromptUnlinker(content, uploadExecutor), clock);
        Collector.init(system, node.folder().sweep(terms), repositories, storeExecutor, push.sweep());
        Duration settle = config.settle();
        return new Pushing(
                repositories,
                new Pushes(repositories, content, store, uploadExecutor, push.sparse(), settle),
                new PushedImages(config, repositories, sources, shared, settle),
                content,
                store,
                uploadExecutor,
                config.settle(),
                SystemMaterializer.get(system).materializer());
    }

    /** A node that runs builds for others: no database, no sources, no images. */
    private static HttpServer wireBuilder(Node node) {
        settling(node, node.system().dispatchers().lookup(DispatcherSelector.fromConfig("kiln-store-dispatcher")));
        logs(node);
        startWorker(node, ShardedBuilds.init(node.system(), node.config(), Clock.systemUTC()));
        return listening(node.config(), HttpServer.startHealth(node.system(), node.config(), node::notReady));
    }

    /** What nodes share as this one sees it; others may ask it what it has written. */
    private static SettlingContent settling(Node node, Executor storeExecutor) {
        ContentStore store = node.folder().content();
        if (node.config().cluster().discovery().isEmpty()) {
            return SettlingContent.ofOneNode(store, storeExecutor);
        }
        Duration settle = node.config().settle();
        return new SettlingContent(
                store,
                PublicationDesk.open(node.system(), node.folder(), settle, storeExecutor),
                settle,
                storeExecutor);
    }

    private static BuildLogs logs(Node node) {
        BuildLogs logs = node.folder().logs();
        return node.config().cluster().discovery().isEmpty() ? logs : ClusterLogs.open(node.system(), logs);
    }

    private static void startWorker(Node node, ShardedBuilds builds) {
        Executor executor = node.system().dispatchers().lookup(DispatcherSelector.fromConfig("kiln-build-dispatcher"));
        node.system()
                .systemActorOf(
                        VitalActor.create(
                                node.builders()
                                        .worker(
                                                node.config(),
                                                node.disks(),
                                                node.folder().logs(),
                                                builds,
                                                executor),
                                "worker",
                                node.departure()::of,
                                () -> leave(
                                        node.system(),
                                        Ending.failed("its worker has failed, see the log before this"))),
                        "worker",
                        Props.empty());
    }

    /** Ends this node in good order. */
    private static void leave(ActorSystem<?> system, Ending ending) {
        CoordinatedShutdown.get(system).runAll(new Fault(ending));
    }

    private static HttpServer listening(KilnConfig config, CompletionStage<HttpServer> start) {
        try {
            return start.toCompletableFuture().get(START_TIMEOUT.toSeconds(), TimeUnit.SECONDS);
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

    public HttpServer http() {
        return http;
    }

    /** Sentences for the operator: what this machine does not allow. */
    public List<String> notes() {
        return notes;
    }

    /**
     * Completes when the node has ended, or must: with the reason, empty when somebody asked for it. Who started
     * it then ends the process, at once and without {@link #close}.
     */
    public CompletableFuture<Optional<Ending>> ended() {
        CompletableFuture<Optional<Ending>> ended = system.getWhenTerminated()
                .thenApply(done -> CoordinatedShutdown.get(system)
                        .getShutdownReason()
                        .filter(Fault.class::isInstance)
                        .map(fault -> ((Fault) fault).ending()))
                .toCompletableFuture();
        return ended.applyToEither(ending.thenApply(Optional::of), Function.identity());
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
