package dev.kiln.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.config.ConfigLoader;
import dev.kiln.config.KilnConfig;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.flywaydb.core.Flyway;
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

    /** The embedded database commits each statement by itself, and notes a whole step only after its last one. */
    @Test
    void aStartThatWasKilledBetweenTwoStatementsIsGoneOverAgain() throws Exception {
        List<String> statements = new ArrayList<>();
        for (String step : List.of("V1__journal.sql", "V2__read_model.sql", "V3__claim.sql")) {
            try (InputStream in = Schema.class.getResourceAsStream("/db/migration/" + step)) {
                Arrays.stream(new String(in.readAllBytes(), StandardCharsets.UTF_8)
                                .replaceAll("(?m)--.*$", "")
                                .split(";"))
                        .filter(statement -> !statement.isBlank())
                        .forEach(statements::add);
            }
        }
        assertThat(statements).hasSizeGreaterThan(10);
        for (int done = 1; done <= statements.size(); done++) {
            KilnConfig.Database database = embedded(dir.resolve("killed-after-" + done));
            Flyway.configure()
                    .dataSource(database.url(), database.user(), database.password())
                    .locations("filesystem:" + dir)
                    .load()
                    .migrate();
            for (String statement : statements.subList(0, done)) {
                execute(database, statement);
            }

            Schema.migrate(database);

            execute(database, "SELECT * FROM event_journal, event_tag, snapshot, cluster_secret, builds");
        }
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
                .hasMessageMatching(
                        "the database's schema is version 999, which a later Kiln made; this one knows up to \\d+:"
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
        return embedded(dir);
    }

    private static KilnConfig.Database embedded(Path dataDir) {
        Properties properties = new Properties();
        properties.setProperty("kiln.data-dir", dataDir.toString());
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
