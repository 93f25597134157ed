package dev.kiln.blob;

import dev.kiln.blob.PushedBlobs.Trashed;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Finds what of the pushed content is of no use, and takes the bytes away to which no repository has a link, in two steps:
 * into the trash, and when nobody wanted them back for the grace time, for ever. Safe beside everything else, itself
 * included: whoever publishes a link looks for the bytes afterwards, so that he brings them back from the trash or finds
 * them missing; and what has a link when they have long been in the trash, comes back from there. Blocking.
 */
public final class Sweep {
    private final BlobLayout layout;
    private final UploadFolders uploads;
    private final PushedLinks links;
    private final PushedBlobs blobs;
    private final InstantSource clock;
    private final PushTerms terms;

    Sweep(
            BlobLayout layout,
            UploadFolders uploads,
            PushedLinks links,
            PushedBlobs blobs,
            InstantSource clock,
            PushTerms terms) {
        this.layout = layout;
        this.uploads = uploads;
        this.links = links;
        this.blobs = blobs;
        this.clock = clock;
        this.terms = terms;
    }

    /**
     * The repositories to which somebody has pushed anything, all of them.
     *
     * @param at when they were listed: another one may have come since
     */
    public record Listed(List<RepositoryName> repositories, Instant at) {
        public Listed {
            repositories = List.copyOf(repositories);
        }
    }

    /** All repositories as of now, or a failure. */
    public Listed repositories() throws IOException {
        Instant at = clock.instant();
        List<RepositoryName> all = new ArrayList<>();
        collect(layout.repositories(), all);
        return new Listed(all, at);
    }

    private void collect(Path folder, List<RepositoryName> into) throws IOException {
        String name = layout.repositories().relativize(folder).toString();
        if (name.length() > RepositoryName.MAX_LENGTH) {
            return;
        }
        boolean pushed = false;
        for (Path child : SharedNames.list(folder)) {
            if (child.getFileName().toString().startsWith("_")) {
                pushed |= BlobLayout.holdsPushes(child);
            } else if (Files.readAttributes(child, BasicFileAttributes.class).isDirectory()) {
                collect(child, into);
            }
        }
        if (pushed) {
            RepositoryName.parse(name).ifPresent(into::add);
        }
    }

    /** Ends the repository's upload sessions that have expired. @return how many */
    public int expireUploads(RepositoryName repository) throws IOException {
        return uploads.expire(repository);
    }

    /** What the repository has links of. */
    public LinkPages links(RepositoryName repository) throws IOException {
        return new LinkPages(repository, links);
    }

    /** From when on a link has to be unused to go. */
    public Instant unusedSince() {
        return clock.instant().minus(terms.age());
    }

    /** Those whose links have not been used since then. */
    public List<Digest> unused(RepositoryName repository, List<Digest> digests, Instant since) throws IOException {
        List<Digest> unused = new ArrayList<>();
        for (Digest digest : digests) {
            if (links.isUnused(repository, digest, since)) {
                unused.add(digest);
            }
        }
        return unused;
    }

    /**
     * Takes away the bytes of a shard to which none of the repositories has a link. For ever only what was in the trash long
     * before they were listed: whoever linked it before that is among them, and who did so later found it missing.
     *
     * @return how many blobs were deleted
     */
    public int bytes(Shard shard, Listed listed) throws IOException {
        // Listed before the links: what is linked after that is looked for by the one who links it.
        List<Trashed> trashed = blobs.trashed(shard);
        List<Digest> pushed = blobs.pushed(shard);
        if (trashed.isEmpty() && pushed.isEmpty()) {
            return 0;
        }
        Set<Digest> linked = new HashSet<>();
        for (RepositoryName repository : listed.repositories()) {
            linked.addAll(links.linked(repository, shard));
        }
        Instant now = clock.instant();
        int deleted = 0;
        for (Trashed blob : trashed) {
            if (linked.contains(blob.digest())) {
                blobs.restore(blob);
            } else if (blob.since().plus(terms.grace()).isBefore(listed.at())) {
                blobs.delete(blob);
                deleted++;
            }
        }
        for (Digest digest : pushed) {
            if (!linked.contains(digest)) {
                blobs.trash(digest, now);
            }
        }
        return deleted;
    }
}
