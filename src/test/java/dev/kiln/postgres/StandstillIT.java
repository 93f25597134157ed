package dev.kiln.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.LoadedConfig;
import dev.kiln.journal.Pool;
import dev.kiln.journal.Schema;
import dev.kiln.testing.PostgresServer;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A node that stands still in the middle of a transaction, as a stopped process does. */
@Tag("clients")
class StandstillIT {
    /** So that the pool has no other connection to hand out than that of the transaction that failed. */
    private static final Config TWO_CONNECTIONS = ConfigFactory.parseString(
            "akka-persistence-jdbc.shared-databases.main.db { numThreads = 2, maxConnections = 2 }");

    @TempDir
    Path directory;

    @Test
    void othersWriteWhatItWasWritingAndItsTransactionFailsWhenItWakesUp() throws SQLException {
        try (PostgresServer postgres = PostgresServer.create()) {
            LoadedConfig loaded = load(postgres.database(postgres.port()));
            Schema.migrate(loaded.kiln().database());
            ActorTestKit kit = ActorTestKit.create("kiln", TWO_CONNECTIONS.withFallback(loaded.akka()));
            try {
                Pool pool = Pool.of(kit.system());
                try (Connection next = pool.open()) {
                    update(next, "INSERT INTO claim (id, holder) VALUES (1, 'nobody')");
                    try (Connection still = pool.open()) {
                        still.setAutoCommit(false);
                        update(still, "UPDATE claim SET holder = 'who stands still'");

                        update(next, "UPDATE claim SET holder = 'the next owner'");

                        assertThatThrownBy(still::commit).isInstanceOf(SQLException.class);
                    }
                    try (Connection another = pool.open()) {
                        assertThat(holder(another)).isEqualTo("the next owner");
                    }
                }
            } finally {
                kit.shutdownTestKit();
            }
        }
    }

    private LoadedConfig load(KilnConfig.Database database) {
        Properties properties = new Properties();
        properties.setProperty("kiln.data-dir", directory.toString());
        properties.setProperty("kiln.database.url", database.url());
        properties.setProperty("kiln.database.user", database.user());
        properties.setProperty("kiln.database.password", database.password());
        return ConfigLoader.load(Optional.empty(), properties);
    }

    private static void update(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate(sql);
        }
    }

    private static String holder(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet row = statement.executeQuery("SELECT holder FROM claim")) {
            row.next();
            return row.getString(1);
        }
    }
}
