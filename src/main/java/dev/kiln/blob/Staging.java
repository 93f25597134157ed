package dev.kiln.blob;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where this process writes what is not published yet: a folder of its own on the store's file system, locked as long
 * as the process lives. Opening removes the folders of processes that are dead: at once those of this machine, whose
 * locks can be trusted; those of others when in addition nothing in them has changed for a day, because a shared file
 * system may not carry locks between machines. Thread-safe.
 */
final class Staging implements Closeable {
    private static final Logger LOG = LoggerFactory.getLogger(Staging.class);
    private static final Duration ABANDONED = Duration.ofDays(1);
    private static final String LOCK = "owner";

    /**
     * The names of this process's folders, each its own. The folders are never probed: closing any descriptor of a file
     * ends all locks that the process has on it (POSIX fcntl).
     */
    private static final Set<String> OURS = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final FileChannel owner;
    private final AtomicLong names = new AtomicLong();

    private Staging(Path folder, FileChannel owner) {
        this.folder = folder;
        this.owner = owner;
    }

    static Staging open(Path parent, InstantSource clock) throws IOException {
        Files.createDirectories(parent);
        Path folder = parent.resolve(UUID.randomUUID().toString());
        OURS.add(name(folder));
        Files.createDirectory(folder);
        FileChannel owner =
                FileChannel.open(folder.resolve(LOCK), StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        try {
            owner.lock();
            // Written after the lock is held: until then the folder counts as another machine's.
            owner.write(ByteBuffer.wrap(machine().getBytes(StandardCharsets.UTF_8)));
        } catch (IOException e) {
            LOG.warn("The file system of the content store has no locks; leftovers there stay for a day", e);
        }
        sweep(parent, clock.instant());
        return new Staging(folder, owner);
    }

    /** A name for a new file. */
    Path newFile() throws IOException {
        Files.createDirectories(folder);
        return folder.resolve(Long.toString(names.incrementAndGet()));
    }

    @Override
    public void close() throws IOException {
        owner.close();
        delete(folder);
        OURS.remove(name(folder));
    }

    private static void sweep(Path parent, Instant now) throws IOException {
        try (DirectoryStream<Path> folders = Files.newDirectoryStream(parent)) {
            for (Path other : folders) {
                try {
                    if (!OURS.contains(name(other)) && isDead(other, now)) {
                        delete(other);
                    }
                } catch (IOException e) {
                    LOG.warn("Could not remove the leftovers of a dead process in {}: {}", other, e.toString());
                }
            }
        }
    }

    private static String name(Path folder) {
        return folder.getFileName().toString();
    }

    private static boolean isDead(Path folder, Instant now) throws IOException {
        Path lock = folder.resolve(LOCK);
        try (FileChannel channel = FileChannel.open(lock, StandardOpenOption.READ, StandardOpenOption.WRITE);
                FileLock free = channel.tryLock()) {
            return free != null
                    && (Files.readString(lock).equals(machine())
                            || lastChange(folder).isBefore(now.minus(ABANDONED)));
        } catch (NoSuchFileException e) {
            return lastChange(folder).isBefore(now.minus(ABANDONED));
        }
    }

    private static Instant lastChange(Path folder) throws IOException {
        Instant last = Files.getLastModifiedTime(folder).toInstant();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Instant time = Files.getLastModifiedTime(file).toInstant();
                last = time.isAfter(last) ? time : last;
            }
        }
        return last;
    }

    /** A folder and what it holds, which may be folders of files. */
    static void delete(Path folder) throws IOException {
        for (Path file : SharedNames.list(folder)) {
            if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
                delete(file);
            } else {
                Files.deleteIfExists(file);
            }
        }
        Files.deleteIfExists(folder);
    }

    /** Changes with each boot; shared by containers of one machine, as the locks are. */
    private static String machine() throws IOException {
        return Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
    }
}
