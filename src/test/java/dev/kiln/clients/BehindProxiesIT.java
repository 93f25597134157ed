package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.TestAuthority;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A registry whose public name and TLS are a proxy's: nginx, which says {@code X-Forwarded-*}, or HAProxy, which says
 * {@code Forwarded}. Redirects stay on that name and scheme, whatever anybody says.
 */
@Tag("clients")
final class BehindProxiesIT {
    private static final Map<String, Gate> GATES = Map.of("nginx", Gate.closed(), "haproxy", Gate.closed());
    private static final Gate NEVER = Gate.closed();
    private static final ExecutorService THREADS = Executors.newCachedThreadPool();

    @TempDir
    static Path temp;

    private static Team team;
    private static TestAuthority authority;
    private static KilnProcess server;
    private static URI listener;

    @BeforeAll
    static void start() {
        listener = URI.create("http://127.0.0.1:" + FreePorts.next());
        team = Team.create(temp, "app", Map.of("build.sh", Gate.await("GATE") + Team.IMAGE, "fails.sh", "exit 1\n"));
        authority = TestAuthority.create(temp);
        server = KilnProcess.start(temp, """
                kiln.http { port = %d, public-url = "https://registry.test", trusted-proxies = ["127.0.0.2", "127.0.0.3"] }
                kiln.builders {
                  nginx { type = command, command = [bash, build.sh], environment { GATE = "%s" } }
                  haproxy { type = command, command = [bash, build.sh], environment { GATE = "%s" } }
                  never { type = command, command = [bash, build.sh], environment { GATE = "%s" } }
                  fails { type = command, command = [sh, fails.sh] }
                }
                kiln.worker.slots = 64
                kiln.repository-defaults { source.url = "%s", platforms = ["linux/amd64", "linux/arm64"], hop = 5s, patience = 50s }
                kiln.repositories = [
                  { name = "nginx/*", builder = nginx, start = hinted }
                  { name = "haproxy/*", builder = haproxy, start = hinted }
                  { name = "never/*", builder = never, hop = 1s }
                  { name = "fails/*", builder = fails }
                ]
                """.formatted(
                        listener.getPort(),
                        GATES.get("nginx").number(),
                        GATES.get("haproxy").number(),
                        NEVER.number(),
                        team.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
        THREADS.shutdownNow();
        GATES.values().forEach(Gate::close);
        NEVER.close();
    }

    private static ReverseProxy proxy(String kind, String directory, URI registry) throws IOException {
        Path own = Files.createDirectories(temp.resolve(directory));
        return kind.equals("nginx")
                ? ReverseProxy.nginxWithTls(own, registry, authority.serverPem())
                : ReverseProxy.haproxyWithTls(own, registry, authority.serverPem());
    }

    @ParameterizedTest
    @ValueSource(strings = {"nginx", "haproxy"})
    void everyClientIsSentBackOverTlsAndEndsWithTheImage(String kind) throws Exception {
        try (Tap tap = Tap.before(listener, "HTTP/1.1 307 ");
                ReverseProxy proxy = proxy(kind, "pulls", URI.create("http://" + tap.host()))) {
            Map<String, CompletableFuture<Outcome>> pulls = new LinkedHashMap<>();
            for (Client client : Client.all(Files.createDirectory(temp.resolve(kind)))) {
                String name = kind + "/" + client;
                String image = proxy.host() + "/" + name + ":main";
                pulls.put(name, CompletableFuture.supplyAsync(() -> pull(client, image, proxy.host()), THREADS));
            }
            Awaitility.await("two redirects each")
                    .atMost(Duration.ofMinutes(2))
                    .until(() -> pulls.entrySet().stream()
                            .allMatch(pull -> pull.getValue().isDone() || redirects(tap, pull.getKey()) >= 2));
            GATES.get(kind).open();
            for (Map.Entry<String, CompletableFuture<Outcome>> pull : pulls.entrySet()) {
                pull.getValue().get().mustSucceed();
                assertThat(redirects(tap, pull.getKey())).as(pull.getKey()).isGreaterThanOrEqualTo(2);
            }
        }
    }

    private static Outcome pull(Client client, String image, String host) {
        return client.toString().equals("ctr")
                ? client.run(
                        "images",
                        "pull",
                        "--hosts-dir",
                        overTls(host).toString(),
                        "--snapshotter",
                        "native",
                        "--platform",
                        "linux/amd64",
                        image)
                : client.pull(image, "amd64");
    }

    /** containerd takes what is on its own machine to speak no TLS. */
    private static Path overTls(String host) {
        try {
            Path hosts = Files.createDirectories(temp.resolve("hosts/" + host));
            Files.writeString(hosts.resolve("hosts.toml"), """
                    server = "https://%1$s"
                    [host."https://%1$s"]
                      skip_verify = true
                    """.formatted(host));
            return hosts.getParent();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long redirects(Tap tap, String name) {
        return tap.exchanges().stream()
                .filter(exchange -> exchange.contains("/v2/" + name + "/manifests/main") && exchange.endsWith(" 307"))
                .count();
    }

    @ParameterizedTest
    @ValueSource(strings = {"nginx", "haproxy"})
    void aRedirectStaysOnThePublicNameAndTheProxyIsBelievedAboutTheClient(String kind) throws Exception {
        try (ReverseProxy proxy = proxy(kind, "names", listener)) {
            String url = "https://linux-arm64.registry.test:" + proxy.port();
            String name = "never/" + kind;
            JsonNode cause = awaitCause(
                    name,
                    "linux~arm64~v8",
                    () -> assertThat(curl(
                                    proxy,
                                    "%{http_code} %{redirect_url}",
                                    url + "/v2/" + name + "/manifests/main?ns=x",
                                    "X-Forwarded-For: 192.0.2.66",
                                    "X-Forwarded-Proto: gopher",
                                    "X-Forwarded-Port: 1"))
                            .startsWith("307 " + url + "/v2/" + name + "/manifests/main?ns=x&w=1."));
            assertThat(cause.path("hint").asText()).isEqualTo("linux/arm64/v8 by host name");
            assertThat(cause.path("address").asText()).isEqualTo("127.0.0.1");
            assertThat(curl(proxy, " ", url + "/v2/fails/" + kind + "/manifests/main"))
                    .contains("; log: https://registry.test/api/v1/builds/");
        }
    }

    @Test
    void whoIsNoProxyIsNotBelieved() throws Exception {
        String name = "never/stranger";
        JsonNode cause = awaitCause(name, "linux~amd64", () -> {
            try (Wire wire = new Wire(listener.getPort())) {
                assertThat(wire.exchange(
                                        "GET /v2/" + name + "/manifests/main HTTP/1.1\r\nHost: registry.test\r\n"
                                                + "User-Agent: curl/8\r\nX-Forwarded-Host: linux-arm64.registry.test\r\n"
                                                + "X-Forwarded-Proto: gopher\r\n"
                                                + "Forwarded: for=192.0.2.66;host=linux-arm64.registry.test;proto=gopher\r\n\r\n")
                                .header("Location"))
                        .startsWith("/v2/" + name + "/manifests/main?w=1.");
            }
            return null;
        });
        assertThat(cause.path("hint").asText()).isEmpty();
        assertThat(cause.path("address").asText()).isEqualTo("127.0.0.1");
    }

    /** What curl prints, who knows the names of the registry and follows nothing. */
    private static String curl(ReverseProxy proxy, String format, String url, String... headers) {
        List<String> line = new ArrayList<>(List.of(
                "-skS",
                "--max-time",
                "60",
                "--resolve",
                "linux-arm64.registry.test:" + proxy.port() + ":127.0.0.1",
                "-w",
                format));
        for (String header : headers) {
            line.addAll(List.of("-H", header));
        }
        line.add(url);
        return Tool.of("curl").run(Duration.ofMinutes(2), line).mustSucceed().output();
    }

    /** Pulls until the build is requested: the source may take longer than the one second that a request is held. */
    private static JsonNode awaitCause(String name, String platform, Callable<?> pull) {
        return Awaitility.await()
                .atMost(Duration.ofMinutes(1))
                .until(
                        () -> {
                            pull.call();
                            return cause(name, platform);
                        },
                        cause -> !cause.isMissingNode());
    }

    private static JsonNode cause(String name, String platform) throws Exception {
        String id = name.replace('/', '~') + "@" + team.revision() + "@" + platform;
        try (Wire wire = new Wire(server.admin().getPort())) {
            return new ObjectMapper()
                    .readTree(wire.request("GET", "/api/v1/builds/" + id).text())
                    .path("events")
                    .path(0)
                    .path("cause");
        }
    }
}
