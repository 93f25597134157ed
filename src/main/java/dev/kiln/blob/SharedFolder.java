package dev.kiln.blob;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;

/** The folder {@code kiln.store.dir}: content and build logs in files. Several nodes may have one open. */
public final class SharedFolder implements Closeable {
    private final BlobLayout layout;
    private final DurableNames names;
    private final Staging staging;
    private final InstantSource clock;
    private final ContentStore content;
    private final BuildLogs logs;

    private SharedFolder(BlobLayout layout, DurableNames names, Staging staging, InstantSource clock) {
        this.layout = layout;
        this.names = names;
        this.staging = staging;
        this.clock = clock;
        content = new ContentStore(
                new FileBlobStore(layout, names, staging),
                new NegativelyCachedLinks(new FileLinks(layout, names, staging)));
        logs = new FileBuildLogs(layout, names);
    }

    /** Makes the folder where it is missing, and removes what dead processes left half written. Blocking. */
    public static SharedFolder open(Path directory, InstantSource clock) throws IOException {
        BlobLayout layout = new BlobLayout(directory);
        DurableNames names = new DurableNames(layout.root());
        return new SharedFolder(layout, names, Staging.open(layout.staging(), clock), clock);
    }

    public ContentStore content() {
        return content;
    }

    /**
     * What clients push. One for the node is best, since it remembers hashes.
     *
     * @param expiry how long a session lives after its last acknowledged byte
     * @param disks none of which may be below its limit when a client uploads
     */
    public Uploads uploads(Duration expiry, List<FreeSpace> disks) {
        return new FileUploads(layout, names, staging, content.links(), clock, expiry, disks);
    }

    public BuildLogs logs() {
        return logs;
    }

    /** Ends what is not committed; to be called when nothing uses the folder any more. */
    @Override
    public void close() throws IOException {
        staging.close();
    }
}
