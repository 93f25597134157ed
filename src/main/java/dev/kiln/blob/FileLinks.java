package dev.kiln.blob;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * Links as small JSON files. The two kinds lie in two folders: a digest may have a link of each, and none replaces the
 * other. Thread-safe.
 */
final class FileLinks implements Links {
    private static final JsonMapper JSON = JsonMapper.builder()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private final Place place;
    private final Path root;
    private final DurableNames names;
    private final Staging staging;

    /** Where a link's file is. */
    interface Place {
        Path of(RepositoryName repository, Kind kind, Digest digest);
    }

    /** @param root on the disk that is the one when it is full */
    FileLinks(Place place, Path root, DurableNames names, Staging staging) {
        this.place = place;
        this.root = root;
        this.names = names;
        this.staging = staging;
    }

    @Override
    public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
        Path name = place.of(repository, link.kind(), digest);
        try {
            if (read(name, digest).equals(Optional.of(link))) {
                names.confirm(name);
            } else {
                write(name, JSON.writeValueAsBytes(link));
            }
        } catch (IOException e) {
            throw DiskFullException.orOther(e, root);
        }
    }

    @Override
    public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
        Optional<Link> manifest = find(repository, Kind.MANIFEST, digest);
        return manifest.isPresent() ? manifest : find(repository, Kind.BLOB, digest);
    }

    /** The link of one kind, whether or not there is one of the other. */
    Optional<Link> find(RepositoryName repository, Kind kind, Digest digest) throws IOException {
        return read(place.of(repository, kind, digest), digest);
    }

    private static Optional<Link> read(Path name, Digest digest) throws IOException {
        try {
            return Optional.of(JSON.readValue(Files.readAllBytes(name), Link.class));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (JsonProcessingException e) {
            throw new IOException(
                    "could not read the link of " + digest + ": its file is damaged; remove it, and pull again", e);
        }
    }

    private void write(Path name, byte[] json) throws IOException {
        Path file = staging.newFile();
        try {
            try (FileChannel channel =
                    FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                ByteBuffer buffer = ByteBuffer.wrap(json);
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
                channel.force(true);
            }
            names.publish(file, name);
        } finally {
            Files.deleteIfExists(file);
        }
    }
}
