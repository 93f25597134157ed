package dev.kiln.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DataDirLockTest {
    @TempDir
    Path dir;

    @Test
    void makesAFolderThatOthersCannotReadAndKeepsItForOne() throws IOException {
        Path data = dir.resolve("a/data");

        try (DataDirLock lock = DataDirLock.take(data)) {
            assertThat(lock).isNotNull();
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(data)))
                    .isEqualTo("rwx------");
            assertThatThrownBy(() -> DataDirLock.take(data))
                    .isInstanceOf(CannotStart.class)
                    .hasMessageContaining("data-dir " + data + " is in use by another process");
        }
        DataDirLock.take(data).close();
    }

    /** Holds the lock until it is killed. */
    static final class OtherProcess {
        private OtherProcess() {}

        public static void main(String[] args) throws IOException {
            try (DataDirLock lock = DataDirLock.take(Path.of(args[0]))) {
                System.out.println(lock == null ? "none" : "held");
                while (System.in.read() >= 0) {}
            }
        }
    }

    @Test
    void anotherProcessKeepsItUntilItIsKilled() throws Exception {
        Process other = otherProcess().start();
        try (BufferedReader output = other.inputReader()) {
            assertThat(output.lines().filter("held"::equals).findFirst()).isPresent();
            assertThatThrownBy(() -> DataDirLock.take(dir)).isInstanceOf(CannotStart.class);
            // a refused attempt must not have loosened it
            assertThatThrownBy(() -> DataDirLock.take(dir)).isInstanceOf(CannotStart.class);
        } finally {
            other.destroyForcibly().waitFor();
        }
        DataDirLock.take(dir).close();
    }

    @Test
    void aSecondAttemptInOneProcessDoesNotLoosenIt() throws Exception {
        try (DataDirLock lock = DataDirLock.take(dir)) {
            assertThat(lock).isNotNull();
            assertThatThrownBy(() -> DataDirLock.take(dir)).isInstanceOf(CannotStart.class);

            Process other = otherProcess()
                    .redirectInput(new File("/dev/null"))
                    .redirectErrorStream(true)
                    .start();
            try (BufferedReader output = other.inputReader()) {
                assertThat(output.lines().toList())
                        .anySatisfy(line -> assertThat(line).contains("is in use by another process"));
            } finally {
                other.destroyForcibly().waitFor();
            }
        }
    }

    @Test
    void aFileInItsPlaceIsTold() throws IOException {
        Path file = Files.createFile(dir.resolve("file"));

        assertThatThrownBy(() -> DataDirLock.take(file))
                .isInstanceOf(CannotStart.class)
                .hasMessageContaining("cannot use data-dir " + file);
    }

    @Test
    void aLinkInTheLocksPlaceIsNotFollowed() throws IOException {
        Path victim = dir.resolve("victim");
        Files.createSymbolicLink(dir.resolve("lock"), victim);

        assertThatThrownBy(() -> DataDirLock.take(dir)).isInstanceOf(CannotStart.class);
        assertThat(victim).doesNotExist();
    }

    private ProcessBuilder otherProcess() {
        return new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OtherProcess.class.getName(),
                dir.toString());
    }
}
