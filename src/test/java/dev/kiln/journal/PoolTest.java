package dev.kiln.journal;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.pattern.StatusReply;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.LoadedConfig;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PoolTest {
    // a test's process outlives its actor system, and the events of other packages are not this test's business
    private static final Config IN_A_TEST = Stream.of("build-event", "queue-event", "tag-event", "queue-state")
            .map(name -> "akka.serialization.jackson." + name + ".deserialization-type = dev.kiln.oci.Wire\n")
            .collect(Collectors.collectingAndThen(Collectors.joining(), ConfigFactory::parseString))
            .withFallback(ConfigFactory.parseString("""
                            akka.coordinated-shutdown.exit-jvm = off
                            akka.actor.serialization-bindings {
                              "dev.kiln.build.BuildEvent" = none
                              "dev.kiln.build.QueueEvent" = none
                              "dev.kiln.image.TagEvent" = none
                              "dev.kiln.build.QueueState" = none
                            }
                            """));

    @TempDir
    Path dir;

    /** Counts its events, which are texts. */
    private static final class Counter extends EventSourcedBehavior<ActorRef<StatusReply<Integer>>, String, Integer> {
        Counter() {
            super(PersistenceId.ofUniqueId("counter"));
        }

        @Override
        public Integer emptyState() {
            return 0;
        }

        @Override
        public CommandHandler<ActorRef<StatusReply<Integer>>, String, Integer> commandHandler() {
            return newCommandHandlerBuilder()
                    .forAnyState()
                    .onAnyCommand(
                            (state, replyTo) -> Effect().persist("once").thenReply(replyTo, StatusReply::success));
        }

        @Override
        public EventHandler<Integer, String> eventHandler() {
            return newEventHandlerBuilder().forAnyState().onAnyEvent((state, event) -> state + 1);
        }
    }

    @Test
    void eventsSurviveARestartAndThePoolSeesThem() throws SQLException {
        Properties properties = new Properties();
        String url = System.getProperty("test.database");
        if (url != null) {
            properties.setProperty("kiln.database.url", url);
            properties.setProperty("kiln.database.password", "kiln");
        }
        properties.setProperty("kiln.data-dir", dir.toString());
        LoadedConfig loaded = ConfigLoader.load(Optional.empty(), properties);
        Schema.migrate(loaded.kiln().database());

        assertThat(persistOne(loaded)).isEqualTo(1);
        assertThat(persistOne(loaded)).isEqualTo(2);
    }

    private static int persistOne(LoadedConfig loaded) throws SQLException {
        ActorTestKit kit = ActorTestKit.create("kiln", IN_A_TEST.withFallback(loaded.akka()));
        try {
            ActorSystem<?> system = kit.system();
            var probe = kit.<StatusReply<Integer>>createTestProbe();
            kit.spawn(new Counter()).tell(probe.getRef());
            int count = probe.receiveMessage(Duration.ofSeconds(20)).getValue();
            try (Connection connection = Pool.of(system).open();
                    Statement statement = connection.createStatement();
                    ResultSet events = statement.executeQuery("SELECT max(ordering), count(*) FROM event_journal")) {
                assertThat(events.next()).isTrue();
                assertThat(events.getInt(1)).as("no gap in the ordering").isEqualTo(count);
                assertThat(events.getInt(2)).isEqualTo(count);
            }
            return count;
        } finally {
            kit.shutdownTestKit();
        }
    }
}
