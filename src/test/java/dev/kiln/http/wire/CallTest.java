package dev.kiln.http.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import akka.actor.ActorSystem;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpRequest;
import akka.stream.Materializer;
import akka.stream.SystemMaterializer;
import akka.stream.javadsl.Sink;
import akka.stream.javadsl.Source;
import akka.testkit.javadsl.TestKit;
import akka.util.ByteString;
import java.time.Duration;
import java.util.Collections;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

class CallTest {
    private static final ActorSystem SYSTEM = ActorSystem.create("call");
    private static final Materializer MATERIALIZER =
            SystemMaterializer.get(SYSTEM).materializer();

    @AfterAll
    static void stop() {
        TestKit.shutdownActorSystem(SYSTEM);
    }

    private static Call call(Source<ByteString, ?> body) {
        return Call.of(
                HttpRequest.PUT("/").withEntity(HttpEntities.create(ContentTypes.APPLICATION_OCTET_STREAM, body)),
                new CompletableFuture<>());
    }

    /** Each part that is kept costs fifty bytes beside its own. */
    @Test
    void aBodyInTinyPartsTakesNoMoreThanItsSize() throws Exception {
        ByteString part = ByteString.fromString("x");
        ByteString bytes = call(Source.from(Collections.nCopies(1000, part)))
                .bytes(1000, Duration.ofMinutes(1), MATERIALIZER)
                .toCompletableFuture()
                .get();
        assertThat(bytes.utf8String()).isEqualTo("x".repeat(1000));
        assertThat(bytes.isCompact()).isTrue();
    }

    /** A client that sends fast would be at the end of what is dropped before there is an answer. */
    @Test
    void whatNobodyReadsIsDroppedOnceThereIsAnAnswer() {
        AtomicInteger sent = new AtomicInteger();
        CompletableFuture<Void> stopped = new CompletableFuture<>();
        ByteString part = ByteString.fromArrayUnsafe(new byte[1 << 20]);
        Call call = call(Source.repeat(part).take(20).map(bytes -> {
            sent.incrementAndGet();
            return bytes;
        }));
        call.body()
                .watchTermination((mat, end) -> end)
                .to(Sink.head())
                .run(MATERIALIZER)
                .whenComplete((done, failure) -> stopped.complete(null));
        stopped.join();

        CompletionStage<Void> end = call.dropBody(MATERIALIZER);

        await().until(() -> end.toCompletableFuture().isDone());
        assertThat(sent).hasValue(20);
        assertThat(call.isBodyRead()).isTrue();
    }

    @Test
    void untilThereIsAnAnswerTheClientIsHeldUp() {
        AtomicInteger sent = new AtomicInteger();
        Call call = call(Source.repeat(ByteString.fromString("x")).take(100).map(bytes -> {
            sent.incrementAndGet();
            return bytes;
        }));
        call.body().runWith(Sink.cancelled(), MATERIALIZER);

        // the actor of that stream has its turns before this one's
        call(Source.single(ByteString.fromString("x")))
                .bytes(1, Duration.ofMinutes(1), MATERIALIZER)
                .toCompletableFuture()
                .join();

        assertThat(sent).hasValueLessThan(100);
        assertThat(call.isBodyRead()).isFalse();
        call.dropBody(MATERIALIZER).toCompletableFuture().join();
        assertThat(sent).hasValue(100);
    }
}
