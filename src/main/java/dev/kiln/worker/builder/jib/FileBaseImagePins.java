package dev.kiln.worker.builder.jib;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;

/**
 * One small file for each fact, in a folder that the nodes share. A file appears whole, by a hard link, and never
 * changes: of two that are first, the file system lets one be it.
 *
 * <p>Layout: {@code pins/<hash of revision and image>} holds a digest and, for people, what it is of;
 * {@code origins/<hash of the origin>/<digest>} is empty.
 */
public final class FileBaseImagePins implements BaseImagePins {
    private final Path pins;
    private final Path origins;

    /** @param directory made when it is first written to */
    public FileBaseImagePins(Path directory) {
        this.pins = directory.resolve("pins");
        this.origins = directory.resolve("origins");
    }

    @Override
    public Optional<Digest> find(RepositoryName repository, Revision revision, String image) throws IOException {
        Path file = pin(repository, revision, image);
        try {
            String first = Files.readString(file).lines().findFirst().orElse("");
            return Optional.of(Digest.parse(first)
                    .orElseThrow(() -> new IOException("the pin " + file.getFileName() + " holds no digest")));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    @Override
    public Digest record(RepositoryName repository, Revision revision, String image, Digest digest) throws IOException {
        publish(pin(repository, revision, image), digest + "\n" + image + "\n" + repository + "\n" + revision + "\n");
        return find(repository, revision, image).orElse(digest);
    }

    @Override
    public boolean served(String origin, Digest digest) {
        return Files.exists(origin(origin, digest));
    }

    @Override
    public void recordServed(String origin, Digest digest) throws IOException {
        publish(origin(origin, digest), "");
    }

    private Path pin(RepositoryName repository, Revision revision, String image) {
        return pins.resolve(hash(repository + "\n" + revision + "\n" + image));
    }

    private Path origin(String origin, Digest digest) {
        return origins.resolve(hash(origin)).resolve(digest.algorithm() + "-" + digest.hex());
    }

    private static String hash(String text) {
        return Digest.sha256(text.getBytes(StandardCharsets.UTF_8)).hex();
    }

    private static void publish(Path file, String text) throws IOException {
        if (Files.exists(file)) {
            return;
        }
        Path directory = file.getParent();
        Files.createDirectories(directory);
        Path staged = Files.createTempFile(directory, ".", ".tmp");
        try {
            try (FileChannel channel = FileChannel.open(staged, StandardOpenOption.WRITE)) {
                ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
                while (bytes.hasRemaining()) {
                    channel.write(bytes);
                }
                channel.force(true);
            }
            Files.createLink(file, staged);
        } catch (FileAlreadyExistsException e) {
            // somebody else was first, and what is there holds
        } finally {
            Files.deleteIfExists(staged);
        }
        try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }
}
