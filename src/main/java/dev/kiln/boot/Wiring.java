package dev.kiln.boot;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.DispatcherSelector;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.stream.SystemMaterializer;
import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.PatientBlobStore;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SettlingContent;
import dev.kiln.blob.SharedFolder;
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
import dev.kiln.cluster.Membership;
import dev.kiln.cluster.PublicationDesk;
import dev.kiln.config.KilnConfig;
import dev.kiln.http.HttpServer;
import dev.kiln.http.HttpServices;
import dev.kiln.http.registry.Pushing;
import dev.kiln.image.Dedup;
import dev.kiln.image.DockerTypedImages;
import dev.kiln.image.PullImages;
import dev.kiln.image.PushedImages;
import dev.kiln.image.ShardedTags;
import dev.kiln.journal.CannotStart;
import dev.kiln.journal.DatabaseWatch;
import dev.kiln.journal.JdbcClusterSecret;
import dev.kiln.journal.Pool;
import dev.kiln.repository.Collector;
import dev.kiln.repository.PromptUnlinker;
import dev.kiln.repository.Pushes;
import dev.kiln.repository.RepositoryEntity;
import dev.kiln.repository.ShardedRepositories;
import dev.kiln.source.GitSources;
import dev.kiln.source.ShardedSources;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;

/** What a node consists of, in the order in which it depends on each other. */
final class Wiring {
    private static final Duration START_TIMEOUT = Duration.ofSeconds(60);

    private Wiring() {}

    /** What every node has, whatever it does. */
    record Node(
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

    /** A node that serves: what its entities, projections and routes need of each other. */
    static HttpServer registry(Node node, GitSources git, Pool pool, DatabaseWatch watch) {
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
                    () -> Server.leave(
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
                settle,
                SystemMaterializer.get(system).materializer());
    }

    /** A node that runs builds for others: no database, no sources, no images. */
    static HttpServer builder(Node node) {
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
                                () -> Server.leave(
                                        node.system(),
                                        Ending.failed("its worker has failed, see the log before this"))),
                        "worker",
                        Props.empty());
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
}
