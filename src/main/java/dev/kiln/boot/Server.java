package dev.kiln.boot;

import akka.actor.Address;
import akka.actor.BootstrapSetup;
import akka.actor.CoordinatedShutdown;
import akka.actor.setup.ActorSystemSetup;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.Behaviors;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigValueFactory;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.StoreId;
import dev.kiln.cluster.Ending;
import dev.kiln.cluster.JoinSetup;
import dev.kiln.cluster.Membership;
import dev.kiln.cluster.Terms;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.LoadedConfig;
import dev.kiln.http.HttpServer;
import dev.kiln.journal.CannotStart;
import dev.kiln.journal.DataDirLock;
import dev.kiln.journal.DatabaseClaim;
import dev.kiln.journal.DatabaseWatch;
import dev.kiln.journal.Pool;
import dev.kiln.journal.Schema;
import dev.kiln.source.DemoRepository;
import dev.kiln.source.GitSources;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * One running node, from its folders and its database to its end. {@link Wiring} has what it consists of. Tests and the command
 * line start it in the same way.
 */
public final class Server implements AutoCloseable {
    private static final String SYSTEM = "kiln";

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
                Wiring.Node node = new Wiring.Node(system, config, folder, disks, builders, membership, departure);
                HttpServer http;
                if (claim.isPresent()) {
                    GitSources git = resources.add(
                            new GitSources(config, disks.intake().blobs(), disks.dataDir(), Clock.systemUTC()));
                    Pool pool = Pool.of(system);
                    DatabaseWatch watch =
                            resources.add(DatabaseWatch.start(claim.get(), onWatch(pool, ending), Clock.systemUTC()));
                    http = Wiring.registry(node, git, pool, watch);
                } else {
                    http = Wiring.builder(node);
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

    /** Ends this node in good order. */
    static void leave(ActorSystem<?> system, Ending ending) {
        CoordinatedShutdown.get(system).runAll(new Fault(ending));
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
