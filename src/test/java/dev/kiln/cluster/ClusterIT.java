package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.build.BuildEvent;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Three registry nodes, two builders, PostgreSQL and HAProxy: what those who pull see of it. */
class ClusterIT {
    private static final int PULLS = 1000;
    private static final int TAGS = 30;

    @TempDir
    Path directory;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
    private ClusterLab lab;
    private PullClient client;

    @BeforeEach
    void start() {
        lab = new ClusterLab(directory, 3, 2);
        client = new PullClient(lab::registry, ClusterLab.REPOSITORY);
    }

    @AfterEach
    void close() {
        lab.close();
        threads.shutdownNow();
        timer.shutdownNow();
    }

    @Test
    void aThousandPullsOfAnUnbuiltTagOverAllNodesLeadToOneAttemptForEachPlatform() {
        String commit = lab.branch("main");
        lab.origin.ref("refs/tags/v1", commit);
        lab.start();
        List<String> names = List.of("main", "v1", commit);
        List<CompletableFuture<Answer>> pulls = new ArrayList<>();
        for (int i = 0; i < PULLS; i++) {
            pulls.add(client.pull(names.get(i % names.size())));
        }
        List<Answer> answers = pulls.stream().map(PullClient::join).toList();
        assertThat(answers).extracting(Answer::status).containsOnly(200);
        assertThat(answers)
                .extracting(Answer::digest)
                .containsOnly(answers.get(0).digest());
        assertThat(answers.get(0).children()).hasSize(ClusterLab.PLATFORMS.size());
        Map<String, List<BuildEvent>> builds = lab.journal().builds();
        assertThat(builds).hasSize(ClusterLab.PLATFORMS.size());
        builds.values()
                .forEach(events -> assertThat(events)
                        .filteredOn(BuildEvent.AttemptStarted.class::isInstance)
                        .hasSize(1));
        assertThat(lab.runs()).hasSize(ClusterLab.PLATFORMS.size());
        List<JsonNode> dedup = lab.registryNodes().stream()
                .map(node -> get(node.http(), "/api/v1/dedup").json())
                .toList();
        assertThat(dedup)
                .as("every node has held pulls")
                .allMatch(counts -> counts.path("saved").asLong() > 0);
        assertThat(dedup.stream()
                        .mapToLong(counts -> counts.path("started").asLong())
                        .sum())
                .as("builds that were begun")
                .isEqualTo(ClusterLab.PLATFORMS.size());
    }

    @Test
    @Tag("long")
    void whileTheDatabaseIsAwayWhatIsKnownIsServedAndAfterwardsAllGoesOnByItself() {
        lab.branch("known");
        lab.branch("late");
        lab.start();
        Answer known = PullClient.join(client.pull("known"));
        client.readAll(known);
        for (ClusterNode node : lab.registryNodes()) {
            PullClient direct = new PullClient(node::http, ClusterLab.REPOSITORY);
            assertThat(PullClient.join(direct.pull("known")).digest()).isEqualTo(known.digest());
        }

        lab.postgres.stop();
        for (ClusterNode node : lab.registryNodes()) {
            Awaitility.await(node + " knows")
                    .atMost(ClusterLab.SOON)
                    .until(() -> get(node.http(), "/health/ready").text().contains("has not answered since"));
        }
        for (int i = 0; i < 30; i++) {
            assertThat(PullClient.join(client.pull("known")).digest()).isEqualTo(known.digest());
        }
        client.readAllAgain();
        CompletableFuture<Answer> waits = client.pull("late");
        Answer hop =
                PullClient.join(client.request("GET", lab.registry(), client.manifests("late"), "Prefer", "wait=20"));
        assertThat(hop.status()).as(hop.text()).isIn(307, 503);
        assertThat(hop.header("Warning") + hop.text()).contains("the database has not answered since");
        assertThat(get(lab.registry(), "/api/v1/builds").status()).isEqualTo(503);
        assertThat(waits).isNotDone();

        lab.postgres.start();
        Answer late = PullClient.join(waits);
        assertThat(late.status()).as(late.text()).isEqualTo(200);
        assertThat(late.children()).hasSize(ClusterLab.PLATFORMS.size());
        lab.awaitIdle();
        assertThat(lab.journal().builds()).hasSize(2 * ClusterLab.PLATFORMS.size());
        client.readAllAgain();
    }

    private Answer get(URI server, String path) {
        return PullClient.join(client.request("GET", server, path));
    }

    @Test
    void aRollingRestartFailsNoPull() throws InterruptedException {
        lab.start();
        Load load = new Load(lab, 0, threads, timer, 1);
        load.start(60);
        for (ClusterNode node : lab.registryNodes()) {
            int before = load.pulls.size();
            node.stop();
            node.start();
            lab.awaitReady(node);
            Awaitility.await("pulls go on").atMost(ClusterLab.SOON).until(() -> load.pulls.size() > before + 10);
        }
        load.stop();
        assertThat(load.pulls).filteredOn(pull -> pull.failure().isPresent()).isEmpty();
        assertThat(load.client.readAgain().values()).allMatch(wrong -> wrong.isEmpty());
    }

    /** Nothing is asserted of how long it takes: it is printed. */
    @Test
    @Tag("long")
    void aKilledNodeIsDoneWithout() {
        for (int i = 0; i < TAGS; i++) {
            lab.branch("t" + i);
        }
        lab.start();
        for (int i = 0; i < TAGS; i++) {
            assertThat(PullClient.join(client.pull("t" + i + "?platform=linux/amd64"))
                            .status())
                    .isEqualTo(200);
        }
        Instant killed = Instant.now();
        lab.nodes.get(0).kill();
        Map<Duration, String> took = new TreeMap<>();
        List<CompletableFuture<Void>> pulls = new ArrayList<>();
        for (int i = 0; i < TAGS; i++) {
            String tag = "t" + i;
            // arm64 was not waited for by those who pulled: this asks the tag's owner
            pulls.add(client.pull(tag + "?platform=linux/arm64").thenAccept(answer -> {
                assertThat(answer.status()).as(tag + ": " + answer.text()).isEqualTo(200);
                synchronized (took) {
                    took.put(Duration.between(killed, Instant.now()), tag);
                }
            }));
        }
        pulls.forEach(PullClient::join);
        List<Duration> times = List.copyOf(took.keySet());
        System.out.println("after a registry node was killed: first pull answered after " + times.get(0)
                + ", half of them after " + times.get(times.size() / 2) + ", the last after "
                + times.get(times.size() - 1) + " (stable-after is 7s)");
    }

    @Test
    @Tag("long")
    void theBuildsOfAKilledBuilderAreMadeByAnotherLife() {
        lab.branch("main");
        lab.start();
        CompletableFuture<Answer> pull = client.pull("main");
        Awaitility.await("a build runs")
                .atMost(ClusterLab.SOON)
                .until(() -> !lab.runs().isEmpty());
        Instant killed = Instant.now();
        lab.builderNodes().forEach(ClusterNode::kill);
        assertThat(PullClient.join(pull).status()).isEqualTo(200);
        JournalReader journal = lab.journal();
        journal.builds().forEach((id, events) -> {
            List<BuildEvent.AttemptStarted> attempts = events.stream()
                    .filter(BuildEvent.AttemptStarted.class::isInstance)
                    .map(BuildEvent.AttemptStarted.class::cast)
                    .toList();
            assertThat(attempts).as(id).hasSizeBetween(1, 2);
            System.out.println("after its builder was killed, " + id + " was resumed after "
                    + Duration.between(killed, attempts.get(attempts.size() - 1).at()));
        });
    }
}
