package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.Attributes;
import akka.stream.javadsl.Flow;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.OptionalLong;

/** Blobs as files of a folder that several processes may share. Thread-safe. */
final class FileBlobStore implements BlobStore {
    private final BlobLayout layout;
    private final DurableNames names;
    private final Staging staging;
    private final PushedBlobs pushed;
    private final ChunkBudget chunks = new ChunkBudget();

    FileBlobStore(BlobLayout layout, DurableNames names, Staging staging, PushedBlobs pushed) {
        this.pushed = pushed;
        this.layout = layout;
        this.names = names;
        this.staging = staging;
    }

    @Override
    public OptionalLong size(Digest digest) throws IOException {
        return pushed.with(digest, file -> Files.readAttributes(file, BasicFileAttributes.class))
                .filter(BasicFileAttributes::isRegularFile)
                .map(file -> OptionalLong.of(file.size()))
                .orElse(OptionalLong.empty());
    }

    @Override
    public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
        FileRange.Opener opener = () -> pushed.with(digest, file -> FileChannel.open(file, StandardOpenOption.READ))
                .orElseThrow(() -> absent(digest.value()));
        // The reader runs on its own (blocking) dispatcher; the flow that takes over its chunks decides how many of
        // them wait in between, by default 16.
        return Source.fromGraph(new FileRange(opener, digest.value(), offset, length, chunks))
                .via(Flow.<ByteString>create().map(chunk -> chunk).addAttributes(Attributes.inputBuffer(1, 1)));
    }

    @Override
    public InputStream open(Digest digest) throws IOException {
        return pushed.with(digest, Files::newInputStream).orElseThrow(() -> absent(digest.value()));
    }

    @Override
    public StagedBlob stage() throws IOException {
        Path file = staging.newFile();
        try {
            return new FileStagedBlob(file, layout, names);
        } catch (IOException e) {
            throw DiskFullException.orOther(e, layout.root());
        }
    }

    @Override
    public long free() throws IOException {
        return Files.getFileStore(layout.root()).getUsableSpace();
    }

    /** The name of what is missing instead of its path, which is nobody's business. */
    static NoSuchFileException absent(String name) {
        return new NoSuchFileException(name, null, "it is not in the content store");
    }
}
