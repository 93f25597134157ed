package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.PostgresServer;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands of docs/operations.md save a running installation, and bring it back elsewhere. */
class BackupIT extends ClusterIntegration {
    private static final int TAGS = 5;

    @TempDir
    Path backup;

    @TempDir
    Path otherDirectory;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private PostgresServer otherPostgres;
    private ClusterProcesses otherCluster;

    @AfterEach
    void closeOther() {
        threads.shutdownNow();
        if (otherCluster != null) {
            otherCluster.close();
        }
        if (otherPostgres != null) {
            otherPostgres.close();
        }
    }

    @Test
    void whatWasAnsweredBeforeTheBackupIsServedElsewhereAndWhatRanIsBuilt() throws Exception {
        Node first = cluster.registry("registry", "");
        cluster.builder("builder", List.of(AMD64, ARM64), "kiln.worker.slots = 4");
        List<String> tags = new ArrayList<>();
        for (int i = 0; i < TAGS; i++) {
            tags.add("tag-" + i);
            cluster.branch("tag-" + i);
        }
        String running = cluster.gatedBranch("running", AMD64);
        cluster.startAll();
        List<Answer> answers = new ArrayList<>();
        for (String tag : tags) {
            Answer answer = pull(first, tag);
            first.client().readAll(answer);
            answers.add(answer);
        }
        // grows, and both indexes stay
        first.client().readAll(pull(first, "running?platform=linux/arm64/v8"));
        first.awaitPhase(ClusterProcesses.build(running, AMD64), "running");

        try (Load load = new Load(first)) {
            load.awaitPulls();
            postgres.dump(backup.resolve("kiln.dump"));
            load.awaitPulls();
            save(directory.resolve("store"), backup.resolve("store.tar"));
        }
        GitOrigin origin = cluster.origin();
        cluster.close();
        cluster = null;
        postgres.close();
        postgres = null;

        otherPostgres = PostgresServer.create();
        otherPostgres.restore(backup.resolve("kiln.dump"));
        Files.createDirectory(otherDirectory.resolve("store"));
        run(
                "tar",
                "--extract",
                "--file=" + backup.resolve("store.tar"),
                "--directory=" + otherDirectory.resolve("store"));
        otherCluster = ClusterProcesses.in(otherDirectory, otherPostgres, origin);
        Node second = otherCluster.registry("registry-elsewhere", "");
        otherCluster.builder("builder-elsewhere", List.of(AMD64, ARM64), "");
        otherCluster.startAll();

        PullClient client = first.client().at(second::url);
        assertThat(client.readAllAgain()).isGreaterThan(TAGS * 5);
        for (int i = 0; i < TAGS; i++) {
            assertThat(pull(second, tags.get(i)).digest())
                    .isEqualTo(answers.get(i).digest());
        }
        Answer built = pull(second, "running?platform=" + AMD64);
        assertThat(built.children()).containsOnlyKeys(AMD64, ARM64);
        second.client().readAll(built);
        otherCluster.branch("next");
        Answer next = pull(second, "next");
        assertThat(next.children()).containsOnlyKeys(AMD64, ARM64);
        second.client().readAll(next);
    }

    /** As docs/operations.md has it. Tar's code 1 says that something grew while it was read: the log of a build. */
    private static void save(Path store, Path archive) throws IOException {
        assertThat(run("tar", "--create", "--file=" + archive, "--directory=" + store, "--exclude=./staging", "."))
                .isLessThan(2);
    }

    private static int run(String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int code = process.onExit().join().exitValue();
        assertThat(code).as(output).isLessThan(2);
        return code;
    }

    /** Pulls of what nobody has built, one after the other, until it is closed. */
    private final class Load implements AutoCloseable {
        private final AtomicBoolean over = new AtomicBoolean();
        private final AtomicInteger pulled = new AtomicInteger();
        private final CompletableFuture<Void> done;

        Load(Node node) {
            // not the client whose answers must all be there afterwards
            URI url = node.url();
            PullClient client = new PullClient(() -> url, ClusterProcesses.REPOSITORY);
            done = CompletableFuture.runAsync(
                    () -> {
                        while (!over.get()) {
                            cluster.branch("during-" + pulled.get());
                            Answer answer = PullClient.join(client.pull("during-" + pulled.get()));
                            assertThat(answer.status()).as(answer.text()).isEqualTo(200);
                            pulled.incrementAndGet();
                        }
                    },
                    threads);
        }

        void awaitPulls() {
            int before = pulled.get();
            await("pulls go on").atMost(ClusterProcesses.SOON).until(() -> done.isDone() || pulled.get() > before + 1);
        }

        @Override
        public void close() {
            over.set(true);
            done.join();
        }
    }
}
