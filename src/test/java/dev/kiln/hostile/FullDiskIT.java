package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.testing.FullDisk;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Disks that fill up, each on a small file system of its own: new builds fail as nobody's fault, hits are served. */
class FullDiskIT {
    private static final String PLATFORM = "?platform=linux/amd64";
    private static final String SMALL = "build.backoff = 1s";

    @TempDir
    Path directory;

    @Test
    void store() throws IOException {
        Path store = Files.createDirectory(directory.resolve("store"));
        try (FullDisk disk = FullDisk.mount(store, "24m");
                Site site = new Site(directory)) {
            site.branch("good", "echo content >l; image l");
            site.branch("next", "echo next >l; image l");
            site.branch("large", "head -c 30000000 /dev/zero >l; image l");
            site.start(site.repository(SMALL) + "kiln.store.dir = \"" + store + "\"\nkiln.store.min-free = 0\n");
            Wire.Answer good = site.pull("good" + PLATFORM);
            assertThat(good.status()).as(good.text()).isEqualTo(200);

            assertInfrastructure(site, site.pull("large" + PLATFORM), "could not take the image in: the disk is full");
            assertServed(site, good);
            assertThat(Files.getFileStore(store).getUsableSpace())
                    .as("what did not fit is gone")
                    .isGreaterThan(20 << 20);

            Path filler = disk.fill();
            Wire.Answer next = site.pull("next" + PLATFORM);
            assertThat(next.status()).as(next.text()).isIn(424, 503);
            assertServed(site, good);

            Files.delete(filler);
            recovers(site, "next");
        }
    }

    /** Whatever is new and large is refused, by whom it would come: source, builder's base image or result. */
    @Test
    void storeBelowMinFree() throws IOException {
        Path store = Files.createDirectory(directory.resolve("store"));
        String shortage = "the content store is below kiln.store.min-free: free some space";
        try (FullDisk disk = FullDisk.mount(store, "24m");
                Site site = new Site(directory)) {
            site.branch("good", "echo content >l; image l");
            site.branch("next", "echo next >l; image l");
            site.branch(
                    "ends", "touch $TMPDIR/begun; until [ -e $TMPDIR/go ]; do sleep 0.1; done; echo late >l; image l");
            site.start(site.repository(SMALL) + "kiln.store.dir = \"" + store + "\"\nkiln.store.min-free = 10MiB\n");
            Wire.Answer good = site.pull("good" + PLATFORM);
            assertThat(good.status()).as(good.text()).isEqualTo(200);
            CompletableFuture<Wire.Answer> ends = CompletableFuture.supplyAsync(() -> pull(site, "ends" + PLATFORM));
            Path go = site.awaitInBuild("begun").resolveSibling("go");
            Path filler = disk.take(16 << 20);

            assertUnavailable(site.pull("next" + PLATFORM), "the source cannot be kept: " + shortage);
            assertInfrastructure(site, site.pull("good?platform=linux/arm64"), shortage);
            Files.createFile(go);
            assertInfrastructure(site, ends.join(), "could not take the image in: " + shortage);
            assertServed(site, good);

            Files.delete(filler);
            recovers(site, "next");
        }
    }

    @Test
    void dataDirBelowMinFree() throws IOException {
        Path data = Files.createDirectory(directory.resolve("data"));
        try (FullDisk disk = FullDisk.mount(data, "64m");
                Site site = new Site(directory)) {
            site.branch("good", "echo content >l; image l");
            site.branch("next", "echo next >l; image l");
            site.start(site.repository(SMALL) + "kiln.store.dir = \"" + directory
                    + "/store\"\nkiln.data-dir-min-free = 20MiB\n");
            Wire.Answer good = site.pull("good" + PLATFORM);
            assertThat(good.status()).as(good.text()).isEqualTo(200);
            String later = site.origin.commit(Map.of("build.sh", "exit 1"), "later");
            site.origin.ref("refs/tags/later", later);
            Path filler = disk.take(48 << 20);

            String shortage = "data-dir is below kiln.data-dir-min-free: free some space";
            assertUnavailable(site.pull("next" + PLATFORM), "the source cannot be kept: " + shortage);
            Awaitility.await("the tag's look-up is fresh")
                    .atMost(Duration.ofSeconds(90))
                    .untilAsserted(() ->
                            assertUnavailable(site.pull(later + PLATFORM), "git is not fetched from: " + shortage));
            assertInfrastructure(site, site.pull("good?platform=linux/arm64"), shortage);
            assertServed(site, good);

            Files.delete(filler);
            recovers(site, "next");
        }
    }

    /**
     * Somebody else fills the disk of the database to the last byte, whatever the limit says. The embedded database then
     * closes itself, and is opened again when there is space.
     */
    @Test
    void dataDir() throws IOException {
        Path data = Files.createDirectory(directory.resolve("data"));
        try (FullDisk disk = FullDisk.mount(data, "64m");
                Site site = new Site(directory)) {
            site.branch("good", "echo content >l; image l");
            site.branch("next", "echo next >l; image l");
            site.start(site.repository(SMALL + "\nhop = 4s, patience = 8s") + "kiln.store.dir = \"" + directory
                    + "/store\"\nkiln.data-dir-min-free = 1MiB\n");
            Wire.Answer good = site.pull("good" + PLATFORM);
            assertThat(good.status()).as(good.text()).isEqualTo(200);

            Path filler = disk.fill();
            Wire.Answer next = site.pull("next" + PLATFORM);
            assertThat(next.status()).as(next.text()).isEqualTo(503);
            assertThat(next.text()).contains("the database has not answered since", "pull again");
            Wire.Answer ready = site.get("/health/ready");
            assertThat(ready.status()).as(ready.text()).isEqualTo(200);
            assertThat(ready.text()).contains("impaired", "the database has not answered since", "its disk is full");
            assertServed(site, good);
            assertThat(site.pull(good.header("Docker-Content-Digest")).text()).isEqualTo(good.text());

            Files.delete(filler);
            recovers(site, "next");
            assertServed(site, good);
            assertThat(site.get("/health/ready").status()).isEqualTo(200);
            site.server().kill();
            site.server().start();
            assertServed(site, good);
            assertThat(site.pull("next" + PLATFORM).status()).isEqualTo(200);
        }
    }

    @Test
    void workDir() throws IOException {
        Path work = Files.createDirectory(directory.resolve("work"));
        try (FullDisk disk = FullDisk.mount(work, "8m");
                Site site = new Site(directory)) {
            site.branch("good", "echo content >l; image l");
            site.branch("next", "echo next >l; image l");
            site.branch("large", "head -c 30000000 /dev/zero >$TMPDIR/l");
            site.start(site.repository(SMALL));
            Wire.Answer good = site.pull("good" + PLATFORM);
            assertThat(good.status()).as(good.text()).isEqualTo(200);

            assertInfrastructure(site, site.pull("large" + PLATFORM), "the disk of work-dir is full");
            assertServed(site, good);

            Path filler = disk.fill();
            assertInfrastructure(site, site.pull("next" + PLATFORM), "full");
            assertServed(site, good);

            Files.delete(filler);
            recovers(site, "next");
        }
    }

    private static Wire.Answer pull(Site site, String reference) {
        try {
            return site.pull(reference);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void assertUnavailable(Wire.Answer answer, String message) {
        assertThat(answer.status()).as(answer.text()).isEqualTo(503);
        assertThat(Site.json(answer).at("/errors/0/message").asText()).isEqualTo(message);
    }

    private static void assertInfrastructure(Site site, Wire.Answer answer, String message) throws IOException {
        assertThat(answer.status()).as(answer.text()).isEqualTo(424);
        JsonNode error = Site.json(answer).at("/errors/0");
        // as much of it as there is room for before the log's address
        assertThat(error.at("/message").asText()).contains(message.substring(0, Math.min(40, message.length())));
        JsonNode build =
                Site.json(site.get("/api/v1/builds/" + error.at("/detail/build").asText()));
        assertThat(build.at("/failure/class").asText()).isEqualTo("infrastructure");
        assertThat(build.at("/failure/message").asText()).contains(message);
    }

    private static void assertServed(Site site, Wire.Answer good) throws IOException {
        assertThat(site.pull("good" + PLATFORM).text()).isEqualTo(good.text());
        assertThat(site.get("/v2/app/blobs/" + site.layer(good)).text()).isEqualTo("content\n");
    }

    private static void recovers(Site site, String branch) {
        Awaitility.await(branch + " is built once there is space")
                .atMost(Duration.ofSeconds(90))
                .untilAsserted(() -> assertThat(site.pull(branch + PLATFORM))
                        .satisfies(answer ->
                                assertThat(answer.status()).as(answer.text()).isEqualTo(200)));
    }
}
