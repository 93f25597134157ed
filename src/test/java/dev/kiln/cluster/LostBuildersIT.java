package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.nio.file.Path;
import java.util.List;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LostBuildersIT {
    @TempDir
    Path directory;

    /** One by one, so that what is reachable goes on changing for longer than the cluster needs to be stable. */
    @Test
    @Tag("long")
    void buildersThatStandStillOneAfterTheOtherTakeNoRegistryNodeWithThem() {
        try (ClusterLab lab = new ClusterLab(directory, 3, 4)) {
            PullClient client = new PullClient(lab::registry, ClusterLab.REPOSITORY);
            lab.branch("known");
            lab.branch("later");
            lab.start();
            Answer known = PullClient.join(client.pull("known"));
            List<ClusterNode> builders = lab.builderNodes();
            for (ClusterNode builder : builders) {
                builder.freeze();
                awaitLog(lab, "Marking node as UNREACHABLE [Member(" + lab.remoting(builder));
            }
            Awaitility.await("the cluster goes on without any of them")
                    .atMost(ClusterLab.SOON)
                    .until(() -> lab.registryNodes().stream()
                            .flatMap(node -> node.log().lines())
                            .filter(line -> line.contains("SBR took decision"))
                            .anyMatch(line ->
                                    builders.stream().allMatch(builder -> line.contains(lab.remoting(builder)))));
            assertThat(lab.registryNodes()).allMatch(node -> node.lives() == 1);
            assertThat(PullClient.join(client.pull("known")).digest()).isEqualTo(known.digest());

            builders.forEach(ClusterNode::thaw);
            assertThat(PullClient.join(client.pull("later")).status()).isEqualTo(200);
            assertThat(lab.registryNodes()).allMatch(node -> node.lives() == 1);
            Awaitility.await("each builder has begun another life")
                    .atMost(ClusterLab.SOON)
                    .until(() -> builders.stream().allMatch(node -> node.lives() == 2));
        }
    }

    private static void awaitLog(ClusterLab lab, String text) {
        Awaitility.await("a registry node says: " + text)
                .atMost(ClusterLab.SOON)
                .until(() ->
                        lab.registryNodes().stream().anyMatch(node -> node.log().contains(text)));
    }
}
