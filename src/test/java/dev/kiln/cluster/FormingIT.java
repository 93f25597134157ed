package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** Several processes on one PostgreSQL become one cluster, and never two. */
class FormingIT extends ClusterIntegration {
    @Test
    void threeRegistryNodesAndTwoBuildersBuildEachPlatformOnceForAll() {
        List<Node> registries =
                List.of(cluster.registry("r1", ""), cluster.registry("r2", ""), cluster.registry("r3", ""));
        cluster.builder("amd64", List.of(AMD64), "");
        Node arm = cluster.builder("arm64", List.of(ARM64), "");
        String revision = cluster.branch("main");
        String late = cluster.gatedBranch("late", ARM64);
        cluster.startAll();

        List<CompletableFuture<Answer>> pulls = new ArrayList<>();
        registries.forEach(node -> pulls.add(node.client().pull("main")));
        List<Answer> answers = pulls.stream().map(PullClient::join).toList();

        assertThat(answers).extracting(Answer::status).containsOnly(200);
        assertThat(answers)
                .extracting(Answer::digest)
                .containsOnly(answers.get(0).digest());
        assertThat(answers.get(0).children()).containsOnlyKeys(AMD64, ARM64);
        registries.forEach(node -> node.client().readAll(answers.get(0)));
        for (String platform : List.of(AMD64, ARM64)) {
            for (Node node : registries) {
                assertThat(node.status(ClusterProcesses.build(revision, platform))
                                .path("attempt")
                                .asInt())
                        .isEqualTo(1);
            }
        }

        CompletableFuture<Answer> held = registries.get(1).client().pull("late");
        registries.get(1).awaitPhase(ClusterProcesses.build(late, ARM64), "running");
        registries.get(0).kill();
        arm.kill();
        cluster.open(late, ARM64);
        arm.start();
        assertThat(PullClient.join(held).status()).isEqualTo(200);
        cluster.branch("next");
        assertThat(pull(registries.get(2), "next").children()).containsOnlyKeys(AMD64, ARM64);
        registries.get(0).start();
        assertThat(pull(registries.get(0), "main").digest())
                .isEqualTo(answers.get(0).digest());
        registries.forEach(node -> node.client().readAllAgain());
    }

    @Test
    void aNodeByItselfAndAClusterKeepEachOtherOut() {
        Node first = cluster.both("first", "");
        Node alone = cluster.both("alone", "kiln.cluster.discovery = none");
        first.start();

        alone.launch();
        assertThat(alone.awaitEnd()).isEqualTo(1);
        assertThat(alone.log()).contains("kiln cannot start: another node uses this database");

        first.stop();
        alone.start();
        first.launch();
        assertThat(first.awaitEnd()).isEqualTo(1);
        assertThat(first.log()).contains("kiln cannot start: a node that is a cluster of itself");
    }

    @Test
    void nodesThatDoNotFindEachOtherFormNoSecondCluster() {
        Node first = cluster.both("first", "");
        Node apart = cluster.both("apart", "");
        Node stranger = cluster.registry("stranger", "");
        first.start();

        apart.with("kiln.cluster.contact-points = [\"" + apart.management() + "\"]")
                .launch();
        stranger.with("kiln.cluster.contact-points = [\"127.0.0.1:1\"]").launch();
        awaitLog(apart, "another cluster has claimed the database (its registry nodes: kiln@" + first.remoting());
        awaitLog(stranger, "own management address is not among the contact points");
        assertThat(apart.readiness()).isEqualTo(503);
        stranger.kill();

        first.kill();
        apart.awaitReady();
        first.with("kiln.cluster.contact-points = [\"" + first.management() + "\"]")
                .launch();
        awaitLog(first, "another cluster has claimed the database (its registry nodes: kiln@" + apart.remoting());
    }
}
