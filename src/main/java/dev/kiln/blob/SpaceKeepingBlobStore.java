package dev.kiln.blob;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.OptionalLong;

/** A store that takes no new blob while any of some disks is below its limit; what it has can be read. Thread-safe. */
public final class SpaceKeepingBlobStore implements BlobStore {
    private final BlobStore store;
    private final List<FreeSpace> disks;

    public SpaceKeepingBlobStore(BlobStore store, List<FreeSpace> disks) {
        this.store = store;
        this.disks = List.copyOf(disks);
    }

    @Override
    public OptionalLong size(Digest digest) throws IOException {
        return store.size(digest);
    }

    @Override
    public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
        return store.read(digest, offset, length);
    }

    @Override
    public InputStream open(Digest digest) throws IOException {
        return store.open(digest);
    }

    /** @throws LowOnSpaceException when a disk is below its limit */
    @Override
    public StagedBlob stage() throws IOException {
        for (FreeSpace disk : disks) {
            disk.require();
        }
        return store.stage();
    }

    @Override
    public long free() throws IOException {
        return store.free();
    }
}
