package dev.kiln.source;

import java.io.EOFException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.eclipse.jgit.errors.CorruptObjectException;
import org.eclipse.jgit.errors.MissingObjectException;
import org.eclipse.jgit.errors.PackInvalidException;
import org.eclipse.jgit.errors.PackMismatchException;
import org.eclipse.jgit.lib.ConfigConstants;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.lib.StoredConfig;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;

/**
 * A bare copy of a git repository on this node's disk, which it alone writes. It can be thrown away at any time; it begins
 * to exist with its first fetch. Thread-safe: any number read while one fetches, and nobody does while it is deleted.
 */
final class Mirror {
    /** Written last, so that a mirror whose making was cut short is none. */
    private static final String COMPLETE = "kiln-mirror";

    private static final String REFS = "kiln-refs";

    private final Path directory;
    private final long largestObject;
    private final ReentrantReadWriteLock use = new ReentrantReadWriteLock();
    private final ReentrantLock fetching = new ReentrantLock();
    private Repository open;
    private boolean cleaned;

    /** @param largestObject in bytes: what has a larger one is not fetched */
    Mirror(Path directory, long largestObject) {
        IsolatedGit.install();
        this.directory = directory;
        this.largestObject = largestObject;
    }

    interface Work<T, X extends Exception> {
        T with(Repository repository) throws IOException, X;
    }

    /** Held by the one thread that fetches. */
    ReentrantLock fetching() {
        return fetching;
    }

    boolean exists() {
        return Files.exists(directory.resolve(COMPLETE));
    }

    Path directory() {
        return directory;
    }

    /** Makes it where it does not exist. */
    void create() throws IOException {
        if (exists()) {
            return;
        }
        delete();
        use.writeLock().lock();
        try {
            Files.createDirectories(directory);
            try (Repository repository = builder().build()) {
                repository.create(true);
                StoredConfig config = repository.getConfig();
                config.setInt(ConfigConstants.CONFIG_GC_SECTION, null, "auto", 0);
                config.setBoolean(ConfigConstants.CONFIG_CORE_SECTION, null, "logAllRefUpdates", false);
                config.save();
            }
            Files.writeString(directory.resolve(COMPLETE), "1\n");
        } finally {
            use.writeLock().unlock();
        }
    }

    /** @throws NoSuchFileException when it does not exist */
    <T, X extends Exception> T use(Work<T, X> work) throws IOException, X {
        use.readLock().lock();
        try {
            return work.with(repository());
        } finally {
            use.readLock().unlock();
        }
    }

    private synchronized Repository repository() throws IOException {
        if (!exists()) {
            throw new NoSuchFileException("the mirror");
        }
        if (open == null) {
            clean();
            open = new MirrorRepository(builder(), largestObject);
        }
        return open;
    }

    /** Before the first file of this life is made here: what is being written now is no leftover. */
    private synchronized void clean() throws IOException {
        if (!cleaned) {
            removeLeftovers();
            cleaned = true;
        }
    }

    private FileRepositoryBuilder builder() {
        return new FileRepositoryBuilder()
                .setGitDir(directory.toFile())
                .setBare()
                .setMustExist(false);
    }

    /** Locks and unfinished packs of a process that was killed: data-dir is locked, so nobody else can be at work. */
    private void removeLeftovers() throws IOException {
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                String name = file.getFileName().toString();
                if (name.endsWith(".lock")
                        || name.startsWith("incoming_")
                        || name.startsWith("noz")
                        || name.startsWith("gc_")
                        || name.equals("gc.pid")
                        || name.endsWith(".tmp")) {
                    Files.deleteIfExists(file);
                }
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Lets go of its files, unless it is in use. */
    boolean closeIfIdle() {
        if (!use.writeLock().tryLock()) {
            return false;
        }
        try {
            close();
            return true;
        } finally {
            use.writeLock().unlock();
        }
    }

    private synchronized void close() {
        if (open != null) {
            open.close();
            open = null;
        }
    }

    /** Waits for those who use it, then removes it. */
    void delete() throws IOException {
        use.writeLock().lock();
        try {
            close();
            deleteTree(directory);
        } finally {
            use.writeLock().unlock();
        }
    }

    /** As {@link #delete}, unless it is in use. */
    boolean deleteIfIdle() throws IOException {
        if (!fetching.tryLock()) {
            return false;
        }
        try {
            if (!use.writeLock().tryLock()) {
                return false;
            }
            try {
                close();
                deleteTree(directory);
                return true;
            } finally {
                use.writeLock().unlock();
            }
        } finally {
            fetching.unlock();
        }
    }

    /** When it was last of use. */
    void touch(Instant now) throws IOException {
        Files.setLastModifiedTime(directory.resolve(COMPLETE), FileTime.from(now));
    }

    FileTime lastUsed() {
        try {
            return Files.getLastModifiedTime(directory.resolve(COMPLETE));
        } catch (IOException e) {
            return FileTime.fromMillis(0);
        }
    }

    /** What git last said, kept for a time when it does not answer. */
    void keep(RefObserver.Known known) throws IOException {
        use.readLock().lock();
        try {
            if (exists()) {
                clean();
                RefTableFile.write(directory.resolve(REFS), known);
            }
        } finally {
            use.readLock().unlock();
        }
    }

    Optional<RefObserver.Known> kept() {
        return exists() ? RefTableFile.read(directory.resolve(REFS)) : Optional.empty();
    }

    /** Whether {@code failure} says that the mirror's files are not what git wrote. */
    static boolean isDamage(Throwable failure) {
        Throwable cause = failure;
        for (int depth = 0; depth < 10 && cause != null; depth++) {
            if (cause instanceof MissingObjectException
                    || cause instanceof CorruptObjectException
                    || cause instanceof PackInvalidException
                    || cause instanceof PackMismatchException
                    || cause instanceof NoSuchFileException
                    || cause instanceof EOFException) {
                return true;
            }
            cause = cause.getCause();
        }
        return false;
    }

    static void deleteTree(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
                Files.deleteIfExists(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
