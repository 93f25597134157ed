package dev.kiln.sharding;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import akka.actor.testkit.typed.javadsl.LoggingTestKit;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.MemberStatus;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Down;
import akka.cluster.typed.Join;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.oci.Wire;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OwnersTest {
    private static final Duration SOON = Duration.ofMinutes(1);
    private static final EntityTypeKey<Who> OWNER = EntityTypeKey.create(Who.class, "Owner");

    record Who(ActorRef<Me> replyTo) implements Wire {}

    record Me(String node) implements Wire {}

    private final ActorSystem<Void> dies = node();
    private final ActorSystem<Void> stays = node();

    private static ActorSystem<Void> node() {
        Config server = ConfigFactory.parseResources("kiln-akka.conf");
        return ActorSystem.create(
                Behaviors.empty(),
                "kiln",
                ConfigFactory.parseString("""
                                akka {
                                  loglevel = WARNING
                                  actor.provider = cluster
                                  remote.artery.canonical { hostname = "127.0.0.1", port = 0 }
                                  cluster { roles = [registry], jmx.enabled = off }
                                  coordinated-shutdown.exit-jvm = off
                                }
                                """)
                        .withFallback(server.withOnlyPath("akka.actor.serializers"))
                        .withFallback(server.withOnlyPath("akka.actor.serialization-bindings"))
                        .withFallback(server.withOnlyPath("akka.actor.serialization-identifiers"))
                        .withFallback(server.withOnlyPath("akka.serialization"))
                        .withFallback(ConfigFactory.load()));
    }

    private static void join(ActorSystem<?> system, ActorSystem<?> other) {
        Cluster cluster = Cluster.get(system);
        cluster.manager().tell(Join.create(Cluster.get(other).selfMember().address()));
        await().atMost(SOON).until(() -> cluster.selfMember().status() == MemberStatus.up());
    }

    private static void shards(ActorSystem<?> system, String name, AtomicBoolean answers, AtomicBoolean asked) {
        ClusterSharding.get(system)
                .init(Entity.of(
                        OWNER,
                        entity -> Behaviors.receive(Who.class)
                                .onMessage(Who.class, who -> {
                                    asked.set(true);
                                    if (answers.get()) {
                                        who.replyTo().tell(new Me(name));
                                    }
                                    return Behaviors.same();
                                })
                                .build()));
    }

    private static CompletionStage<Me> ask(ActorSystem<?> system) {
        return Owners.get(system).ask(ClusterSharding.get(system).entityRefFor(OWNER, "one"), Who::new, SOON);
    }

    @AfterEach
    void end() {
        dies.terminate();
        stays.terminate();
    }

    /** Two nodes, of which the one that stays knows that the other has the owner. */
    private void startOwnedByWhoDies(AtomicBoolean answers, AtomicBoolean asked) throws Exception {
        join(dies, dies);
        shards(dies, "dies", answers, asked);
        assertThat(get(ask(dies))).isEqualTo(new Me("dies"));
        join(stays, dies);
        shards(stays, "stays", new AtomicBoolean(true), new AtomicBoolean());
        assertThat(get(ask(stays))).isEqualTo(new Me("dies"));
    }

    @Test
    void whatHasNoAnswerWhenANodeIsRemovedIsAskedAgain() throws Exception {
        AtomicBoolean answers = new AtomicBoolean(true);
        AtomicBoolean asked = new AtomicBoolean();
        startOwnedByWhoDies(answers, asked);

        answers.set(false); // as a node that has died, but for sharding
        asked.set(false);
        CompletionStage<Me> answer = ask(stays);
        await().atMost(SOON).untilTrue(asked);
        Cluster.get(stays)
                .manager()
                .tell(new Down(Cluster.get(dies).selfMember().address()));

        assertThat(get(answer)).isEqualTo(new Me("stays"));
    }

    /** Nothing can be sent, and who tried it would ask nobody again. */
    @Test
    void aQuestionThatIsStillBeingMadeIsNotAskedAgain() throws Exception {
        AtomicBoolean answers = new AtomicBoolean(true);
        AtomicBoolean asked = new AtomicBoolean();
        startOwnedByWhoDies(answers, asked);
        CountDownLatch making = new CountDownLatch(1);
        CountDownLatch made = new CountDownLatch(1);
        CompletableFuture<CompletionStage<Me>> slow = CompletableFuture.supplyAsync(() -> Owners.get(stays)
                .ask(
                        ClusterSharding.get(stays).entityRefFor(OWNER, "one"),
                        replyTo -> {
                            making.countDown();
                            made.await();
                            return new Who(replyTo);
                        },
                        SOON));
        making.await();
        answers.set(false);
        asked.set(false);
        CompletionStage<Me> unanswered = ask(stays);
        await().atMost(SOON).untilTrue(asked);

        LoggingTestKit.error("null").withOccurrences(0).expect(stays, () -> {
            Cluster.get(stays)
                    .manager()
                    .tell(new Down(Cluster.get(dies).selfMember().address()));
            return assertThat(unanswered.toCompletableFuture().join()).isEqualTo(new Me("stays"));
        });
        made.countDown();
        assertThat(get(get(slow))).isEqualTo(new Me("stays"));
    }

    @Test
    void answersTakeNoThreadsOfTheirOwn() throws Exception {
        CountDownLatch dependsOnIt = new CountDownLatch(1);
        join(stays, stays);
        ClusterSharding.get(stays)
                .init(Entity.of(
                        OWNER,
                        entity -> Behaviors.receive(Who.class)
                                .onMessage(Who.class, who -> {
                                    dependsOnIt.await();
                                    who.replyTo().tell(new Me("stays"));
                                    return Behaviors.same();
                                })
                                .build()));

        CompletionStage<String> thread =
                ask(stays).thenApply(me -> Thread.currentThread().getName());
        dependsOnIt.countDown();

        assertThat(thread.toCompletableFuture().get(SOON.toSeconds(), TimeUnit.SECONDS))
                .contains("default-dispatcher");
    }

    /** As long as the question itself may take: a test that loses it fails by its time-out. */
    private static <A> A get(CompletionStage<A> answer) throws Exception {
        return answer.toCompletableFuture().get(SOON.toSeconds(), TimeUnit.SECONDS);
    }
}
