package dev.kiln.worker.builder;

import dev.kiln.worker.guardian.Remains;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * The directory of one attempt under the node's {@code work-dir}, one for each slot: {@code checkout}, {@code output},
 * {@code home} and {@code tmp}. All methods block.
 */
public final class AttemptDirectory {
    private static final String PREFIX = "slot-";
    private static final Set<PosixFilePermission> PRIVATE = PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> PASSABLE = PosixFilePermissions.fromString("rwx--x--x");

    private AttemptDirectory() {}

    /**
     * Makes an empty directory for the next attempt of a slot, after removing what an earlier one left there. It belongs
     * to the server's user; the builder hands it to the slot's.
     */
    public static Path create(Path workDir, int slot) throws IOException {
        return create(workDir, Integer.toString(slot));
    }

    static Path create(Path workDir, String name) throws IOException {
        prepare(workDir);
        Path directory = workDir.resolve(PREFIX + name);
        delete(directory);
        Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PRIVATE));
        for (String part : List.of("checkout", "output", "home", "tmp")) {
            Files.createDirectory(directory.resolve(part), PosixFilePermissions.asFileAttribute(PRIVATE));
        }
        return directory;
    }

    /**
     * Ends the processes and removes the directories that an earlier life of this node left. To be called once, before
     * the first attempt.
     */
    public static void clear(Path workDir) throws IOException, InterruptedException {
        prepare(workDir);
        new Remains(Marker.prefix(workDir), -1, 0).endAll();
        try (DirectoryStream<Path> slots = Files.newDirectoryStream(workDir, PREFIX + "*")) {
            for (Path slot : slots) {
                delete(slot);
            }
        }
    }

    private static void prepare(Path workDir) throws IOException {
        if (!Files.isDirectory(workDir)) {
            Files.createDirectories(workDir);
            // A slot's user must reach its own directory where there is no mount namespace, and see no other's.
            Files.setPosixFilePermissions(workDir, PASSABLE);
        }
    }

    /**
     * Removes a directory that strangers filled: follows no link, needs no memory for its size and no stack for its depth,
     * and opens no path longer than the system allows, because each directory it meets is first moved up to the top.
     * Nothing that is left there may still be running. A directory that is not there is no error.
     */
    public static void delete(Path directory) throws IOException {
        if (!Files.exists(directory, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        try {
            empty(directory);
        } catch (FileSystemException e) {
            // A builder that is root may have left files that not even root can remove.
            makeMutable(directory);
            empty(directory);
        }
        Files.deleteIfExists(directory);
    }

    private static void empty(Path top) throws IOException {
        if (!Files.isDirectory(top, LinkOption.NOFOLLOW_LINKS)) {
            Files.delete(top);
            return;
        }
        String unique = ".removing-" + UUID.randomUUID() + "-";
        long count = 0;
        Files.setPosixFilePermissions(top, PRIVATE);
        boolean found = true;
        while (found) {
            found = false;
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(top)) {
                for (Path entry : entries) {
                    found = true;
                    if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                        count = lift(entry, top, unique, count);
                    }
                    Files.delete(entry);
                }
            } catch (DirectoryIteratorException e) {
                throw e.getCause();
            } catch (UncheckedIOException e) {
                throw e.getCause();
            }
        }
    }

    private static long lift(Path directory, Path top, String unique, long count) throws IOException {
        long next = count;
        Files.setPosixFilePermissions(directory, PRIVATE);
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    Files.setPosixFilePermissions(entry, PRIVATE); // else only root could move it
                    Files.move(entry, top.resolve(unique + next++), StandardCopyOption.ATOMIC_MOVE);
                } else {
                    Files.delete(entry);
                }
            }
        }
        return next;
    }

    private static void makeMutable(Path directory) throws IOException {
        Path chattr = Path.of("/usr/bin/chattr");
        if (!Files.isExecutable(chattr)) {
            return;
        }
        ProcessBuilder builder = new ProcessBuilder(
                        chattr.toString(), "-R", "-f", "-i", "-a", "--", directory.toString())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD);
        try {
            builder.start().waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while removing an attempt's directory", e);
        }
    }
}
