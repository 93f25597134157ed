package dev.kiln.blob;

import dev.kiln.blob.Uploads.NoSuchUploadException;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * The folders of upload sessions. A chunk is a file that bears the offset of its first byte as its name. A folder's time is
 * that of the last acknowledged byte. A session ends by the renaming of its folder, so that it ends for all at once.
 * Thread-safe; blocking.
 */
final class UploadFolders {
    private static final Pattern ID = Pattern.compile("[0-9a-f]{32}");
    private static final int ID_BYTES = 16;

    /** What is acknowledged. */
    record Chunks(List<Path> files, long size) {}

    private final BlobLayout layout;
    private final Staging staging;
    private final InstantSource clock;
    private final PushTerms terms;
    private final SecureRandom random = new SecureRandom();

    UploadFolders(BlobLayout layout, Staging staging, InstantSource clock, PushTerms terms) {
        this.layout = layout;
        this.staging = staging;
        this.clock = clock;
        this.terms = terms;
    }

    /** Not flushed: nothing is lost with it until a chunk is acknowledged. @return the session's id */
    String create(RepositoryName repository) throws IOException {
        byte[] bits = new byte[ID_BYTES];
        random.nextBytes(bits);
        String id = HexFormat.of().formatHex(bits);
        Path folder = layout.upload(repository, id);
        Files.createDirectories(folder.getParent());
        Files.createDirectory(folder);
        touch(folder);
        return id;
    }

    /** @throws NoSuchUploadException when the repository has no such session */
    Path find(RepositoryName repository, String id) throws IOException {
        if (!ID.matcher(id).matches()) {
            throw new NoSuchUploadException();
        }
        Path folder = layout.upload(repository, id);
        try {
            if (isExpired(folder)) {
                throw new NoSuchUploadException();
            }
            return folder;
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
    }

    private boolean isExpired(Path folder) throws IOException {
        Instant last = Files.getLastModifiedTime(folder).toInstant();
        return last.plus(terms.uploadExpiry()).isBefore(clock.instant());
    }

    /** Keeps a session from expiring. @throws NoSuchUploadException when it has ended */
    void touch(Path folder) throws IOException {
        try {
            Files.setLastModifiedTime(folder, FileTime.from(clock.instant()));
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
    }

    /**
     * The chunks that follow each other from the first byte on.
     *
     * @throws NoSuchUploadException when the session has ended
     */
    Chunks chunks(Path folder) throws IOException {
        try {
            Map<String, Path> found = new HashMap<>();
            for (Path file : SharedNames.listExisting(folder)) {
                found.put(file.getFileName().toString(), file);
            }
            List<Path> files = new ArrayList<>();
            long size = 0;
            for (Path next = found.get("0"); next != null; next = found.get(Long.toString(size))) {
                files.add(next);
                size += Files.size(next);
            }
            return new Chunks(files, size);
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
    }

    /** @return false when another one was first */
    boolean end(Path folder) throws IOException {
        Path ended = staging.newFile();
        try {
            Files.move(folder, ended, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return false;
        }
        Staging.delete(ended);
        return true;
    }

    /** Ends the sessions of a repository that have expired. @return how many */
    int expire(RepositoryName repository) throws IOException {
        int expired = 0;
        for (Path folder : SharedNames.list(layout.uploads(repository))) {
            try {
                expired += isExpired(folder) && end(folder) ? 1 : 0;
            } catch (NoSuchFileException e) {
                // It has ended.
            }
        }
        return expired;
    }
}
