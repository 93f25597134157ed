package dev.kiln.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.config.ConfigLoader;
import dev.kiln.config.KilnConfig;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs on the embedded database, or on an empty one that {@code -Dtest.database=jdbc:postgresql://…} names (user and
 * password {@code kiln}).
 */
class SchemaTest {
    @TempDir
    Path dir;

    @Test
    void aDatabaseIsMadeOnceAndKept() throws Exception {
        KilnConfig.Database database = database();

        Schema.migrate(database);
        byte[] secret = new JdbcClusterSecret(() -> open(database)).get(ClusterSecret.HOP);
        Schema.migrate(database);

        assertThat(new JdbcClusterSecret(() -> open(database)).get(ClusterSecret.HOP))
                .hasSize(32)
                .isEqualTo(secret);
        assertThat(new JdbcClusterSecret(() -> open(database)).get("other")).isNotEqualTo(secret);
        execute(
                database,
                "INSERT INTO builds (id, repository, revision, platform, phase, request, attempt, requested_at, builder,"
                        + " client, address, hint, reference, seq) VALUES ('a', 'r', '0', 'linux/amd64', 'QUEUED', 1, 0,"
                        + " CURRENT_TIMESTAMP, 'make', '', '', '', 'main', 1)"
                        + " ON CONFLICT DO NOTHING");
    }

    @Test
    void nodesThatStartTogetherShareOneSecret() throws Exception {
        KilnConfig.Database database = database();
        ExecutorService nodes = Executors.newFixedThreadPool(8);
        try {
            Callable<String> node = () -> {
                Schema.migrate(database);
                return HexFormat.of().formatHex(new JdbcClusterSecret(() -> open(database)).get("together"));
            };
            List<Future<String>> secrets =
                    nodes.invokeAll(IntStream.range(0, 8).mapToObj(i -> node).toList());
            String first = secrets.get(0).get();
            for (Future<String> secret : secrets) {
                assertThat(secret.get()).isEqualTo(first);
            }
        } finally {
            nodes.shutdownNow();
        }
    }

    @Test
    void theSchemaOfALaterKilnIsRefused() throws Exception {
        KilnConfig.Database database = database();
        Schema.migrate(database);
        execute(
                database,
                "INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum,"
                        + " installed_by, execution_time, success)"
                        + " VALUES (99, '999', 'later', 'SQL', 'V999__later.sql', 1, 'x', 1, true)");

        assertThatThrownBy(() -> Schema.migrate(database))
                .isInstanceOf(CannotStart.class)
                .hasMessage("the database's schema is version 999, which a later Kiln made; this one knows up to 2:"
                        + " start the later one");
        execute(database, "DELETE FROM flyway_schema_history WHERE installed_rank = 99");
    }

    @Test
    void anEmbeddedDatabaseThatIsInUseNamesItsFolder() throws Exception {
        KilnConfig.Database database = embedded();
        Schema.migrate(database);

        try (FileChannel other = FileChannel.open(dir.resolve("journal.mv.db"), StandardOpenOption.WRITE);
                FileLock lock = other.lock()) {
            assertThat(lock.isValid()).isTrue();
            assertThatThrownBy(() -> Schema.migrate(database))
                    .isInstanceOf(CannotStart.class)
                    .hasMessage("the embedded database in data-dir " + dir
                            + " is in use by another process; stop it, or give this node a data-dir of its own");
        }
    }

    @Test
    void aDatabaseOutOfReachIsToldInOneLineWithoutThePassword() {
        KilnConfig.Database nowhere = new KilnConfig.Database("jdbc:postgresql://127.0.0.1:1/kiln", "u", "hunter2", 4);

        assertThatThrownBy(() -> Schema.migrate(nowhere))
                .isInstanceOf(CannotStart.class)
                .hasMessageContaining("127.0.0.1:1")
                .message()
                .doesNotContain("\n", "hunter2");
    }

    private KilnConfig.Database database() {
        String url = System.getProperty("test.database");
        return url == null ? embedded() : new KilnConfig.Database(url, "kiln", "kiln", 4);
    }

    private KilnConfig.Database embedded() {
        Properties properties = new Properties();
        properties.setProperty("kiln.data-dir", dir.toString());
        return ConfigLoader.load(Optional.empty(), properties).kiln().database();
    }

    private static Connection open(KilnConfig.Database database) throws SQLException {
        return DriverManager.getConnection(database.url(), database.user(), database.password());
    }

    private static void execute(KilnConfig.Database database, String sql) throws SQLException {
        try (Connection connection = open(database);
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }
}
