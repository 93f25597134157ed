package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.nio.file.Path;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One registry node, the queue's, does not reach the database, and its peers do. */
class CutFromDatabaseIT {
    @TempDir
    Path directory;

    @Test
    void theNodeServesWhatItKnowsThenLeavesSoThatOthersGoOnAndComesBack() {
        try (ClusterLab lab = new ClusterLab(directory, 3, 2)) {
            lab.branch("known");
            lab.branch("meanwhile");
            lab.branch("later");
            lab.branch("afterwards");
            lab.start();
            ClusterNode node = lab.queuesNode();
            int host = lab.nodes.indexOf(node);
            PullClient there = new PullClient(node::http, ClusterLab.REPOSITORY);
            PullClient anywhere = new PullClient(lab::registry, ClusterLab.REPOSITORY);
            Answer known = PullClient.join(there.pull("known"));
            assertThat(known.status()).as(known.text()).isEqualTo(200);

            lab.hosts.cutFromDatabase(host);
            Awaitility.await("it says so")
                    .atMost(ClusterLab.SOON)
                    .until(() -> get(there, node, "/health/ready").text().contains("impaired"));
            assertThat(get(there, node, there.manifests("known")).digest()).isEqualTo(known.digest());
            assertThat(get(there, node, there.manifests("meanwhile")).status()).isIn(307, 503);
            lab.cutFromDatabaseUntilItLeaves(node);

            Answer later = PullClient.join(anywhere.pull("later"));
            assertThat(later.status()).as(later.text()).isEqualTo(200);
            assertThat(PullClient.join(anywhere.pull("known")).digest()).isEqualTo(known.digest());
            assertThat(lab.registryNodes()).filteredOn(other -> other != node).allMatch(other -> other.lives() == 1);

            Awaitility.await("the database has ended the node's sessions, which may hold locks")
                    .atMost(ClusterLab.SOON)
                    .until(() -> lab.postgres.sessionsWith(lab.hosts.address(host)) == 0);

            lab.hosts.mendToDatabase(host);
            lab.awaitReady(node);
            Answer afterwards = PullClient.join(there.pull("afterwards"));
            assertThat(afterwards.status()).as(afterwards.text()).isEqualTo(200);
        }
    }

    private static Answer get(PullClient client, ClusterNode node, String path) {
        return PullClient.join(client.request("GET", node.http(), path, "Accept", PullClient.INDEX));
    }
}
