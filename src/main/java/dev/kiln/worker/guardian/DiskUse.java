package dev.kiln.worker.guardian;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileStore;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Measures a directory that strangers write to while it is measured. Every entry is charged at least one block, so the
 * walk ends after {@code limit / BLOCK} entries at the latest, and neither empty files nor directories are free. Links
 * are not followed. A file with several names is charged once for each, a sparse one in full: an upper bound is what a
 * limit needs.
 */
final class DiskUse {
    static final long BLOCK = 4096;

    /** Longer paths could not be opened; a tree that deep is not one that a build needs. */
    private static final int MAX_PATH = 3500;

    /** Bytes that the directories yet to be walked may take in the guardian's small heap. */
    private static final long MAX_PENDING = 12L << 20;

    private static final long FULL = 16L << 20;

    enum Verdict {
        WITHIN,
        ABOVE,
        TOO_COMPLEX
    }

    private DiskUse() {}

    static Verdict measure(Path root, long limit) {
        long used = 0;
        Deque<Path> directories = new ArrayDeque<>();
        directories.add(root);
        long pending = cost(root);
        while (!directories.isEmpty()) {
            Path directory = directories.removeLast();
            pending -= cost(directory);
            if (directory.toString().length() > MAX_PATH) {
                return Verdict.TOO_COMPLEX;
            }
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
                for (Path entry : entries) {
                    BasicFileAttributes attributes;
                    try {
                        attributes = Files.readAttributes(entry, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
                    } catch (IOException e) {
                        continue; // gone since it was listed
                    }
                    used += Math.max(BLOCK, (attributes.size() + BLOCK - 1) / BLOCK * BLOCK);
                    if (used > limit) {
                        return Verdict.ABOVE;
                    }
                    if (attributes.isDirectory()) {
                        directories.add(entry);
                        pending += cost(entry);
                        if (pending > MAX_PENDING) {
                            return Verdict.TOO_COMPLEX;
                        }
                    }
                }
            } catch (IOException | DirectoryIteratorException e) {
                // Gone or replaced since it was listed; or closed to a server that is not root, and then nothing better
                // can be had.
            }
        }
        return Verdict.WITHIN;
    }

    private static long cost(Path path) {
        return 100L + path.toString().length();
    }

    /** Whether the file system has so little room left that a command's failure is no sign of its own fault. */
    static boolean full(Path directory) {
        try {
            FileStore store = Files.getFileStore(directory);
            long floor = Math.max(64 << 10, Math.min(FULL, store.getTotalSpace() / 100));
            return store.getUsableSpace() < floor;
        } catch (IOException e) {
            return false;
        }
    }
}
