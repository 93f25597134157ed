package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.testing.FullDisk;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
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

    @Test
    void storeBelowMinFree() throws IOException {
        Path store = Files.createDirectory(directory.resolve("store"));
        try (FullDisk disk = FullDisk.mount(store, "24m");
                Site site = new Site(directory)) {
            site.branch("good", "echo content >l; image l");
            site.branch("next", "echo next >l; image l");
            site.start(site.repository(SMALL) + "kiln.store.dir = \"" + store + "\"\nkiln.store.min-free = 10MiB\n");
            Wire.Answer good = site.pull("good" + PLATFORM);
            assertThat(good.status()).as(good.text()).isEqualTo(200);
            Path filler = disk.take(16 << 20);

            assertInfrastructure(site, site.pull("next" + PLATFORM), "kiln.store.min-free");
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
            Path filler = disk.take(48 << 20);

            assertInfrastructure(site, site.pull("next" + PLATFORM), "kiln.data-dir-min-free");
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

    private static void assertInfrastructure(Site site, Wire.Answer answer, String message) throws IOException {
        assertThat(answer.status()).as(answer.text()).isEqualTo(424);
        JsonNode error = Site.json(answer).at("/errors/0");
        assertThat(error.at("/message").asText()).contains(message);
        JsonNode build =
                Site.json(site.get("/api/v1/builds/" + error.at("/detail/build").asText()));
        assertThat(build.at("/failure/class").asText()).isEqualTo("infrastructure");
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
