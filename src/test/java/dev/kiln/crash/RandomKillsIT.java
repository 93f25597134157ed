package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.PullClient;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code kill -9} at random moments, while several revisions are pulled. {@code -Dkiln.seed=N} repeats a run's moments. */
class RandomKillsIT {
    private static final int MOST_MILLIS = 4000;

    @TempDir
    Path directory;

    @Test
    void aFewRandomKillsLoseNothing() throws InterruptedException {
        killAtRandom(5);
    }

    @Test
    @Tag("long")
    void manyRandomKillsLoseNothing() throws InterruptedException {
        killAtRandom(Integer.getInteger("kiln.kills", 60));
    }

    @Test
    void aServerStartsAfterStartsThatWereKilled() throws InterruptedException {
        killStarts(4);
    }

    @Test
    @Tag("long")
    void aServerStartsAfterManyStartsThatWereKilled() throws InterruptedException {
        killStarts(Integer.getInteger("kiln.kills", 60));
    }

    /** The first start makes the database, the node's name, the cluster's secret; the later ones find them half made. */
    private void killStarts(int kills) throws InterruptedException {
        long seed = Long.getLong("kiln.seed", System.nanoTime());
        Random random = new Random(seed);
        System.out.println("killed starts with -Dkiln.seed=" + seed);
        try (Installation kiln = Installation.in(directory)) {
            kiln.branch("main");
            for (int kill = 0; kill < kills; kill++) {
                kiln.configure(Builds.QUICK, "");
                kiln.server.launch();
                boolean ended = kiln.server.process().waitFor(random.nextInt(MOST_MILLIS), TimeUnit.MILLISECONDS);
                assertThat(ended)
                        .as("with -Dkiln.seed=%s the server ended by itself: %s", seed, kiln.server.log())
                        .isFalse();
                kiln.server.kill();
            }
            kiln.start(Builds.QUICK, "");
            compare(kiln, List.of("main"), List.of(kiln.commit("main")));
        }
    }

    private void killAtRandom(int kills) throws InterruptedException {
        long seed = Long.getLong("kiln.seed", System.nanoTime());
        Random random = new Random(seed);
        System.out.println("random kills with -Dkiln.seed=" + seed);
        try (Installation kiln = Installation.in(directory)) {
            List<String> branches = new ArrayList<>();
            List<String> revisions = new ArrayList<>();
            for (int kill = 0; kill <= kills; kill++) {
                Set<BuildKey> unfinished = kill == 0 ? Set.of() : JournalCheck.check(kiln.dataDir());
                // Before the look-up whose answer stays fresh for a second.
                int fresh = kill < kills ? 2 : 0;
                for (int i = 0; i < fresh; i++) {
                    branches.add("b" + kill + "-" + i);
                    revisions.add(kiln.branch("b" + kill + "-" + i));
                }
                kiln.start(Builds.QUICK, "kiln.worker.slots = 4");
                if (kill == kills || random.nextInt(3) > 0) {
                    // Else the next kill comes while the builds of the last life are being resumed.
                    unfinished.forEach(build -> kiln.awaitPhase(build, "built"));
                    int known = branches.size() - fresh;
                    compare(kiln, branches.subList(0, known), revisions.subList(0, known));
                }
                List<CompletableFuture<PullClient.Answer>> pulls = new ArrayList<>();
                for (int i = 0; i < fresh; i++) {
                    pulls.add(kiln.client.pull(branches.get(branches.size() - 1 - i)));
                    pulls.add(kiln.client.pull(branches.get(branches.size() - 1 - i) + "?platform=linux/amd64"));
                    pulls.add(kiln.client.pull(revisions.get(revisions.size() - 1 - i)));
                }
                boolean ended = kiln.server.process().waitFor(random.nextInt(MOST_MILLIS), TimeUnit.MILLISECONDS);
                assertThat(ended).as("nobody else ends the server").isFalse();
                kiln.server.kill();
                pulls.forEach(pull -> pull.handle((answer, failure) -> answer).join());
                if (random.nextBoolean()) {
                    kiln.awaitNoProcesses();
                }
            }
            kiln.awaitNoProcesses();
            JournalReader journal = JournalReader.read(kiln.dataDir());
            assertThat(JournalCheck.check(journal, kiln.dataDir())).isEmpty();
            System.out.println(kills + " kills; " + journal.builds().size() + " builds, " + journal.rows() + " events");
        } catch (AssertionError | RuntimeException e) {
            throw new AssertionError("with -Dkiln.seed=" + seed + ": " + e.getMessage(), e);
        }
    }

    private static void compare(Installation kiln, List<String> branches, List<String> revisions) {
        for (int i = 0; i < branches.size(); i++) {
            PullClient.Answer index = PullClient.join(kiln.client.pull(branches.get(i)));
            assertThat(index.status()).as(index.text()).isEqualTo(200);
            assertThat(index.revision()).isEqualTo(revisions.get(i));
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            kiln.client.readAll(index);
        }
        kiln.client.readAllAgain();
    }
}
