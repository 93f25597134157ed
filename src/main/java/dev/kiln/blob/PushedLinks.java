package dev.kiln.blob;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The links to what clients pushed, in folders apart from the links to what was built, so that removing the one never
 * removes the other. A file's time says when its link was used. Thread-safe; blocking.
 */
final class PushedLinks {
    static final String ORIGIN = "push";
    private static final int TRIES = 10;

    private final BlobLayout layout;
    private final FileLinks files;
    private final Staging staging;
    private final InstantSource clock;
    private final RecentLinks recent;

    PushedLinks(BlobLayout layout, DurableNames names, Staging staging, InstantSource clock, RecentLinks recent) {
        this.layout = layout;
        this.files = new FileLinks(layout::pushedLink, layout.root(), names, staging);
        this.staging = staging;
        this.clock = clock;
        this.recent = recent;
    }

    Optional<Links.Link> find(RepositoryName repository, Digest digest) throws IOException {
        return files.find(repository, digest);
    }

    /** The link by which a digest is a blob: the same bytes may be a manifest as well, and be deleted as one. */
    Optional<Links.Link> findBlob(RepositoryName repository, Digest digest) throws IOException {
        Optional<Links.Link> blob = files.find(repository, Links.Kind.BLOB, digest);
        return blob.isPresent() ? blob : files.find(repository, Links.Kind.MANIFEST, digest);
    }

    /** As {@link Links#publish}; the link is then used now. */
    void publish(RepositoryName repository, Digest digest, Links.Kind kind, String mediaType, long size)
            throws IOException {
        Links.Link link = new Links.Link(kind, mediaType, size, ORIGIN);
        for (int i = 0; i < TRIES; i++) {
            files.publish(repository, digest, link);
            if (touch(layout.pushedLink(repository, kind, digest), Instant.MAX)) {
                recent.add(repository, digest);
                return;
            }
            // It was there already, and somebody has removed it at this moment.
        }
        throw new IOException("could not publish the link of " + digest + ": it is removed again and again");
    }

    /**
     * Says that a digest's links are used now.
     *
     * @param before a link that was used since then is left as it is
     * @return whether there is one
     */
    boolean touch(RepositoryName repository, Digest digest, Instant before) throws IOException {
        boolean there = false;
        for (Links.Kind kind : Links.Kind.values()) {
            there |= touch(layout.pushedLink(repository, kind, digest), before);
        }
        return there;
    }

    private boolean touch(Path file, Instant before) throws IOException {
        try {
            if (time(file).isBefore(before)) {
                Files.setLastModifiedTime(file, FileTime.from(clock.instant()));
            }
            return true;
        } catch (NoSuchFileException e) {
            return false;
        }
    }

    /**
     * Removes the links of these kinds.
     *
     * @param untouchedSince what was used since then stays; empty: whenever it was used
     * @return whether there is none of them any more
     */
    boolean remove(
            RepositoryName repository,
            Digest digest,
            Set<Links.Kind> kinds,
            Optional<Instant> untouchedSince,
            PushedContent.Decision decision)
            throws IOException {
        Map<Path, Instant> seen = new HashMap<>();
        for (Links.Kind kind : kinds) {
            Path file = layout.pushedLink(repository, kind, digest);
            try {
                seen.put(file, time(file));
            } catch (NoSuchFileException e) {
                // Not of this kind.
            }
        }
        if (untouchedSince.isPresent()
                && seen.values().stream().anyMatch(time -> !time.isBefore(untouchedSince.get()))) {
            return false;
        }
        decision.confirm();
        boolean gone = true;
        for (Map.Entry<Path, Instant> link : seen.entrySet()) {
            gone &= remove(link.getKey(), link.getValue());
        }
        return gone;
    }

    /**
     * Looked at once more where nobody finds it: who has used it meanwhile, and was told that it is there, keeps it. Another
     * time than before says so, whichever of two nodes' clocks is ahead.
     */
    private boolean remove(Path file, Instant seen) throws IOException {
        Path aside = staging.newFile();
        try {
            Files.move(file, aside, StandardCopyOption.ATOMIC_MOVE);
        } catch (NoSuchFileException e) {
            return true;
        }
        try {
            if (time(aside).equals(seen)) {
                return true;
            }
            Files.createLink(file, aside);
            DurableNames.flush(file.getParent());
            return false;
        } catch (FileAlreadyExistsException e) {
            return false;
        } finally {
            Files.delete(aside);
        }
    }

    private static Instant time(Path file) throws IOException {
        return Files.getLastModifiedTime(file).toInstant();
    }

    /** Whether there is a link, and none that was used since then. */
    boolean isUnused(RepositoryName repository, Digest digest, Instant since) throws IOException {
        boolean there = false;
        for (Links.Kind kind : Links.Kind.values()) {
            try {
                if (!time(layout.pushedLink(repository, kind, digest)).isBefore(since)) {
                    return false;
                }
                there = true;
            } catch (NoSuchFileException e) {
                // Not of this kind.
            }
        }
        return there;
    }

    /** The shards in which a repository has links, or had some. */
    Set<Shard> shards(RepositoryName repository) throws IOException {
        Set<Shard> shards = new LinkedHashSet<>();
        for (Links.Kind kind : Links.Kind.values()) {
            for (Path algorithm : SharedNames.list(layout.pushedLinks(repository, kind))) {
                for (Path begin : SharedNames.list(algorithm)) {
                    shards.add(new Shard(
                            algorithm.getFileName().toString(),
                            begin.getFileName().toString()));
                }
            }
        }
        return shards;
    }

    /** The linked digests of one shard, some of them twice. */
    List<Digest> linked(RepositoryName repository, Shard shard) throws IOException {
        List<Digest> all = new ArrayList<>();
        for (Links.Kind kind : Links.Kind.values()) {
            all.addAll(SharedNames.digests(shard, shard.of(layout.pushedLinks(repository, kind))));
        }
        return all;
    }
}
