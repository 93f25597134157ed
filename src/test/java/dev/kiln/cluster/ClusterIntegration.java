package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.testing.PostgresServer;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A PostgreSQL of its own and no node yet, for tests with processes. */
@Tag("clients")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
abstract class ClusterIntegration {
    @TempDir
    Path directory;

    PostgresServer postgres;
    ClusterProcesses cluster;

    @BeforeEach
    void createCluster() {
        postgres = PostgresServer.create();
        cluster = ClusterProcesses.in(directory, postgres);
    }

    @AfterEach
    void closeCluster() {
        if (cluster != null) {
            cluster.close();
        }
        if (postgres != null) {
            postgres.close();
        }
    }

    static Answer pull(Node node, String reference) {
        Answer answer = PullClient.join(node.client().pull(reference));
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
        return answer;
    }

    static void awaitLog(Node node, String text) {
        await(node + " says: " + text)
                .atMost(ClusterProcesses.SOON)
                .until(() -> node.log().contains(text));
    }
}
