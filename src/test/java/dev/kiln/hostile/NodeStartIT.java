package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Starts that cannot work: one message that says why and what to do, an exit code, and no harm to anybody. */
class NodeStartIT {
    @TempDir
    Path directory;

    @Test
    void dataDirInUseEndsTheSecondAndSparesTheFirst() throws Exception {
        try (Site first = new Site(directory)) {
            first.branch("main", "echo content >l; image l");
            first.start(first.repository(""));
            Path elsewhere = Files.createDirectory(directory.resolve("second"));

            String output = refused(elsewhere, first.repository("") + "kiln.data-dir = \"" + directory + "/data\"\n");

            assertThat(output)
                    .startsWith("kiln cannot start: ")
                    .contains(directory + "/data")
                    .contains("in use");
            assertThat(first.pull("main?platform=linux/amd64").status()).isEqualTo(200);
        }
    }

    @Test
    void threeMistakesAreAllNamed() throws Exception {
        String output = refused(directory, """

                kiln.database.conections = 5
                kiln.worker.slots = many
                kiln.repositories = [{
                  name = app
                  source.url = "https://git.example.com/app.git"
                  platforms = ["linux/amd64"]
                  builder = no-such-builder
                }]
                """);

        // the four lines of the folders and ports come first
        assertThat(output)
                .containsPattern("kiln\\.conf:6.*conections")
                .containsPattern("kiln\\.conf:7.*slots")
                .containsPattern("kiln\\.conf:(8|9|1[0-3]).*no-such-builder")
                .doesNotContain("\tat ");
        assertThat(directory.resolve("data")).doesNotExist();
    }

    @Test
    void portInUse() throws Exception {
        try (ServerSocket other = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            String output = refused(directory, "kiln.http.port = " + other.getLocalPort() + "\n");

            assertThat(output)
                    .contains("kiln cannot start: ")
                    .contains("could not listen on 127.0.0.1:" + other.getLocalPort())
                    .doesNotContain("\tat ");
        }
        try (KilnProcess again = KilnProcess.start(directory, "")) {
            assertThat(again.process().isAlive())
                    .as("what the failed start left is no hindrance")
                    .isTrue();
        }
    }

    @Test
    void unusableFolders() throws Exception {
        Path file = Files.writeString(directory.resolve("file"), "no folder");
        for (String key : new String[] {"work-dir", "data-dir", "store.dir"}) {
            for (String path : new String[] {file.toString(), file + "/below", "/proc/kiln"}) {
                String output = refused(directory, "kiln." + key + " = \"" + path + "\"\n");

                assertThat(output)
                        .as(key + " = " + path)
                        .contains("kiln cannot start: ")
                        .contains(path)
                        .doesNotContain("\tat ");
            }
        }
        assertThat(refused(directory, "kiln.work-dir = \"" + directory + "/data/work\"\n"))
                .contains("kiln cannot start: ")
                .contains("work-dir")
                .doesNotContain("\tat ");
        assertThat(file).hasContent("no folder");
    }

    @Test
    void missingConfiguration() throws Exception {
        KilnProcess server = KilnProcess.prepare(directory, "");
        Files.delete(directory.resolve("kiln.conf"));

        assertThat(ended(server))
                .startsWith("kiln cannot start: ")
                .contains("kiln.conf")
                .doesNotContain("\tat ");
    }

    @Test
    void notHoconAtAll() throws Exception {
        assertThat(refused(directory, "kiln { { { \"\n")).contains("kiln.conf:").doesNotContain("\tat ");
    }

    @Test
    void foldersUnderAPrivateHomeWork() throws IOException {
        Path home = Files.createDirectory(
                directory.resolve("home"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        try (Site site = new Site(home)) {
            site.branch("main", "id -u; echo content >l; image l");
            site.start(site.repository(""));

            assertThat(site.pull("main?platform=linux/amd64").status()).isEqualTo(200);
        }
    }

    private static String refused(Path directory, String config) throws InterruptedException {
        return ended(KilnProcess.prepare(directory, config));
    }

    private static String ended(KilnProcess server) throws InterruptedException {
        try (server) {
            server.launch();
            assertThat(server.process().waitFor(90, TimeUnit.SECONDS))
                    .as("ends; " + server.log())
                    .isTrue();
            assertThat(server.process().exitValue()).as(server.log()).isEqualTo(1);
            return server.log();
        }
    }
}
