package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.testing.JournalReader;
import dev.kiln.testing.PullClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A source that goes away, and names that were never there. */
class SourceIT {
    private static final int NAMES = 10_000;
    private static final int AT_A_TIME = 50;

    @TempDir
    Path directory;

    @Test
    void whatIsKnownIsServedWhileTheSourceIsGone() throws IOException {
        try (Installation kiln = Installation.in(directory)) {
            String revision = kiln.branch("main");
            kiln.start(Builds.QUICK, "");
            PullClient.Answer before = PullClient.join(kiln.client.pull("main"));
            assertThat(before.status()).isEqualTo(200);
            kiln.client.readAll(before);

            Path away = kiln.directory.resolve("away.git");
            Files.move(kiln.origin.directory(), away);
            // Also with nothing in memory.
            for (int life = 0; life < 2; life++) {
                PullClient.Answer unknown = PullClient.join(kiln.client.pull("never-seen"));
                if (life == 0) {
                    // The last complete answer of git may still be fresh.
                    Awaitility.await()
                            .atMost(Installation.SOON)
                            .until(() -> PullClient.join(kiln.client.pull("never-seen"))
                                            .status()
                                    == 503);
                } else {
                    assertThat(unknown.status()).as(unknown.text()).isEqualTo(503);
                }
                assertThat(PullClient.join(kiln.client.pull("main")).digest()).isEqualTo(before.digest());
                assertThat(PullClient.join(kiln.client.pull(revision)).digest()).isEqualTo(before.digest());
                kiln.client.readAllAgain();
                kiln.server.kill();
                kiln.start(Builds.QUICK, "");
            }

            Files.move(away, kiln.origin.directory());
            String later = kiln.branch("later");
            Awaitility.await()
                    .atMost(Installation.SOON)
                    .until(() -> PullClient.join(kiln.client.pull("later")).status() == 200);
            assertThat(PullClient.join(kiln.client.pull("later")).revision()).isEqualTo(later);
            assertThat(PullClient.join(kiln.client.pull("never-seen")).status()).isEqualTo(404);
        }
    }

    @Test
    void inventedNamesLeaveNothingBehind() throws IOException {
        Random random = new Random(7);
        try (Installation kiln = Installation.in(directory)) {
            kiln.branch("main");
            kiln.start(Builds.QUICK, "");
            PullClient.Answer known = PullClient.join(kiln.client.pull("main"));
            assertThat(known.status()).isEqualTo(200);
            kiln.server.stop();
            int rows = JournalReader.read(kiln.dataDir()).rows();
            List<String> files = files(kiln.directory);

            kiln.start(Builds.QUICK, "");
            List<Integer> statuses = new ArrayList<>();
            for (int sent = 0; sent < NAMES; sent += AT_A_TIME) {
                List<CompletableFuture<PullClient.Answer>> some = new ArrayList<>();
                for (int i = sent; i < sent + AT_A_TIME; i++) {
                    some.add(kiln.client.request("GET", kiln.server.registry(), invented(i, random)));
                }
                some.forEach(answer -> statuses.add(PullClient.join(answer).status()));
            }
            assertThat(statuses).hasSize(NAMES).containsOnly(404);
            assertThat(PullClient.join(kiln.client.pull("main")).digest()).isEqualTo(known.digest());
            kiln.server.stop();
            assertThat(JournalReader.read(kiln.dataDir()).rows()).isEqualTo(rows);
            assertThat(files(kiln.directory)).isEqualTo(files);
        }
    }

    /** Whether a commit is there, and who reaches it, only a copy of the repository tells: one, however many ask. */
    @Test
    void inventedCommitsOfARepositoryThatNobodyHasPulledLeaveItsMirrorAlone() throws IOException {
        try (Installation kiln = Installation.in(directory)) {
            kiln.branch("main");
            kiln.start(Builds.QUICK, "");
            kiln.server.stop();
            int rows = JournalReader.read(kiln.dataDir()).rows();
            List<String> files = files(kiln.directory);

            kiln.start(Builds.QUICK, "");
            List<CompletableFuture<PullClient.Answer>> pulls = new ArrayList<>();
            for (int i = 0; i < AT_A_TIME; i++) {
                pulls.add(kiln.client.pull("%040x".formatted(i)));
                pulls.add(kiln.client.pull("%08x".formatted(i)));
            }
            pulls.forEach(pull -> assertThat(PullClient.join(pull).status())
                    .as(PullClient.join(pull).text())
                    .isEqualTo(404));
            kiln.server.stop();

            assertThat(JournalReader.read(kiln.dataDir()).rows()).isEqualTo(rows);
            List<String> more = new ArrayList<>(files(kiln.directory));
            more.removeAll(files);
            assertThat(more).isNotEmpty().allMatch(file -> file.startsWith("data/mirrors"));
            assertThat(more.stream().filter(file -> file.endsWith("/kiln-mirror")))
                    .hasSize(1);
        }
    }

    private static String invented(int i, Random random) {
        String hex = "%016x%016x%08x".formatted(random.nextLong(), random.nextLong(), random.nextInt());
        return switch (i % 6) {
            case 0 -> "/v2/team/app/manifests/v" + i;
            case 1 -> "/v2/team/app/manifests/feature--" + hex;
            case 2 -> "/v2/team/app/manifests/" + hex;
            case 3 -> "/v2/team/app/manifests/" + hex.substring(0, 9);
            case 4 -> "/v2/team/app/manifests/sha256-" + hex + hex.substring(0, 24) + ".sig";
            default -> "/v2/team/other" + i + "/manifests/main";
        };
    }

    /** What a server keeps, but for the database and what every life writes. */
    private static List<String> files(Path directory) throws IOException {
        try (Stream<Path> all = Files.walk(directory)) {
            return List.copyOf(
                    new TreeSet<>(all.map(path -> directory.relativize(path).toString())
                            .filter(path -> !path.contains("staging"))
                            .toList()));
        }
    }
}
