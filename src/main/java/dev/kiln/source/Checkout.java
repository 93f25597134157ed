package dev.kiln.source;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributeView;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;

/**
 * Unpacks a source archive. Although Kiln wrote it, it is unpacked as if a stranger had: nothing is written outside the
 * folder or through a symbolic link, nothing is overwritten, and no more than so many bytes. Blocking.
 */
public final class Checkout {
    private static final int MAX_ENTRIES = 1_000_000;

    private final Path directory;
    private final FileTime time;
    private final long maxBytes;
    private final OptionalInt owner;
    /** Folders made, by path: their times are set at the end, since each new file changes them. */
    private final Map<String, Path> folders = new HashMap<>();

    private final List<Path> order = new ArrayList<>();

    private Checkout(Path directory, long sourceDateEpoch, long maxBytes, OptionalInt owner) {
        this.directory = directory;
        this.time = FileTime.from(Instant.ofEpochSecond(sourceDateEpoch));
        this.maxBytes = maxBytes;
        this.owner = owner;
    }

    /**
     * Unpacks {@code archive} into {@code directory}, which is there and empty. Every file, folder and link then has the
     * modification time {@code sourceDateEpoch}, in seconds since 1970. On failure what was written so far stays there.
     *
     * @param maxBytes of all files together
     * @param owner the user and group id that everything is given to, the directory too; needs root
     * @throws SourceException when it holds too many or too large files
     * @throws IOException also when the archive is damaged, or holds anything that Kiln does not write
     */
    public static void extract(
            InputStream archive, Path directory, long sourceDateEpoch, long maxBytes, OptionalInt owner)
            throws IOException, SourceException {
        try {
            new Checkout(directory, sourceDateEpoch, maxBytes, owner).extract(archive);
        } catch (InvalidPathException e) {
            // Java 17 in the C locale has no way to write it
            throw refused("this server's locale has no room for a file's name; start it with LC_ALL=C.UTF-8");
        } catch (IllegalArgumentException e) {
            throw refused("it is damaged");
        }
    }

    private void extract(InputStream archive) throws IOException, SourceException {
        order.add(directory);
        folders.put("", directory);
        long left = maxBytes;
        int entries = 0;
        TarArchiveInputStream tar = new TarArchiveInputStream(archive, "UTF-8");
        for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
            if (++entries > MAX_ENTRIES) {
                throw tooLarge("has more than " + MAX_ENTRIES + " files");
            }
            if (entry.getName().startsWith("/")) {
                throw refused("it holds a path that leads elsewhere");
            }
            Path parent = parent(entry.getName());
            Path path = parent.resolve(name(entry.getName()));
            if (entry.isSymbolicLink()) {
                Files.createSymbolicLink(path, Path.of(entry.getLinkName()));
                finish(path);
            } else if (entry.isFile() && entry.getLinkFlag() == TarArchiveEntry.LF_NORMAL && !entry.isSparse()) {
                left -= entry.getSize();
                if (left < 0) {
                    throw tooLarge("has files of more than " + maxBytes + " bytes (build.max-output)");
                }
                write(tar, path, entry);
            } else {
                throw refused("it holds something that is neither a file nor a symbolic link");
            }
        }
        for (int i = order.size() - 1; i >= 0; i--) {
            finish(order.get(i));
        }
    }

    private void write(InputStream content, Path path, TarArchiveEntry entry) throws IOException {
        // CREATE_NEW neither follows a link nor overwrites
        try (OutputStream out = Files.newOutputStream(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            if (content.transferTo(out) != entry.getSize()) {
                throw refused("a file is cut short");
            }
        }
        boolean executable = (entry.getMode() & 0111) != 0;
        Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(executable ? "rwxr-xr-x" : "rw-r--r--"));
        finish(path);
    }

    /** The folder of a path, made where it is missing. Only folders made here are entered, so never a link. */
    private Path parent(String path) throws IOException {
        Path at = directory;
        for (int slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
            String folder = path.substring(0, slash);
            Path known = folders.get(folder);
            if (known == null) {
                known = at.resolve(name(folder));
                Files.createDirectory(known);
                Files.setPosixFilePermissions(known, PosixFilePermissions.fromString("rwxr-xr-x"));
                folders.put(folder, known);
                order.add(known);
            }
            at = known;
        }
        return at;
    }

    /** The last segment of a path. */
    private static String name(String path) throws IOException {
        String name = path.substring(path.lastIndexOf('/') + 1);
        if (name.isEmpty() || name.equals(".") || name.equals("..") || name.indexOf('\0') >= 0) {
            throw refused("it holds a path that leads elsewhere");
        }
        return name;
    }

    private void finish(Path path) throws IOException {
        if (owner.isPresent()) {
            Files.setAttribute(path, "unix:uid", owner.getAsInt(), LinkOption.NOFOLLOW_LINKS);
            Files.setAttribute(path, "unix:gid", owner.getAsInt(), LinkOption.NOFOLLOW_LINKS);
        }
        Files.getFileAttributeView(path, BasicFileAttributeView.class, LinkOption.NOFOLLOW_LINKS)
                .setTimes(time, time, null);
    }

    private static SourceException tooLarge(String why) {
        return new SourceException(SourceException.Fault.REVISION, "the source cannot be checked out: it " + why);
    }

    private static IOException refused(String why) {
        return new IOException("the source archive could not be unpacked: " + why);
    }
}
