package dev.kiln.worker.builder;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttemptDirectoryTest {
    @TempDir
    Path root;

    private Path work;
    private Path directory;

    @BeforeEach
    void create() throws Exception {
        work = root.resolve("work");
        directory = AttemptDirectory.create(work, 3);
    }

    private void shell(String script) throws Exception {
        Process process = new ProcessBuilder("sh", "-c", script)
                .directory(directory.toFile())
                .inheritIO()
                .start();
        assertThat(process.waitFor()).isZero();
    }

    @Test
    void isEmptyAndPrivate() throws Exception {
        for (String part : new String[] {"checkout", "output", "home", "tmp"}) {
            assertThat(directory.resolve(part)).isEmptyDirectory();
        }
        assertThat(Files.getPosixFilePermissions(directory)).isEqualTo(PosixFilePermissions.fromString("rwx------"));
    }

    @Test
    void isFreshForEachAttempt() throws Exception {
        Files.writeString(directory.resolve("home/left"), "by the last attempt");
        assertThat(AttemptDirectory.create(work, 3).resolve("home")).isEmptyDirectory();
    }

    @Test
    void removesWhatALinkNamesNever() throws Exception {
        Path kept =
                Files.writeString(Files.createDirectory(root.resolve("kept")).resolve("file"), "kept");
        shell("ln -s " + kept.getParent() + " home/link; ln -s " + kept + " tmp/link; rmdir checkout; ln -s "
                + kept.getParent() + " checkout; ln -s . loop; ln " + kept + " home/hard");
        AttemptDirectory.delete(directory);
        assertThat(directory).doesNotExist();
        assertThat(kept).hasContent("kept");
    }

    @Test
    void removesAnAttemptThatIsItselfALink() throws Exception {
        Path kept = Files.createDirectory(root.resolve("kept"));
        Files.createFile(kept.resolve("file"));
        AttemptDirectory.delete(directory);
        Files.createSymbolicLink(directory, kept);
        assertThat(AttemptDirectory.create(work, 3).resolve("home")).isEmptyDirectory();
        assertThat(kept.resolve("file")).exists();
    }

    @Test
    void removesDirectoriesThatForbidIt() throws Exception {
        shell("mkdir -p home/a/b/c; : >home/a/b/c/f; chmod 0 home/a/b/c home/a/b home/a; chmod 0 home");
        AttemptDirectory.delete(directory);
        assertThat(directory).doesNotExist();
    }

    @Test
    void removesATreeDeeperThanAPathMayBeLong() throws Exception {
        shell("perl -e 'for (1..5000) { mkdir \"abcdefghij\" or die; chdir \"abcdefghij\" or die } open F, \">f\"'");
        AttemptDirectory.delete(directory);
        assertThat(directory).doesNotExist();
    }

    @Test
    void removesOddNamesAndKinds() throws Exception {
        shell(
                "mkfifo home/fifo; touch 'home/new\nline' \"$(printf 'home/\\377')\" 'home/.removing-'; mkdir -p home/.x/y");
        AttemptDirectory.delete(directory);
        assertThat(directory).doesNotExist();
    }

    @Test
    void removesWhatOnlyRootCouldHaveLocked() throws Exception {
        assumeTrue(Attempts.root(), "needs root");
        assumeTrue(
                new ProcessBuilder("sh", "-c", "mkdir home/d; : >home/d/f; chattr +i home/d/f home/d")
                                .directory(directory.toFile())
                                .start()
                                .waitFor()
                        == 0,
                "needs a file system with attributes");
        AttemptDirectory.delete(directory);
        assertThat(directory).doesNotExist();
    }
}
