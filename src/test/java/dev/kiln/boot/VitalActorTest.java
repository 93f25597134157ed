package dev.kiln.boot;

import static org.awaitility.Awaitility.await;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.Behaviors;
import com.typesafe.config.ConfigFactory;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class VitalActorTest {
    @Test
    void aFailureOfTheChildIsTold() {
        ActorTestKit testKit = ActorTestKit.create("vital", ConfigFactory.parseString("akka.actor.provider = local"));
        try {
            Behavior<String> failing = Behaviors.receive(String.class)
                    .onMessageEquals("work", Behaviors::same)
                    .onMessage(String.class, message -> {
                        throw new IllegalStateException(message);
                    })
                    .build();
            CompletableFuture<ActorRef<String>> child = new CompletableFuture<>();
            AtomicInteger gone = new AtomicInteger();
            testKit.spawn(VitalActor.create(failing, "child", child::complete, gone::incrementAndGet));

            child.join().tell("fail");

            await().until(() -> gone.get() == 1);
        } finally {
            testKit.shutdownTestKit();
        }
    }
}
