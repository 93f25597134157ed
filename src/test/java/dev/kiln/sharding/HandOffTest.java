package dev.kiln.sharding;

import static org.awaitility.Awaitility.await;

import akka.actor.CoordinatedShutdown;
import akka.actor.testkit.typed.javadsl.LoggingTestKit;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.MemberStatus;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.persistence.testkit.PersistenceTestKitPlugin;
import akka.persistence.testkit.PersistenceTestKitSnapshotPlugin;
import akka.persistence.testkit.ProcessingSuccess;
import akka.persistence.testkit.StorageFailure;
import akka.persistence.testkit.WriteEvents;
import akka.persistence.testkit.javadsl.PersistenceTestKit;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.typesafe.config.ConfigFactory;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** What a node that leaves does with entities that do not reach the journal. */
class HandOffTest {
    private static final EntityTypeKey<String> KEY = EntityTypeKey.create(String.class, "Text");

    private final ActorSystem<Void> system = ActorSystem.create(
            Behaviors.empty(),
            "kiln",
            ConfigFactory.parseString("akka { actor.allow-java-serialization = on, cluster.jmx.enabled = off }")
                    .withFallback(PersistenceTestKitPlugin.config())
                    .withFallback(PersistenceTestKitSnapshotPlugin.config())
                    .withFallback(ConfigFactory.parseResources("kiln-akka.conf"))
                    .withFallback(ConfigFactory.load())
                    .resolve());

    /** Records what it is told, and begins anew as Kiln's entities do. */
    private static final class Text extends EventSourcedBehavior<String, String, String> {
        Text(String id) {
            super(
                    PersistenceId.of(KEY.name(), id),
                    SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(3), 0.2));
        }

        @Override
        public String emptyState() {
            return "";
        }

        @Override
        public CommandHandler<String, String, String> commandHandler() {
            return newCommandHandlerBuilder()
                    .forAnyState()
                    .onAnyCommand(text -> Effect().persist(text));
        }

        @Override
        public EventHandler<String, String> eventHandler() {
            return newEventHandlerBuilder().forAnyState().onAnyEvent((state, event) -> state + event);
        }
    }

    /** Sharding ends them, and says so: else the whole region is ended, later, when the node's phase is over. */
    @Test
    void theyEndBeforeTheNodeGivesUpWaitingForThem() {
        Cluster cluster = Cluster.get(system);
        cluster.manager().tell(Join.create(cluster.selfMember().address()));
        await().until(() -> cluster.selfMember().status() == MemberStatus.up());
        ClusterSharding sharding = ClusterSharding.get(system);
        sharding.init(Entity.of(KEY, entity -> new Text(entity.getEntityId())));
        AtomicBoolean there = new AtomicBoolean(true);
        AtomicBoolean failed = new AtomicBoolean();
        PersistenceTestKit journal = PersistenceTestKit.create(system);
        journal.withPolicy((id, operation) -> {
            if (there.get()) {
                return ProcessingSuccess.getInstance();
            }
            if (!(operation instanceof WriteEvents)) {
                failed.set(true);
            }
            return StorageFailure.create();
        });
        sharding.entityRefFor(KEY, "one").tell("a");
        journal.expectNextPersisted(PersistenceId.of(KEY.name(), "one").id(), "a");

        there.set(false);
        sharding.entityRefFor(KEY, "one").tell("b");
        await().untilTrue(failed);

        Logger log = (Logger) LoggerFactory.getLogger("akka.cluster.sharding");
        log.setLevel(Level.WARN);
        try {
            LoggingTestKit.warn("is not handled by some of the entities")
                    .expect(
                            system,
                            () -> CoordinatedShutdown.get(system)
                                    .runAll(CoordinatedShutdown.unknownReason())
                                    .toCompletableFuture()
                                    .join());
        } finally {
            log.setLevel(null);
        }
    }
}
