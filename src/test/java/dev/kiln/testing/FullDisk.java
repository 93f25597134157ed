package dev.kiln.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A small file system of its own, for tests that fill it. Needs root; the test is skipped without. */
public final class FullDisk implements AutoCloseable {
    private final Path mountPoint;

    private FullDisk(Path mountPoint) {
        this.mountPoint = mountPoint;
    }

    /** @param size as mount's option, e.g. {@code 1m} */
    public static FullDisk mount(Path mountPoint, String size) throws IOException {
        assumeTrue(
                run("mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", mountPoint.toString()) == 0,
                "only root can mount a small tmpfs");
        return new FullDisk(mountPoint);
    }

    /** Takes every byte that is left; returns the file to delete. */
    public Path fill() throws IOException {
        Path filler = mountPoint.resolve("filler");
        byte[] page = new byte[4096];
        try (OutputStream out = Files.newOutputStream(filler)) {
            while (true) {
                out.write(page);
            }
        } catch (IOException e) {
            assertThat(e).hasMessageContaining("No space left");
        }
        return filler;
    }

    /** Takes so many bytes; returns the file to delete. */
    public Path take(int bytes) throws IOException {
        return Files.write(mountPoint.resolve("filler"), new byte[bytes]);
    }

    @Override
    public void close() throws IOException {
        assertThat(run("umount", mountPoint.toString())).as("umount").isZero();
    }

    private static int run(String... command) throws IOException {
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .onExit()
                .join()
                .exitValue();
    }
}
