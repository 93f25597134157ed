package dev.kiln.blob;

import dev.kiln.oci.Digest;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * The bytes that clients pushed. They may be in the trash for a while before they are deleted: whoever wants them there
 * gets them back. Each stay in the trash has a name of its own, so that who decided on one cannot delete a later one.
 * Thread-safe; blocking.
 */
final class PushedBlobs {
    private static final int TRIES = 5;

    private final BlobLayout layout;
    private final DurableNames names;

    PushedBlobs(BlobLayout layout, DurableNames names) {
        this.layout = layout;
        this.names = names;
    }

    /** What is in the trash. */
    record Trashed(Path file, Digest digest, Instant since) {}

    /** Where a blob's bytes are, built or pushed; those in the trash come back from there. */
    Optional<Path> find(Digest digest) throws IOException {
        Path built = layout.blob(digest);
        if (Files.isRegularFile(built)) {
            return Optional.of(built);
        }
        return findPushed(digest);
    }

    /** As {@link #find}, of what was pushed alone. */
    Optional<Path> findPushed(Digest digest) throws IOException {
        Path pushed = layout.pushedBlob(digest);
        // Looked at again afterwards: somebody else may have brought it back meanwhile.
        if (Files.isRegularFile(pushed) || restore(digest) || Files.isRegularFile(pushed)) {
            return Optional.of(pushed);
        }
        return Optional.empty();
    }

    interface Use<T> {
        T of(Path file) throws IOException;
    }

    /** What {@code use} makes of a blob's bytes; empty when they are not there. */
    <T> Optional<T> with(Digest digest, Use<T> use) throws IOException {
        try {
            return Optional.of(use.of(layout.blob(digest)));
        } catch (NoSuchFileException e) {
            // It was not built.
        }
        for (int i = 0; i < TRIES; i++) {
            Optional<Path> file = findPushed(digest);
            if (file.isEmpty()) {
                return Optional.empty();
            }
            try {
                return Optional.of(use.of(file.get()));
            } catch (NoSuchFileException e) {
                // It went into the trash at this moment.
            }
        }
        return Optional.empty();
    }

    /**
     * Makes sure that a blob is there, from a file of the same bytes and file system, which is flushed, is never written to
     * again, and may keep its own name. On disk when it returns.
     */
    void put(Digest digest, Path file) throws IOException {
        Optional<Path> there = find(digest);
        if (there.isPresent() && Files.size(there.get()) == Files.size(file)) {
            names.confirm(there.get());
            return;
        }
        Path name = layout.pushedBlob(digest);
        names.makeDirectory(name.getParent());
        try {
            Files.createLink(name, file);
            names.confirm(name);
        } catch (FileAlreadyExistsException e) {
            names.publish(file, name);
        }
    }

    /** @return whether it was there */
    private boolean restore(Digest digest) throws IOException {
        for (Trashed trashed : trashed(Shard.of(digest), digest.hex() + ".*")) {
            if (restore(trashed)) {
                return true;
            }
        }
        return false;
    }

    /** @return false when it is not in the trash any more */
    boolean restore(Trashed trashed) throws IOException {
        Path name = layout.pushedBlob(trashed.digest());
        names.makeDirectory(name.getParent());
        try {
            Files.move(trashed.file(), name, StandardCopyOption.ATOMIC_MOVE);
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    /** Puts what was pushed, if it is there, into the trash. */
    void trash(Digest digest, Instant now) throws IOException {
        Path folder = layout.trash(Shard.of(digest));
        names.makeDirectory(folder);
        try {
            Files.move(
                    layout.pushedBlob(digest),
                    folder.resolve(digest.hex() + "." + now.toEpochMilli() + "-" + UUID.randomUUID()),
                    StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            // Another one was first.
        }
    }

    void delete(Trashed trashed) throws IOException {
        Files.deleteIfExists(trashed.file());
    }

    List<Trashed> trashed(Shard shard) throws IOException {
        return trashed(shard, "*");
    }

    private List<Trashed> trashed(Shard shard, String pattern) throws IOException {
        List<Trashed> all = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(layout.trash(shard), pattern)) {
            for (Path file : files) {
                String[] name = file.getFileName().toString().split("[.-]", 3);
                all.add(new Trashed(
                        file,
                        new Digest(shard.algorithm() + ":" + name[0]),
                        Instant.ofEpochMilli(Long.parseLong(name[1]))));
            }
        } catch (NoSuchFileException e) {
            // None has ever been there.
        }
        return all;
    }

    /** What was pushed, except what is in the trash. */
    List<Digest> pushed(Shard shard) throws IOException {
        return SharedNames.digests(shard, layout.pushedBlobs(shard));
    }
}
