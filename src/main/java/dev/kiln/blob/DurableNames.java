package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * Gives files their final names so that the names survive a power cut: a file's own flush does not cover the directory
 * entry that leads to it, nor the entries of new directories above. Thread-safe; blocking.
 */
final class DurableNames {
    private final Path root;

    /** Directories whose own entry is known to be on disk. Forgetting one costs a flush. */
    private final Cache<Path, Boolean> flushed =
            Caffeine.newBuilder().maximumSize(50_000).build();

    DurableNames(Path root) throws IOException {
        this.root = root;
        Files.createDirectories(root);
        try {
            flush(root.getParent());
        } catch (AccessDeniedException e) {
            // The folder was there before, or we could not have made it.
        }
    }

    /** Renames a flushed file of the same file system, in place of what bears the name. Atomic; on disk when it returns. */
    void publish(Path file, Path name) throws IOException {
        makeDirectory(name.getParent());
        Files.move(file, name, StandardCopyOption.ATOMIC_MOVE);
        flush(name.getParent());
    }

    /** Makes sure that a name which is there is also on disk: whoever made it may not have come so far. */
    void confirm(Path name) throws IOException {
        makeDirectory(name.getParent());
        flush(name.getParent());
    }

    /** Makes a directory within the root, and those above, where they are missing. On disk when it returns. */
    void makeDirectory(Path directory) throws IOException {
        if (directory.equals(root) || (flushed.getIfPresent(directory) != null && Files.isDirectory(directory))) {
            return;
        }
        Path parent = directory.getParent();
        makeDirectory(parent);
        try {
            Files.createDirectory(directory);
        } catch (FileAlreadyExistsException e) {
            if (!Files.isDirectory(directory)) {
                throw e;
            }
        }
        flush(parent);
        flushed.put(directory, true);
    }

    /** Puts the names in a directory on disk. */
    static void flush(Path directory) throws IOException {
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
