package dev.kiln.journal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps {@code data-dir} for one process: taken before anything in it is opened, held until the process ends (the
 * operating system frees it after a kill) or {@link #close}.
 */
public final class DataDirLock implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DataDirLock.class);
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rwx------");
    private static final Set<PosixFilePermission> OTHERS = PosixFilePermissions.fromString("------rwx");

    // the system's lock is the process's: closing any other channel of the file would give it up
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path dataDir;
    private final FileChannel channel;

    private DataDirLock(Path dataDir, FileChannel channel) {
        this.dataDir = dataDir;
        this.channel = channel;
    }

    /**
     * Creates the folder when it is missing, readable by this user only, and takes it.
     *
     * @throws CannotStart when another process has it, or it cannot be written
     */
    public static DataDirLock take(Path dataDir) {
        try {
            create(dataDir);
            Path real = dataDir.toRealPath();
            if (HELD.add(real)) {
                FileChannel channel = lock(real);
                if (channel != null) {
                    return new DataDirLock(real, channel);
                }
            }
        } catch (IOException e) {
            throw new CannotStart("cannot use data-dir " + dataDir + ": " + e, e);
        }
        throw new CannotStart("data-dir " + dataDir + " is in use by another process; stop it, or give this node a"
                + " data-dir of its own");
    }

    /** The channel that holds the lock, or null when another process does. */
    private static FileChannel lock(Path dataDir) throws IOException {
        FileChannel channel = null;
        boolean locked = false;
        try {
            channel = FileChannel.open(
                    dataDir.resolve("lock"),
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS));
            locked = channel.tryLock() != null;
            return locked ? channel : null;
        } finally {
            if (!locked) {
                HELD.remove(dataDir);
                if (channel != null) {
                    channel.close();
                }
            }
        }
    }

    private static void create(Path dataDir) throws IOException {
        if (!Files.exists(dataDir)) {
            if (dataDir.getParent() != null) {
                Files.createDirectories(dataDir.getParent());
            }
            Files.createDirectory(dataDir, PosixFilePermissions.asFileAttribute(OWNER_ONLY));
        } else if (Files.getPosixFilePermissions(dataDir).stream().anyMatch(OTHERS::contains)) {
            // a folder of the operator's own making, perhaps of others' too: not ours to close
            LOG.warn("every user of this machine may look into data-dir {}; close it with chmod o-rwx", dataDir);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.warn("cannot give data-dir's lock back; the end of the process will", e);
        }
        HELD.remove(dataDir);
    }
}
