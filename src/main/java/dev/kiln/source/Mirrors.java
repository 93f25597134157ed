package dev.kiln.source;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.FreeSpace;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The mirrors on this node's disk: at most so many, each in a folder named by a hash, since names and addresses of
 * repositories may be longer than a file's name and hold secrets. Thread-safe.
 */
final class Mirrors {
    /** How many keep their files open: a large repository's indexes are too costly to read for each question. */
    private static final int OPEN = 16;

    private final Path directory;
    private final int limit;
    private final long largestObject;
    /** One object for one folder as long as anybody holds it, since it carries the locks. */
    private final Cache<String, Mirror> byFolder =
            Caffeine.newBuilder().weakValues().build();

    private final Deque<Mirror> open = new ArrayDeque<>();

    /**
     * @param limit how many stay
     * @param largestObject in bytes: a repository that has a larger one is not fetched
     */
    Mirrors(Path directory, int limit, long largestObject) {
        this.directory = directory;
        this.limit = limit;
        this.largestObject = largestObject;
    }

    /** The one for this repository at this address; it need not exist. */
    Mirror of(RepositoryName name, GitUrl url) {
        String folder = Digest.sha256((name + "\n" + url.uri().toPrivateString()).getBytes(StandardCharsets.UTF_8))
                .hex();
        return byFolder.get(folder, unused -> new Mirror(directory.resolve(folder), largestObject));
    }

    /** It is about to be read: keeps it open, and closes the one that was used least recently. */
    synchronized void using(Mirror mirror) {
        open.remove(mirror);
        open.addFirst(mirror);
        if (open.size() > OPEN && open.getLast().closeIfIdle()) {
            open.removeLast();
        }
    }

    /** Deletes those used least recently, beyond the limit and unless in use; never {@code kept}. */
    synchronized void trim(Mirror kept) throws IOException {
        List<Mirror> oldest = oldestFirst();
        for (Mirror mirror : oldest.subList(0, Math.max(0, oldest.size() - limit))) {
            delete(mirror, kept);
        }
    }

    /**
     * Where {@code space} is short, deletes those used least recently, unless in use, until it is not; never {@code kept}.
     *
     * @return the shortage that is left when no other can go
     */
    Optional<String> makeRoom(FreeSpace space, Mirror kept) throws IOException {
        Optional<String> shortage = space.shortage();
        return shortage.isEmpty() ? shortage : deleteWhileShort(space, kept);
    }

    private synchronized Optional<String> deleteWhileShort(FreeSpace space, Mirror kept) throws IOException {
        // another fetch may have made room meanwhile
        Optional<String> shortage = space.shortage();
        Iterator<Mirror> oldest = oldestFirst().iterator();
        while (shortage.isPresent() && oldest.hasNext()) {
            if (delete(oldest.next(), kept)) {
                shortage = space.shortage();
            }
        }
        return shortage;
    }

    private List<Mirror> oldestFirst() throws IOException {
        if (!Files.exists(directory)) {
            return List.of();
        }
        List<Path> folders;
        try (Stream<Path> all = Files.list(directory)) {
            folders = all.filter(Files::isDirectory).toList();
        }
        return folders.stream()
                .map(folder ->
                        byFolder.get(folder.getFileName().toString(), unused -> new Mirror(folder, largestObject)))
                .sorted(Comparator.comparing(Mirror::lastUsed))
                .toList();
    }

    private boolean delete(Mirror mirror, Mirror kept) throws IOException {
        if (mirror.equals(kept) || !mirror.deleteIfIdle()) {
            return false;
        }
        open.remove(mirror);
        return true;
    }

    /** Lets go of all files. */
    synchronized void close() {
        open.removeIf(Mirror::closeIfIdle);
    }
}
