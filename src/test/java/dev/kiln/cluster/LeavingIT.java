package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Nodes that are told to end, and nodes that the cluster has removed. */
class LeavingIT extends ClusterIntegration {
    private static final int SIGTERM = 143;
    private static final int REMOVED = 3;

    @Test
    void aRegistryNodeIsUnreadyFirstServesOnAndEndsHeldPullsByTheirHop() {
        Node leaves = cluster.registry("leaves", "kiln.shutdown.unready = 15s");
        Node stays = cluster.registry("stays", "");
        cluster.builder("builder", List.of(AMD64, ARM64), "");
        cluster.branch("known");
        String late = cluster.gatedBranch("late", AMD64);
        cluster.startAll();
        Answer known = pull(leaves, "known");
        CompletableFuture<Answer> held = leaves.client()
                .request("GET", leaves.url(), leaves.client().manifests("late"), "Accept", PullClient.INDEX);
        leaves.awaitPhase(ClusterProcesses.build(late, AMD64), "running");

        leaves.terminate();

        await("it tells that it wants no requests")
                .atMost(ClusterProcesses.SOON)
                .until(() -> leaves.readiness() == 503);
        assertThat(leaves.get("/health/ready").text()).contains("the node is shutting down");
        assertThat(pull(leaves, "known").digest()).as("it serves on").isEqualTo(known.digest());
        assertThat(held).as("nobody is sent away before the end of the hop").isNotDone();
        Answer end = PullClient.join(held);
        assertThat(end.status()).isEqualTo(307);
        assertThat(leaves.awaitEnd()).isEqualTo(SIGTERM);
        assertThat(leaves.log()).doesNotContain(" ERROR ");

        cluster.open(late, AMD64);
        Answer built = PullClient.join(stays.client().follow(end.header("Location"), 1, "Accept", PullClient.INDEX));
        assertThat(built.status()).isEqualTo(200);
        assertThat(stays.status(ClusterProcesses.build(late, AMD64))
                        .path("attempt")
                        .asInt())
                .isEqualTo(1);
        assertThat(pull(stays, "known").digest()).isEqualTo(known.digest());
    }

    @Test
    void aBuilderFinishesWhatItCanAndHandsTheRestBack() {
        Node registry = cluster.registry("registry", "");
        Node patient = cluster.builder("patient", List.of(AMD64), "kiln.shutdown.builds = 100s");
        Node hasty = cluster.builder("hasty", List.of(ARM64), "kiln.shutdown.builds = 0s");
        Node next = cluster.builder("next", List.of(AMD64, ARM64), "");
        String revision = cluster.gatedBranch("main", AMD64, ARM64);
        registry.launch();
        patient.launch();
        hasty.start();
        patient.awaitReady();
        CompletableFuture<Answer> waits = registry.client().pull("main");
        BuildKey finished = ClusterProcesses.build(revision, AMD64);
        BuildKey handedBack = ClusterProcesses.build(revision, ARM64);
        registry.awaitPhase(finished, "running");
        registry.awaitPhase(handedBack, "running");
        next.start();

        patient.terminate();
        hasty.terminate();
        assertThat(hasty.awaitEnd()).isEqualTo(SIGTERM);
        cluster.open(revision, AMD64);
        assertThat(patient.awaitEnd()).isEqualTo(SIGTERM);
        cluster.open(revision, ARM64);

        assertThat(PullClient.join(waits).children()).containsOnlyKeys(AMD64, ARM64);
        assertThat(registry.status(finished).path("attempt").asInt()).isEqualTo(1);
        assertThat(registry.status(handedBack).path("attempt").asInt()).isEqualTo(2);
    }

    @Test
    void theLossOfMostNodesEndsNoRegistryNodeAsLongAsTheyAreBuilders() {
        Node registry = cluster.registry("registry", "");
        Node amd = cluster.builder("amd", List.of(AMD64), "");
        Node arm = cluster.builder("arm", List.of(ARM64), "");
        String revision = cluster.gatedBranch("main", AMD64, ARM64);
        cluster.startAll();
        CompletableFuture<Answer> waits = registry.client().pull("main");
        registry.awaitPhase(ClusterProcesses.build(revision, AMD64), "running");
        registry.awaitPhase(ClusterProcesses.build(revision, ARM64), "running");

        amd.freeze();
        arm.kill();
        for (Node lost : List.of(amd, arm)) {
            await(lost + " is removed").atMost(ClusterProcesses.SOON).until(() -> isDowned(lost, registry));
        }
        assertThat(registry.readiness()).isEqualTo(200);
        amd.thaw();
        assertThat(amd.awaitEnd()).isEqualTo(REMOVED);

        cluster.open(revision, AMD64);
        cluster.open(revision, ARM64);
        amd.start();
        arm.start();
        assertThat(PullClient.join(waits).children()).containsOnlyKeys(AMD64, ARM64);
        assertThat(registry.isRunning()).isTrue();
    }

    @Test
    void whoTheClusterHasRemovedEndsWithACodeOfItsOwn() {
        Node first = cluster.registry("first", "");
        Node second = cluster.registry("second", "");
        Node frozen = cluster.registry("frozen", "");
        Node builder = cluster.builder("builder", List.of(AMD64, ARM64), "");
        cluster.branch("main");
        cluster.startAll();
        pull(frozen, "main");

        frozen.freeze();
        await("the others have removed it")
                .atMost(ClusterProcesses.SOON)
                .until(() -> Stream.of(first, second, builder).anyMatch(leader -> isDowned(frozen, leader)));
        frozen.thaw();
        assertThat(frozen.awaitEnd()).isEqualTo(REMOVED);
        assertThat(frozen.log()).contains("kiln ends: ");
        pull(first, "main");
        frozen.start();
        pull(frozen, "main");

        List.of(first, second, frozen).forEach(Node::terminate);
        assertThat(builder.awaitEnd()).isEqualTo(REMOVED);
        assertThat(builder.log()).contains("kiln ends: no registry node is left in the cluster");
    }

    /** Whether this node's log says that the split-brain resolver there has the lost one removed. */
    private static boolean isDowned(Node lost, Node by) {
        return Pattern.compile("is downing \\[[^\\]]*" + Pattern.quote(lost.remoting()))
                .matcher(by.log())
                .find();
    }
}
