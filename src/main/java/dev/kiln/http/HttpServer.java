package dev.kiln.http;

import akka.Done;
import akka.actor.CoordinatedShutdown;
import akka.actor.typed.ActorSystem;
import akka.http.javadsl.Http;
import akka.http.javadsl.ServerBinding;
import akka.http.javadsl.settings.ServerSettings;
import akka.pattern.Patterns;
import akka.stream.Materializer;
import akka.stream.SystemMaterializer;
import akka.stream.javadsl.Flow;
import com.typesafe.config.Config;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.http.api.ApiRoutes;
import dev.kiln.http.api.HealthRoutes;
import dev.kiln.http.api.LogRoutes;
import dev.kiln.http.registry.RegistryRoutes;
import dev.kiln.http.registry.UsernameAccess;
import dev.kiln.http.wire.Routes;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/**
 * The two listeners of a node: the public one, for images and for looking at builds, and the admin one, which also changes
 * things. Bound until the actor system's coordinated shutdown, which stops accepting, lets held pulls come to the end of
 * their hop, and cuts what is left.
 */
public final class HttpServer {
    /** On top of the longest hop, for the answer to go out. */
    private static final Duration DRAIN = Duration.ofSeconds(5);

    /** Parts of the direct memory: a half, and an eighth. */
    private static final int PUBLIC_SHARE = 2;

    private static final int ADMIN_SHARE = 8;

    private static final Duration FLUSH = Duration.ofMillis(250);

    private final ServerBinding publicBinding;
    private final ServerBinding adminBinding;
    private final String publicUrl;

    private HttpServer(ServerBinding publicBinding, ServerBinding adminBinding, String publicUrl) {
        this.publicBinding = publicBinding;
        this.adminBinding = adminBinding;
        this.publicUrl = publicUrl;
    }

    /**
     * Binds both listeners; port 0 means any free one. The stage fails with Akka's {@code BindFailedException} as cause when
     * an address cannot be had, and then nothing stays bound.
     */
    public static CompletionStage<HttpServer> start(ActorSystem<?> system, KilnConfig config, HttpServices services) {
        AtomicReference<String> publicUrl =
                new AtomicReference<>(publicUrl(config.http(), config.http().port()));
        Materializer materializer = SystemMaterializer.get(system).materializer();
        Routes registry = new RegistryRoutes(
                config,
                services.images(),
                services.builds(),
                services.content(),
                services.blocking(),
                services.pushing(),
                services.names(),
                config.hints().username()
                        ? Optional.of(new UsernameAccess(services.tokens(), publicUrl::get, materializer))
                        : Optional.empty(),
                publicUrl::get);
        Routes health = new HealthRoutes(services.notReady(), services.impaired());
        LogRoutes logs = new LogRoutes(services.builds(), services.logs(), services.blocking());
        Listener open = new Listener(registry, api(services, logs, false), health, materializer);
        Listener admin = new Listener(health, api(services, logs, true), health, materializer);
        return start(system, config, open, admin, publicUrl);
    }

    /** As {@link #start}, of a node that only tells about its health. */
    public static CompletionStage<HttpServer> startHealth(
            ActorSystem<?> system, KilnConfig config, Supplier<Optional<String>> notReady) {
        Routes health = new HealthRoutes(notReady, Optional::empty);
        Listener listener = new Listener(
                health, health, health, SystemMaterializer.get(system).materializer());
        return start(system, config, listener, listener, new AtomicReference<>());
    }

    private static CompletionStage<HttpServer> start(
            ActorSystem<?> system,
            KilnConfig config,
            Listener open,
            Listener admin,
            AtomicReference<String> publicUrl) {
        Duration deadline = config.repositories().stream()
                .map(RepositoryConfig::hop)
                .max(Duration::compareTo)
                .orElse(Duration.ZERO)
                .plus(DRAIN);
        return bind(system, config.admin().host(), config.admin().port(), admin, ADMIN_SHARE)
                .thenCompose(adminBinding -> bind(
                                system, config.http().host(), config.http().port(), open, PUBLIC_SHARE)
                        .handle((publicBinding, failure) -> {
                            if (failure != null) {
                                return adminBinding.unbind().<HttpServer>thenApply(done -> {
                                    throw new CompletionException(failure);
                                });
                            }
                            adminBinding.addToCoordinatedShutdown(deadline, system);
                            publicBinding.addToCoordinatedShutdown(deadline, system);
                            flushAfterDrain(system);
                            HttpServer server = new HttpServer(
                                    publicBinding,
                                    adminBinding,
                                    publicUrl(
                                            config.http(),
                                            publicBinding.localAddress().getPort()));
                            publicUrl.set(server.publicUrl());
                            return CompletableFuture.completedFuture(server);
                        })
                        .thenCompose(stage -> stage));
    }

    private static ApiRoutes api(HttpServices services, LogRoutes logs, boolean admin) {
        return new ApiRoutes(
                services.builds(),
                services.catalog(),
                services.history(),
                services.dedup(),
                services.clock(),
                logs,
                services.images(),
                admin);
    }

    /**
     * Akka HTTP counts a connection as drained when it has handed its last answer to the socket's actor, not when the bytes
     * are out: a system that ends at once would reset that connection. So what comes after waits a moment.
     */
    private static void flushAfterDrain(ActorSystem<?> system) {
        CoordinatedShutdown.get(system)
                .addTask(
                        CoordinatedShutdown.PhaseServiceStop(),
                        "http-flush",
                        () -> Patterns.after(
                                FLUSH, system, () -> CompletableFuture.completedFuture(Done.getInstance())));
    }

    public int publicPort() {
        return publicBinding.localAddress().getPort();
    }

    public int adminPort() {
        return adminBinding.localAddress().getPort();
    }

    /** Where people find the public listener, without a trailing slash: {@code http.public-url}, else host and port. */
    public String publicUrl() {
        return publicUrl;
    }

    private static CompletionStage<ServerBinding> bind(
            ActorSystem<?> system, String host, int port, Listener listener, int share) {
        return Http.get(system)
                .newServerAt(host, port)
                .withSettings(settings(ServerSettings.create(system.classicSystem()))
                        .withMaxConnections(maxConnections(system.settings().config(), share)))
                .bindFlow(Flow.fromGraph(new ConnectionFlow(listener::answer)));
    }

    /**
     * A client that stops reading keeps one direct buffer, and a process that has no more of them ends. So no more
     * connections are taken than there are buffers for in a part of what the JVM gives, which is as much as the heap may
     * grow to; more wait until others go.
     */
    private static int maxConnections(Config config, int share) {
        long buffers = Runtime.getRuntime().maxMemory() / share / config.getBytes("akka.io.tcp.direct-buffer-size");
        return (int) Math.max(1, Math.min(buffers, config.getInt("akka.http.server.max-connections")));
    }

    /** What correctness rests on is set here; limits and time-outs are {@code akka.http.server}'s in reference.conf. */
    private static ServerSettings settings(ServerSettings configured) {
        return configured
                .withRawRequestUriHeader(true)
                .withRemoteAddressAttribute(true)
                .withServerHeader(Optional.empty())
                .withTransparentHeadRequests(false)
                .withVerboseErrorMessages(false)
                .withHttp2Enabled(false)
                .withPipeliningLimit(ConnectionFlow.PIPELINING_LIMIT)
                .withParsingErrorHandler(RefusedRequests.class.getName())
                // Accept, Range and their like are read by the routes, from the text.
                .withParserSettings(configured
                        .getParserSettings()
                        .withModeledHeaderParsing(false)
                        .withIllegalHeaderWarnings(false));
    }

    private static String publicUrl(KilnConfig.Http http, int port) {
        return http.publicUrl().orElseGet(() -> {
            String host = http.host();
            if (host.equals("0.0.0.0") || host.equals("::")) {
                host = "localhost";
            }
            return "http://" + (host.indexOf(':') >= 0 ? "[" + host + "]" : host) + ":" + port;
        });
    }
}
