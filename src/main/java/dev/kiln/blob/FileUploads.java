package dev.kiln.blob;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Pattern;

/**
 * Upload sessions as folders that several processes may share. A chunk is a file that bears the offset of its first byte as
 * its name, and gets it by a hard link, which replaces nothing: of two writers at one offset one wins. The folder's
 * time is that of the last acknowledged byte. Thread-safe.
 */
final class FileUploads implements Uploads {
    static final String MEDIA_TYPE = "application/octet-stream";
    private static final Pattern ID = Pattern.compile("[0-9a-f]{32}");
    private static final String SHA256 = "sha256";
    private static final int HASHES = 10_000;

    /** The hash of a session's bytes up to an offset, so that ending it on this node reads nothing again. */
    private record Position(Path folder, long offset) {}

    /** What is acknowledged. */
    record Chunks(List<Path> files, long size) {}

    private final BlobLayout layout;
    private final DurableNames names;
    private final Staging staging;
    private final Links links;
    private final InstantSource clock;
    private final Duration expiry;
    private final List<FreeSpace> disks;
    private final SecureRandom random = new SecureRandom();
    private final Cache<Position, MessageDigest> hashes;

    /** @param expiry how long a session lives after its last acknowledged byte */
    FileUploads(
            BlobLayout layout,
            DurableNames names,
            Staging staging,
            Links links,
            InstantSource clock,
            Duration expiry,
            List<FreeSpace> disks) {
        this.layout = layout;
        this.names = names;
        this.staging = staging;
        this.links = links;
        this.clock = clock;
        this.expiry = expiry;
        this.disks = List.copyOf(disks);
        hashes = Caffeine.newBuilder().maximumSize(HASHES).build();
    }

    /** @throws LowOnSpaceException when a disk is below its limit */
    void requireSpace() throws IOException {
        for (FreeSpace disk : disks) {
            disk.require();
        }
    }

    @Override
    public String open(RepositoryName repository) throws IOException {
        requireSpace();
        byte[] bits = new byte[16];
        random.nextBytes(bits);
        String id = HexFormat.of().formatHex(bits);
        try {
            Path folder = layout.upload(repository, id);
            names.makeDirectory(folder);
            Files.setLastModifiedTime(folder, FileTime.from(clock.instant()));
        } catch (IOException e) {
            throw DiskFullException.orOther(e, layout.root());
        }
        return id;
    }

    @Override
    public OptionalLong offset(RepositoryName repository, String id) throws IOException {
        try {
            return OptionalLong.of(chunks(folder(repository, id)).size());
        } catch (NoSuchUploadException e) {
            return OptionalLong.empty();
        }
    }

    @Override
    public UploadChunk append(RepositoryName repository, String id, long from) throws IOException {
        Path folder = folder(repository, id);
        long offset = chunks(folder).size();
        if (from != offset) {
            throw new OffsetException(offset);
        }
        requireSpace();
        StagedFile file = new StagedFile(staging.newFile(), layout.root(), hash(folder, from));
        return new FileUploadChunk(this, repository, folder, from, file);
    }

    @Override
    public Descriptor finish(RepositoryName repository, String id, Digest expected) throws IOException {
        Path folder = folder(repository, id);
        Chunks chunks = chunks(folder);
        return publish(repository, folder, chunks, hash(folder, chunks.size()), expected);
    }

    @Override
    public boolean cancel(RepositoryName repository, String id) throws IOException {
        try {
            end(folder(repository, id));
            return true;
        } catch (NoSuchUploadException e) {
            return false;
        }
    }

    /** A session's folder, if there is one. */
    private Path folder(RepositoryName repository, String id) throws IOException {
        if (!ID.matcher(id).matches()) {
            throw new NoSuchUploadException();
        }
        Path folder = layout.upload(repository, id);
        try {
            Instant last = Files.getLastModifiedTime(folder).toInstant();
            if (last.plus(expiry).isBefore(clock.instant())) {
                throw new NoSuchUploadException();
            }
            return folder;
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
    }

    /** The chunks that follow each other. */
    Chunks chunks(Path folder) throws IOException {
        Map<Long, Path> found = new HashMap<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                found.put(Long.parseLong(file.getFileName().toString()), file);
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            throw new NoSuchUploadException();
        }
        List<Path> files = new ArrayList<>();
        long size = 0;
        try {
            for (Path next = found.get(size); next != null; next = found.get(size)) {
                files.add(next);
                size += Files.size(next);
            }
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
        return new Chunks(files, size);
    }

    private Optional<MessageDigest> hash(Path folder, long offset) {
        if (offset == 0) {
            return Optional.of(Digest.newMessageDigest(SHA256));
        }
        return Optional.ofNullable(hashes.getIfPresent(new Position(folder, offset)))
                .map(FileUploads::copy);
    }

    private static MessageDigest copy(MessageDigest hash) {
        try {
            return (MessageDigest) hash.clone();
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException("the hashes of every Java platform can be copied", e);
        }
    }

    /** @throws OffsetException when another chunk begins there */
    void acknowledge(Path folder, long from, StagedFile chunk) throws IOException {
        try {
            chunk.force();
            Path name = folder.resolve(Long.toString(from));
            Files.createLink(name, chunk.path());
            Files.setLastModifiedTime(folder, FileTime.from(clock.instant()));
            names.confirm(name);
            chunk.hash().ifPresent(hash -> hashes.put(new Position(folder, from + chunk.size()), copy(hash)));
        } catch (FileAlreadyExistsException e) {
            throw new OffsetException(chunks(folder).size());
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
    }

    /** @param hash of all the chunks, if it is known */
    Descriptor publish(
            RepositoryName repository, Path folder, Chunks chunks, Optional<MessageDigest> hash, Digest expected)
            throws IOException {
        try {
            Digest actual = hash.isPresent() && expected.algorithm().equals(SHA256)
                    ? Digest.of(SHA256, copy(hash.get()).digest())
                    : FileDigest.of(expected.algorithm(), chunks.files());
            if (!actual.equals(expected)) {
                throw new StagedBlob.DigestMismatchException(expected, actual);
            }
            try (FileStagedBlob blob = new FileStagedBlob(staging.newFile(), layout, names)) {
                for (Path file : chunks.files()) {
                    Files.copy(file, blob.out());
                }
                blob.commit(expected);
            }
        } catch (NoSuchFileException e) {
            throw new NoSuchUploadException();
        }
        links.publish(repository, expected, new Links.Link(Links.Kind.BLOB, MEDIA_TYPE, chunks.size(), "push"));
        end(folder);
        return new Descriptor(MEDIA_TYPE, expected, chunks.size());
    }

    private void end(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.deleteIfExists(file);
            }
            Files.deleteIfExists(folder);
        } catch (NoSuchFileException | NotDirectoryException | DirectoryNotEmptyException e) {
            // Another one ends it as well, or a chunk came in: it expires.
        }
    }
}
