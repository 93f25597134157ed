package dev.kiln.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;

/**
 * A disk whose power can be cut: a journalling file system in a file, whose bytes at any moment are what a machine would
 * find after the cut. What was written and not flushed is not among them. Needs root and loop devices; the test is skipped
 * without.
 */
public final class CrashableDisk implements AutoCloseable {
    private final Path folder;
    private final Path mountPoint;
    private int cuts;

    private CrashableDisk(Path folder, Path mountPoint) {
        this.folder = folder;
        this.mountPoint = mountPoint;
    }

    public static CrashableDisk mount(Path folder, int megabytes) throws IOException {
        Path image = folder.resolve("disk.img");
        try (var file = Files.newByteChannel(image, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            file.position(megabytes * 1024L * 1024 - 1);
            file.write(ByteBuffer.allocate(1));
        }
        Path mountPoint = Files.createDirectory(folder.resolve("disk"));
        boolean mounted = run("mkfs.ext4", "-q", "-F", image.toString()) == 0
                // nothing is written by itself while a test runs
                && run("mount", "-o", "loop,commit=600", image.toString(), mountPoint.toString()) == 0;
        assumeTrue(mounted, "only root can mount a file system in a file");
        return new CrashableDisk(folder, mountPoint);
    }

    public Path mountPoint() {
        return mountPoint;
    }

    public interface Look {
        void at(Path mountPoint) throws IOException;
    }

    /** Looks at what would be there had the power been cut now; the disk itself goes on. */
    public void cutNow(Look look) throws IOException {
        Path image = folder.resolve("cut-" + cuts + ".img");
        Files.copy(folder.resolve("disk.img"), image, StandardCopyOption.REPLACE_EXISTING);
        Path copy = Files.createDirectory(folder.resolve("cut-" + cuts++));
        assertThat(run("mount", "-o", "loop", image.toString(), copy.toString()))
                .as("mount, which replays the file system's journal")
                .isZero();
        try {
            look.at(copy);
        } finally {
            unmount(copy);
            Files.delete(image);
        }
    }

    @Override
    public void close() throws IOException {
        unmount(mountPoint);
    }

    private static void unmount(Path mountPoint) throws IOException {
        assertThat(run("umount", mountPoint.toString())).as("umount").isZero();
    }

    private static int run(String... command) throws IOException {
        try {
            return new ProcessBuilder(List.of(command))
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start()
                    .waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
