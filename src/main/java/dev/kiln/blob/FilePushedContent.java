package dev.kiln.blob;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.Set;

/**
 * Pushed content in files that several processes may share. A link comes before the bytes: bytes without a link may go at
 * any moment, and who puts bytes after the link finds out when they have gone. A link without bytes is as good as none.
 */
final class FilePushedContent implements PushedContent {
    private final BlobLayout layout;
    private final Staging staging;
    private final Links built;
    private final PushedLinks links;
    private final PushedBlobs blobs;
    private final InstantSource clock;
    private final PushTerms terms;
    private final Uploads uploads;

    FilePushedContent(
            BlobLayout layout,
            DurableNames names,
            Staging staging,
            Links built,
            PushedLinks links,
            PushedBlobs blobs,
            InstantSource clock,
            PushTerms terms) {
        this.layout = layout;
        this.staging = staging;
        this.built = built;
        this.links = links;
        this.blobs = blobs;
        this.clock = clock;
        this.terms = terms;
        this.uploads = new FileUploads(layout, names, staging, links, blobs, clock, terms);
    }

    @Override
    public Uploads uploads() {
        return uploads;
    }

    @Override
    public Optional<Links.Link> use(RepositoryName repository, Digest digest) throws IOException {
        return used(repository, digest, links.find(repository, digest), Instant.MAX);
    }

    @Override
    public Optional<Links.Link> useAsBlob(RepositoryName repository, Digest digest) throws IOException {
        return used(
                repository,
                digest,
                links.findBlob(repository, digest),
                clock.instant().minus(terms.imprecision()));
    }

    private Optional<Links.Link> used(
            RepositoryName repository, Digest digest, Optional<Links.Link> link, Instant before) throws IOException {
        return link.isPresent()
                        && links.touch(repository, digest, before)
                        && blobs.find(digest).isPresent()
                ? link
                : Optional.empty();
    }

    @Override
    public void publishManifest(RepositoryName repository, Descriptor manifest, byte[] bytes) throws IOException {
        if (bytes.length != manifest.size() || !manifest.digest().isOf(bytes)) {
            throw new IllegalArgumentException("the bytes are not those of " + manifest.digest());
        }
        terms.requireSpace();
        links.publish(repository, manifest.digest(), Links.Kind.MANIFEST, manifest.mediaType(), bytes.length);
        try (StagedFile file = new StagedFile(staging.newFile(), layout.root(), Optional.empty())) {
            file.out().write(bytes);
            file.commit(() -> {
                file.drain();
                file.force();
                blobs.put(manifest.digest(), file.path());
            });
        }
    }

    @Override
    public Optional<Long> mount(RepositoryName from, RepositoryName to, Digest digest) throws IOException {
        boolean there =
                built.find(from, digest).isPresent() || use(from, digest).isPresent();
        return there ? link(to, digest, blobs.find(digest)) : Optional.empty();
    }

    @Override
    public Optional<Long> mountFromAny(RepositoryName to, Digest digest) throws IOException {
        return link(to, digest, blobs.findPushed(digest));
    }

    private Optional<Long> link(RepositoryName to, Digest digest, Optional<Path> bytes) throws IOException {
        if (bytes.isEmpty()) {
            return Optional.empty();
        }
        long size;
        try {
            size = Files.size(bytes.get());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
        links.publish(to, digest, Links.Kind.BLOB, FileUploads.MEDIA_TYPE, size);
        return blobs.find(digest).isPresent() ? Optional.of(size) : Optional.empty();
    }

    @Override
    public boolean remove(
            RepositoryName repository,
            Digest digest,
            Set<Links.Kind> kinds,
            Optional<Instant> untouchedSince,
            Decision decision)
            throws IOException {
        return links.remove(repository, digest, kinds, untouchedSince, decision);
    }
}
