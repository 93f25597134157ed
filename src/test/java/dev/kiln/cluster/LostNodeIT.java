package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.awaitility.Awaitility.await;

import dev.kiln.cluster.ClusterProcesses.Node;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A node is gone for ever, and nobody is told. */
class LostNodeIT extends ClusterIntegration {
    @Test
    void theListOfBuildsGoesOnWhenTheOldestNodeIsLostAndABuilderIsTheNext() {
        Node oldest = cluster.registry("oldest", "");
        Node builder = cluster.builder("builder", List.of(AMD64, ARM64), "");
        Node second = cluster.registry("second", "");
        Node third = cluster.registry("third", "");
        oldest.start();
        builder.start();
        second.launch();
        third.start();
        second.awaitReady();
        String before = cluster.branch("before");
        pull(second, "before");
        awaitListed(second, before);

        oldest.kill();
        String after = cluster.branch("after");
        pull(second, "after");
        awaitListed(second, after);
        awaitListed(third, after);
    }

    private static void awaitListed(Node node, String revision) {
        await(revision + " is in the list of " + node)
                .atMost(ClusterProcesses.SOON)
                .until(() -> node.get("/api/v1/builds?phase=built").text().contains(revision));
    }
}
