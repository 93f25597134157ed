package dev.kiln.http.api;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import dev.kiln.http.Fakes;
import dev.kiln.http.wire.Call;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class LogRoutesTest {
    @Test
    void aLiveLogThatFallsSilentEndsInGoodOrder() throws Exception {
        Fakes fakes = new Fakes();
        LogRoutes routes = new LogRoutes(fakes, fakes, Runnable::run, Duration.ofMillis(50));
        HttpResponse response = routes.log(
                        Call.of(
                                HttpRequest.GET("/api/v1/builds/x/log?follow=true&offset=99"),
                                new CompletableFuture<>()),
                        Fakes.BUILD)
                .toCompletableFuture()
                .join();
        ActorTestKit kit = ActorTestKit.create();
        try {
            // The fake's log never ends from this offset on.
            ByteString all = response.entity()
                    .getDataBytes()
                    .runWith(Sink.fold(ByteString.emptyByteString(), ByteString::concat), kit.system())
                    .toCompletableFuture()
                    .get(20, TimeUnit.SECONDS);
            assertThat(all.utf8String()).isEqualTo("attempt 2 from 99\n");
        } finally {
            kit.shutdownTestKit();
        }
    }
}
