package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.testing.PostgresServer;
import java.nio.file.Files;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A node that does not fit its cluster does not join it, and says why. */
class JoiningIT extends ClusterIntegration {
    @Test
    void whatMustBeTheSameIsComparedBeforeANodeJoins() {
        Node first = cluster.both("first", "");
        Node other = cluster.registry("other", """
                kiln.cache.max-life = 5s
                kiln.secret = "another one than theirs"
                kiln.store.dir = ${kiln.data-dir}"/store"
                akka.cluster.sharding.number-of-shards = 50
                """);
        Node builder = cluster.builder("builder", List.of(AMD64), "kiln.queue.lease = 40s");
        first.start();
        other.launch();
        builder.launch();

        assertThat(other.awaitEnd()).isEqualTo(1);
        assertThat(other.log())
                .contains("kiln ends: this node cannot join its cluster")
                .contains("kiln.cache.max-life is 5000ms, and in the cluster 10000ms")
                .contains("kiln.secret is one whose SHA-256 begins with ")
                .contains("kiln.store.dir is the store whose file id says ")
                .contains("akka.cluster.sharding.number-of-shards is 50, and in the cluster 100")
                .doesNotContain("another one than theirs");
        assertThat(builder.awaitEnd()).isEqualTo(1);
        assertThat(builder.log()).contains("kiln.queue.lease is 40000ms, and in the cluster 30000ms");
        assertThat(first.readiness()).isEqualTo(200);
        assertThat(first.log()).doesNotContain(other.remoting() + "] is JOINING");

        other.with("").start();
        builder.with("").start();
    }

    @Test
    void aNodeWithAnotherDatabaseIsNotLetIn() {
        try (PostgresServer elsewhere = PostgresServer.create()) {
            Node first = cluster.both("first", "");
            Node other = cluster.registry("other", elsewhere.config());
            first.start();
            other.launch();

            awaitLog(other, "are members of a cluster that has not claimed this database");
            assertThat(other.readiness()).isEqualTo(503);
            assertThat(first.log()).doesNotContain(other.remoting() + "] is JOINING");
        }
    }

    /** It would else form a cluster of its own beside the one that it is to join. */
    @Test
    void aMemberThatAnswersLateIsWaitedFor() {
        try (PostgresServer elsewhere = PostgresServer.create()) {
            Node first = cluster.both("first", "");
            Node other = cluster.registry("other", elsewhere.config());
            first.start();
            first.freeze();
            other.launch();
            awaitLog(
                    other,
                    "no contact point is a member of a cluster, but [" + first.management() + "] may yet say so");
            first.thaw();

            awaitLog(other, "are members of a cluster that has not claimed this database");
            assertThat(other.readiness()).isEqualTo(503);
        }
    }

    @Test
    void aLaterSchemaIsRefused() throws Exception {
        Node first = cluster.both("first", "");
        Node earlier = cluster.both("earlier", "");
        first.start();
        try (Connection connection = DriverManager.getConnection(
                        postgres.database(postgres.port()).url(),
                        postgres.database(postgres.port()).user(),
                        postgres.database(postgres.port()).password());
                Statement later = connection.createStatement()) {
            later.executeUpdate("INSERT INTO flyway_schema_history (installed_rank, version, description, type, script,"
                    + " checksum, installed_by, execution_time, success)"
                    + " VALUES (900, '900', 'later', 'SQL', 'V900__later.sql', 1, 'kiln', 1, true)");
        }
        earlier.launch();

        assertThat(earlier.awaitEnd()).isEqualTo(1);
        assertThat(earlier.log()).contains("kiln cannot start: the database's schema is version 900");
        assertThat(first.readiness()).isEqualTo(200);
    }

    @Test
    void aCopyOfANodesDataDirIsNoSecondNode() throws Exception {
        Node first = cluster.both("first", "");
        Node copy = cluster.both("copy", "");
        first.start();
        Files.createDirectory(copy.dataDir());
        Files.copy(first.dataDir().resolve("node-name"), copy.dataDir().resolve("node-name"));
        copy.launch();

        assertThat(copy.awaitEnd()).isEqualTo(1);
        assertThat(copy.log())
                .contains("kiln ends: the node at kiln@" + first.remoting() + " is called node-")
                .contains("remove the file node-name");
        assertThat(first.readiness()).isEqualTo(200);
    }
}
