package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What the shipped configurations of load balancers make of a node that dies before it has answered: GET and HEAD go to
 * another one, and nothing else is ever sent twice; of one that holds a request; and of one that leaves.
 */
@Tag("clients")
class LoadBalancersIT {
    private static final int CLOSED = 0;
    private static final Duration SOON = Duration.ofMinutes(1);

    @TempDir
    Path directory;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final CountDownLatch letGo = new CountDownLatch(1);
    private final List<Upstream> upstreams = new ArrayList<>();
    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private LoadBalancer proxy;

    /** What a node does with a request whose head it has read. */
    private enum Manner {
        ANSWERS,
        /** Closes the connection. */
        DIES,
        /** Waits until the test lets go; asked for its health, it answers. */
        HOLDS
    }

    /** A node; its connections serve one request each. */
    private final class Upstream {
        private final Manner manner;
        private final ServerSocket socket;
        private final List<String> methods = new CopyOnWriteArrayList<>();
        private volatile boolean ready = true;

        private Upstream(Manner manner) throws IOException {
            this.manner = manner;
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
                    if (manner == Manner.HOLDS) {
                        letGo.await();
                    }
                }
                if (check || manner != Manner.DIES) {
                    String status = check && !ready ? "503 Service Unavailable" : "200 OK";
                    connection
                            .getOutputStream()
                            .write(("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                                    .getBytes(StandardCharsets.US_ASCII));
                }
            } catch (IOException e) {
                // the proxy has gone
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }

        /** As a node that got SIGTERM: it first says so, and later takes no connections. */
        private void leave(LoadBalancer.Kind behind) throws IOException {
            ready = false;
            if (behind == LoadBalancer.Kind.NGINX) {
                socket.close();
            }
        }
    }

    private void start(LoadBalancer.Kind kind, Manner first, Manner second, Manner third) throws IOException {
        assumeThat(kind.program()).exists();
        for (Manner manner : List.of(first, second, third)) {
            upstreams.add(new Upstream(manner));
        }
        List<Integer> nodes = upstreams.stream()
                .map(upstream -> upstream.socket.getLocalPort())
                .toList();
        proxy = LoadBalancer.start(kind, directory, nodes);
    }

    @AfterEach
    void close() throws IOException {
        if (proxy != null) {
            proxy.close();
        }
        for (Upstream upstream : upstreams) {
            upstream.socket.close();
        }
        threads.shutdownNow();
    }

    private CompletableFuture<Integer> sendWithoutWaiting(String method) {
        return CompletableFuture.supplyAsync(() -> send(method), threads);
    }

    /** The status, or {@link #CLOSED}, as HAProxy does on a connection that was used before. */
    private int send(String method) {
        try {
            return http.send(
                            HttpRequest.newBuilder(proxy.address().resolve("/v2/team/app/manifests/main"))
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
    @EnumSource(LoadBalancer.Kind.class)
    void getAndHeadReachANodeThatAnswers(LoadBalancer.Kind kind) throws IOException {
        start(kind, Manner.DIES, Manner.DIES, Manner.ANSWERS);
        for (String method : List.of("GET", "HEAD", "GET")) {
            assertThat(send(method)).isEqualTo(200);
        }
        assertThat(seen()).as("nodes were tried that did not answer").hasSizeGreaterThan(3);
    }

    @ParameterizedTest
    @EnumSource(LoadBalancer.Kind.class)
    void nothingElseIsSentTwice(LoadBalancer.Kind kind) throws IOException {
        start(kind, Manner.DIES, Manner.DIES, Manner.ANSWERS);
        List<String> methods = List.of("DELETE", "PATCH", "POST", "PUT");
        List<Integer> answers = methods.stream().map(this::send).toList();
        assertThat(answers).as("the first nodes did not answer").containsAnyOf(502, CLOSED);
        assertThat(seen()).isEqualTo(methods);
    }

    @ParameterizedTest
    @EnumSource(LoadBalancer.Kind.class)
    void aNodeThatLeavesGetsNoNewRequestsAndEndsWhatItHolds(LoadBalancer.Kind kind) throws IOException {
        start(kind, Manner.HOLDS, Manner.ANSWERS, Manner.ANSWERS);
        Upstream leaving = upstreams.get(0);
        List<CompletableFuture<Integer>> sent = new ArrayList<>();
        await("it holds a request").atMost(SOON).until(() -> {
            sent.add(sendWithoutWaiting("GET"));
            return !leaving.methods.isEmpty();
        });

        leaving.leave(kind);
        await("others get all that is new").atMost(SOON).until(() -> {
            int before = leaving.methods.size();
            for (int i = 0; i < 3; i++) {
                sent.add(sendWithoutWaiting("GET"));
            }
            await().atMost(SOON).until(() -> answered(sent) >= sent.size() - leaving.methods.size());
            return leaving.methods.size() == before;
        });
        int held = leaving.methods.size();
        for (int i = 0; i < 9; i++) {
            assertThat(send("GET")).isEqualTo(200);
        }
        assertThat(leaving.methods).hasSize(held);

        letGo.countDown();
        assertThat(sent).allSatisfy(answer -> assertThat(answer.join()).isEqualTo(200));
    }

    private static long answered(List<CompletableFuture<Integer>> sent) {
        return sent.stream().filter(CompletableFuture::isDone).count();
    }

    /** Longer than most proxies wait by themselves, and than any hop. */
    @ParameterizedTest
    @EnumSource(LoadBalancer.Kind.class)
    @Tag("long")
    void anAnswerMayTakeLongerThanAMinute(LoadBalancer.Kind kind) throws IOException {
        start(kind, Manner.HOLDS, Manner.HOLDS, Manner.HOLDS);
        CompletableFuture<Integer> held = sendWithoutWaiting("GET");
        await("a node holds it").atMost(SOON).until(() -> !seen().isEmpty());
        CompletableFuture.delayedExecutor(65, TimeUnit.SECONDS, threads).execute(letGo::countDown);

        assertThat(held.join()).isEqualTo(200);
        assertThat(seen()).as("nobody lost patience and asked another node").hasSize(1);
    }
}
