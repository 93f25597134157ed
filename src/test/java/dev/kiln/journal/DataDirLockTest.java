package dev.kiln.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
}
