package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.testing.FreePorts;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What the shipped configurations of load balancers make of a node that dies before it has answered: GET and HEAD go to
 * another one, and nothing else is ever sent twice.
 */
@Tag("clients")
class LoadBalancersIT {
    private static final int CLOSED = 0;
    private static final Duration SOON = Duration.ofMinutes(1);

    @TempDir
    Path directory;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<Upstream> upstreams = new ArrayList<>();
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private Process proxy;
    private URI address;

    enum Proxy {
        HAPROXY("haproxy"),
        NGINX("nginx");

        private final String program;

        Proxy(String program) {
            this.program = "/usr/sbin/" + program;
        }

        List<String> command(Path directory, int port, List<Integer> nodes) throws IOException {
            if (this == HAPROXY) {
                return List.of(program, "-db", "-f", "cluster-config/haproxy.cfg");
            }
            // It takes no addresses from its environment.
            String config = Files.readString(Path.of("cluster-config/nginx.conf"))
                    .replace("127.0.0.1:8080", "127.0.0.1:" + port)
                    .replace("127.0.0.1:8101", "127.0.0.1:" + nodes.get(0))
                    .replace("127.0.0.1:8102", "127.0.0.1:" + nodes.get(1))
                    .replace("127.0.0.1:8103", "127.0.0.1:" + nodes.get(2));
            Path file = Files.writeString(directory.resolve("nginx.conf"), config);
            return List.of(
                    program,
                    "-p",
                    directory.toString(),
                    "-c",
                    file.toString(),
                    "-e",
                    "stderr",
                    "-g",
                    "daemon off; pid nginx.pid;");
        }

        Map<String, String> environment(int port, List<Integer> nodes) {
            return Map.of(
                    "KILN_BIND", "127.0.0.1:" + port,
                    "KILN_REGISTRY_1", "127.0.0.1:" + nodes.get(0),
                    "KILN_REGISTRY_2", "127.0.0.1:" + nodes.get(1),
                    "KILN_REGISTRY_3", "127.0.0.1:" + nodes.get(2));
        }
    }

    /** A node that either answers, or closes the connection when it has read the head of a request. */
    private final class Upstream {
        private final boolean dies;
        private final ServerSocket socket;
        private final List<String> methods = new CopyOnWriteArrayList<>();

        private Upstream(boolean dies) throws IOException {
            this.dies = dies;
            this.socket = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
            threads.execute(() -> {
                while (!socket.isClosed()) {
                    try {
                        Socket connection = socket.accept();
                        threads.execute(() -> serve(connection));
                    } catch (IOException e) {
                        return;
                    }
                }
            });
        }

        private void serve(Socket connection) {
            try (connection) {
                InputStream in = connection.getInputStream();
                StringBuilder head = new StringBuilder();
                while (head.indexOf("\r\n\r\n") < 0) {
                    int next = in.read();
                    if (next < 0) {
                        return;
                    }
                    head.append((char) next);
                }
                boolean check = head.indexOf("/health/ready") >= 0;
                if (!check) {
                    methods.add(head.substring(0, head.indexOf(" ")));
                }
                if (check || !dies) {
                    connection
                            .getOutputStream()
                            .write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                                    .getBytes(StandardCharsets.US_ASCII));
                }
            } catch (IOException e) {
                // the proxy has gone
            }
        }
    }

    private void start(Proxy kind) throws IOException {
        assumeThat(Path.of(kind.program)).exists();
        for (boolean dies : List.of(true, true, false)) {
            upstreams.add(new Upstream(dies));
        }
        List<Integer> nodes = upstreams.stream()
                .map(upstream -> upstream.socket.getLocalPort())
                .toList();
        int port = FreePorts.next();
        address = URI.create("http://127.0.0.1:" + port);
        ProcessBuilder builder = new ProcessBuilder(kind.command(directory, port, nodes))
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("proxy.log").toFile());
        builder.environment().putAll(kind.environment(port, nodes));
        proxy = builder.start();
        await("it listens").atMost(SOON).until(() -> {
            if (!proxy.isAlive()) {
                throw new IllegalStateException(Files.readString(directory.resolve("proxy.log")));
            }
            try (Socket connection = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return connection.isConnected();
            } catch (IOException e) {
                return false;
            }
        });
    }

    @AfterEach
    void close() throws IOException {
        if (proxy != null) {
            proxy.destroy();
            proxy.onExit().join();
        }
        for (Upstream upstream : upstreams) {
            upstream.socket.close();
        }
        threads.shutdownNow();
    }

    /** The status, or {@link #CLOSED}, as HAProxy does on a connection that was used before. */
    private int send(String method) {
        try {
            return http.send(
                            HttpRequest.newBuilder(address.resolve("/v2/team/app/manifests/main"))
                                    .method(
                                            method,
                                            List.of("GET", "HEAD", "DELETE").contains(method)
                                                    ? BodyPublishers.noBody()
                                                    : BodyPublishers.ofString("{}"))
                                    .build(),
                            HttpResponse.BodyHandlers.discarding())
                    .statusCode();
        } catch (IOException e) {
            return CLOSED;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private List<String> seen() {
        return upstreams.stream()
                .flatMap(upstream -> upstream.methods.stream())
                .sorted()
                .toList();
    }

    @ParameterizedTest
    @EnumSource(Proxy.class)
    void getAndHeadReachANodeThatAnswers(Proxy kind) throws IOException {
        start(kind);
        for (String method : List.of("GET", "HEAD", "GET")) {
            assertThat(send(method)).isEqualTo(200);
        }
        assertThat(seen()).as("nodes were tried that did not answer").hasSizeGreaterThan(3);
    }

    @ParameterizedTest
    @EnumSource(Proxy.class)
    void nothingElseIsSentTwice(Proxy kind) throws IOException {
        start(kind);
        List<String> methods = List.of("DELETE", "PATCH", "POST", "PUT");
        List<Integer> answers = methods.stream().map(this::send).toList();
        assertThat(answers).as("the first nodes did not answer").containsAnyOf(502, CLOSED);
        assertThat(seen()).isEqualTo(methods);
    }
}
