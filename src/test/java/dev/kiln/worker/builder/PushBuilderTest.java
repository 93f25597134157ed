package dev.kiln.worker.builder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.sun.net.httpserver.HttpServer;
import dev.kiln.build.FailureClass;
import dev.kiln.build.PushToken;
import dev.kiln.config.BuilderConfig;
import dev.kiln.oci.Digest;
import dev.kiln.testing.ScriptedBuilder;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that somebody else makes: when such an attempt ends, and what a farm is told. */
class PushBuilderTest {
    private static final Digest TOKEN = Digest.sha256(new byte[] {1});
    private static final Duration LONG = Duration.ofMinutes(2);
    private static final Builder.Outcome ENDED_WELL = new Builder.Outcome.Succeeded();

    private final ScriptedBuilder order = new ScriptedBuilder();
    private final ByteArrayOutputStream log = new ByteArrayOutputStream();
    private final CountDownLatch end = new CountDownLatch(1);
    private HttpServer farm;

    @AfterEach
    void end() {
        end.countDown();
        if (farm != null) {
            farm.stop(0);
        }
    }

    private AwaitedPush awaited() {
        return AwaitedPush.of(order, OutputStream.nullOutputStream(), TOKEN, LONG, System.nanoTime());
    }

    @Test
    void anOrderThatWasGivenWellIsNoImageYet() throws Exception {
        AwaitedPush push = awaited();
        assertThat(push.admits(TOKEN)).isTrue();
        assertThat(push.admits(Digest.sha256(new byte[] {2}))).isFalse();
        order.outcome.complete(ENDED_WELL);
        assertThat(push.outcome().toCompletableFuture()).isNotDone();

        push.received();
        assertThat(Attempts.await(push)).isEqualTo(ENDED_WELL);
    }

    @Test
    void whatPushesMayRunOnUntilItEnds() throws Exception {
        AwaitedPush push = awaited();
        push.received();
        assertThat(push.outcome().toCompletableFuture()).isNotDone();
        order.outcome.complete(ENDED_WELL);
        assertThat(Attempts.await(push)).isEqualTo(ENDED_WELL);
    }

    @Test
    void whatFailsToOrderFails() throws Exception {
        Builder.Outcome failed = new Builder.Outcome.Failed(FailureClass.SOURCE, "exit 1");
        AwaitedPush push = awaited();
        order.outcome.complete(failed);
        assertThat(Attempts.await(push)).isEqualTo(failed);
    }

    @Test
    void anImageThatDoesNotComeInTimeIsATimeout() throws Exception {
        Duration timeout = Duration.ofMinutes(30);
        AwaitedPush push = AwaitedPush.of(
                order, OutputStream.nullOutputStream(), TOKEN, timeout, System.nanoTime() - timeout.toNanos());
        order.outcome.complete(ENDED_WELL);
        assertThat(Attempts.await(push))
                .isEqualTo(new Builder.Outcome.Failed(FailureClass.TIMEOUT, "no image was pushed within 30m"));
    }

    @Test
    void aStopEndsItWhetherSomethingRunsOrNot() throws Exception {
        AwaitedPush waiting = awaited();
        order.outcome.complete(ENDED_WELL);
        waiting.stop();
        assertThat(Attempts.await(waiting)).isInstanceOf(Builder.Outcome.Stopped.class);

        ScriptedBuilder command = new ScriptedBuilder();
        AwaitedPush running = AwaitedPush.of(command, OutputStream.nullOutputStream(), TOKEN, LONG, System.nanoTime());
        running.stop();
        assertThat(command.stopped).isDone();
        assertThat(running.outcome().toCompletableFuture()).isNotDone();
        command.outcome.complete(ENDED_WELL);
        assertThat(Attempts.await(running)).isInstanceOf(Builder.Outcome.Stopped.class);
    }

    // ---- webhooks

    private final CompletableFuture<String> told = new CompletableFuture<>();

    /** @param status 0: no answer */
    private Builder.Running call(int status) throws IOException {
        farm = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        farm.createContext("/order", exchange -> {
            told.complete(exchange.getRequestHeaders().getFirst("X-Key") + " "
                    + new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8));
            if (status == 0) {
                try {
                    end.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            exchange.getResponseHeaders().set("Location", "/elsewhere");
            exchange.sendResponseHeaders(Math.max(status, 200), -1);
            exchange.close();
        });
        farm.start();
        return call("http://127.0.0.1:" + farm.getAddress().getPort() + "/order?secret");
    }

    @Test
    void aFarmThatKeepsItsBodyToItselfHasAnsweredAllTheSame() throws Exception {
        try (ServerSocket listener = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Builder.Running running = call("http://127.0.0.1:" + listener.getLocalPort() + "/order");
            try (Socket socket = listener.accept()) {
                socket.getOutputStream()
                        .write("HTTP/1.1 202 Accepted\r\nContent-Length: 1\r\n\r\n"
                                .getBytes(StandardCharsets.US_ASCII));
                await().until(() -> log.toString(StandardCharsets.UTF_8).contains("the webhook answered 202"));
            }
            running.stop();
            assertThat(Attempts.await(running)).isInstanceOf(Builder.Outcome.Stopped.class);
        }
    }

    private Builder.Running call(String address) throws IOException {
        PushBuilder builder = PushBuilder.byWebhook(
                new BuilderConfig.Webhook(URI.create(address), Map.of("X-Key", "secret")),
                URI.create("https://registry.example.com:5000"),
                repository -> Optional.of("https://git.example.com/" + repository + ".git"));
        Builder.Task task = new Builder.Task(Attempts.KEY, 3, 0, Path.of("none"), Attempts.EPOCH, LONG, 1, 1);
        return builder.start(task, log, LONG);
    }

    @Test
    void aFarmIsToldAllThatItNeeds() throws Exception {
        Builder.Running push = call(202);
        String order = told.get();
        Matcher token = Pattern.compile("/v2/b/([a-z2-7]+)/team/app\"").matcher(order);
        assertThat(token.find()).isTrue();
        String text = token.group(1);
        assertThat(order)
                .isEqualTo("secret {\"build\":\"" + Attempts.KEY.id()
                        + "\",\"attempt\":3,\"repository\":\"team/app\",\"revision\":\""
                        + Attempts.KEY.revision()
                        + "\",\"platform\":\"linux/arm64/v8:5.10+neon+sve\",\"sourceDateEpoch\":1600000000,"
                        + "\"timeoutSeconds\":120,\"source\":\"https://git.example.com/team/app.git\","
                        + "\"pushUrl\":\"https://registry.example.com:5000/v2/b/" + text + "/team/app\","
                        + "\"pushImage\":\"registry.example.com:5000/b/" + text + "/team/app\"}");
        PushToken parsed = PushToken.parse(text).orElseThrow();
        assertThat(parsed.build(Attempts.KEY.repository())).isEqualTo(Attempts.KEY);
        Builder.Receiver receiver = push.receiver().orElseThrow();
        assertThat(receiver.admits(parsed.digest())).isTrue();
        receiver.received();
        assertThat(Attempts.await(push)).isEqualTo(ENDED_WELL);
        assertThat(log.toString(StandardCharsets.UTF_8))
                .contains("answered 202")
                .doesNotContain(text);
    }

    @ParameterizedTest
    @ValueSource(ints = {302, 307, 400, 404, 500, 503})
    void aFarmThatRefusesIsTriedAgain(int status) throws Exception {
        assertThat(Attempts.await(call(status)))
                .isEqualTo(new Builder.Outcome.Failed(
                        FailureClass.INFRASTRUCTURE, "the builder's webhook answered " + status));
    }

    @Test
    void aFarmThatIsNotThereIsTriedAgain() throws Exception {
        assertThat(Attempts.await(call("http://127.0.0.1:1/secret")))
                .isEqualTo(new Builder.Outcome.Failed(
                        FailureClass.INFRASTRUCTURE, "the builder's webhook could not be reached"));
    }

    @Test
    void aStopDoesNotWaitForTheFarm() throws Exception {
        Builder.Running push = call(0);
        told.get();
        push.stop();
        assertThat(Attempts.await(push)).isInstanceOf(Builder.Outcome.Stopped.class);
    }
}
