package dev.kiln.journal;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
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

    private final FileChannel channel;

    private DataDirLock(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Creates the folder when it is missing, readable by this user only, and takes it.
     *
     * @throws CannotStart when another process has it, or it cannot be written
     */
    public static DataDirLock take(Path dataDir) {
        FileChannel channel = null;
        try {
            create(dataDir);
            channel = FileChannel.open(
                    dataDir.resolve("lock"),
                    Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS));
            FileLock lock = channel.tryLock();
            if (lock != null) {
                return new DataDirLock(channel);
            }
        } catch (OverlappingFileLockException e) {
            // this very process has it: the same answer
        } catch (IOException e) {
            closeQuietly(channel);
            throw new CannotStart("cannot use data-dir " + dataDir + ": " + e, e);
        }
        closeQuietly(channel);
        throw new CannotStart("data-dir " + dataDir + " is in use by another process; stop it, or give this node a"
                + " data-dir of its own");
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

    private static void closeQuietly(FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            LOG.debug("closing a lock that was not taken", e);
        }
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            LOG.warn("cannot give data-dir's lock back; the end of the process will", e);
        }
    }
}
