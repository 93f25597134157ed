package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.UploadFolders.Chunks;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Upload sessions that several processes may share. A chunk gets its name by a hard link, which replaces nothing: of two
 * writers at one offset one wins. Thread-safe.
 */
final class FileUploads implements Uploads {
    static final String MEDIA_TYPE = "application/octet-stream";

    private static final String SHA256 = "sha256";
    private static final int HASHES = 10_000;
    private static final int MAX_CHUNKS = 10_000;

    /** The end of a chunk that this node wrote. */
    private record Position(Path folder, long offset) {}

    private final BlobLayout layout;
    private final DurableNames names;
    private final Staging staging;
    private final PushedLinks links;
    private final PushedBlobs blobs;
    private final InstantSource clock;
    private final PushTerms terms;
    private final UploadFolders folders;

    /** The hash of a session's bytes up to a position, so that going on and ending on this node read nothing again. */
    private final Cache<Position, MessageDigest> hashes;

    FileUploads(
            BlobLayout layout,
            DurableNames names,
            Staging staging,
            PushedLinks links,
            PushedBlobs blobs,
            InstantSource clock,
            PushTerms terms) {
        this.layout = layout;
        this.names = names;
        this.staging = staging;
        this.links = links;
        this.blobs = blobs;
        this.clock = clock;
        this.terms = terms;
        folders = new UploadFolders(layout, staging, clock, terms);
        hashes = Caffeine.newBuilder().maximumSize(HASHES).build();
    }

    @Override
    public String open(RepositoryName repository, String algorithm) throws IOException {
        terms.requireSpace();
        try {
            String id = folders.create(repository);
            if (!algorithm.equals(SHA256)) {
                hashes.put(new Position(layout.upload(repository, id), 0), Digest.newMessageDigest(algorithm));
            }
            return id;
        } catch (IOException e) {
            throw DiskFullException.orOther(e, layout.root());
        }
    }

    @Override
    public OptionalLong offset(RepositoryName repository, String id) throws IOException {
        try {
            return OptionalLong.of(folders.chunks(folders.find(repository, id)).size());
        } catch (NoSuchUploadException e) {
            return OptionalLong.empty();
        }
    }

    @Override
    public UploadChunk append(RepositoryName repository, String id, long from) throws IOException {
        Path folder = folders.find(repository, id);
        Chunks before = folders.chunks(folder);
        if (from != before.size()) {
            throw new OffsetException(before.size(), before.size() < from);
        }
        return append(repository, folder, before, false);
    }

    @Override
    public UploadChunk append(RepositoryName repository, String id) throws IOException {
        Path folder = folders.find(repository, id);
        return append(repository, folder, folders.chunks(folder), true);
    }

    private UploadChunk append(RepositoryName repository, Path folder, Chunks before, boolean atEnd)
            throws IOException {
        if (before.files().size() >= MAX_CHUNKS) {
            throw new TooManyChunksException(MAX_CHUNKS);
        }
        terms.requireSpace();
        folders.touch(folder);
        StagedFile file = new StagedFile(staging.newFile(), layout.root(), hash(folder, before.size()));
        try {
            FileTime begun = Files.getLastModifiedTime(file.path());
            return new FileUploadChunk(this, repository, folder, before.size(), file, begun, atEnd);
        } catch (IOException e) {
            try (file) {
                throw e;
            }
        }
    }

    @Override
    public Descriptor finish(RepositoryName repository, String id, Digest expected) throws IOException {
        Path folder = folders.find(repository, id);
        Chunks chunks = folders.chunks(folder);
        return publish(repository, folder, chunks, hash(folder, chunks.size()), expected);
    }

    @Override
    public boolean cancel(RepositoryName repository, String id) throws IOException {
        try {
            return folders.end(folders.find(repository, id));
        } catch (NoSuchUploadException e) {
            return false;
        }
    }

    UploadFolders folders() {
        return folders;
    }

    PushTerms terms() {
        return terms;
    }

    Instant now() {
        return clock.instant();
    }

    private Optional<MessageDigest> hash(Path folder, long offset) {
        return Optional.ofNullable(hashes.getIfPresent(new Position(folder, offset)))
                .map(FileUploads::copy)
                .or(() -> offset == 0 ? Optional.of(Digest.newMessageDigest(SHA256)) : Optional.empty());
    }

    private static MessageDigest copy(MessageDigest hash) {
        try {
            return (MessageDigest) hash.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException("the hashes of every Java platform can be copied", e);
        }
    }

    /**
     * Makes a flushed chunk a part of its session.
     *
     * @param hash of all up to its end, if it is known
     * @throws OffsetException when another chunk begins there
     */
    void acknowledge(Path folder, long from, StagedFile chunk, Optional<MessageDigest> hash) throws IOException {
        try {
            Files.createLink(folder.resolve(Long.toString(from)), chunk.path());
            folders.touch(folder);
            DurableNames.flush(folder);
            if (from == 0) {
                names.confirm(folder);
            }
        } catch (FileAlreadyExistsException e) {
            long offset = folders.chunks(folder).size();
            throw new OffsetException(offset, offset <= from);
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        } catch (IOException e) {
            throw DiskFullException.orOther(e, layout.root());
        }
        hash.ifPresent(known -> hashes.put(new Position(folder, from + chunk.size()), copy(known)));
    }

    /** @param hash of all the chunks, if it is known */
    Descriptor publish(
            RepositoryName repository, Path folder, Chunks chunks, Optional<MessageDigest> hash, Digest expected)
            throws IOException {
        try {
            Optional<MessageDigest> fitting = hash.filter(
                    h -> h.getAlgorithm().equals(expected.newMessageDigest().getAlgorithm()));
            Digest actual = fitting.isPresent()
                    ? Digest.of(expected.algorithm(), copy(fitting.get()).digest())
                    : FileDigest.of(expected.algorithm(), chunks.files());
            if (!actual.equals(expected)) {
                throw new StagedBlob.DigestMismatchException(expected, actual);
            }
            links.publish(repository, expected, Links.Kind.BLOB, MEDIA_TYPE, chunks.size());
            put(expected, chunks.files());
        } catch (NoSuchFileException e) {
            // Another one has ended the session meanwhile.
            throw new NoSuchUploadException();
        } catch (IOException e) {
            throw DiskFullException.orOther(e, layout.root());
        }
        folders.end(folder);
        return new Descriptor(MEDIA_TYPE, expected, chunks.size());
    }

    private void put(Digest digest, List<Path> chunks) throws IOException {
        if (chunks.size() == 1) {
            blobs.put(digest, chunks.get(0));
            return;
        }
        try (StagedFile whole = new StagedFile(staging.newFile(), layout.root(), Optional.empty())) {
            for (Path chunk : chunks) {
                Files.copy(chunk, whole.out());
            }
            whole.commit(() -> {
                whole.drain();
                whole.force();
                blobs.put(digest, whole.path());
            });
        }
    }
}
