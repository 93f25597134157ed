package dev.kiln.blob;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;

/** The folder {@code kiln.store.dir}: content and build logs in files. Several nodes may have one open. */
public final class SharedFolder implements Closeable {
    private final Staging staging;
    private final BlobStore blobs;
    private final RecentLinks links;
    private final BuildLogs logs;

    private SharedFolder(Staging staging, BlobStore blobs, RecentLinks links, BuildLogs logs) {
        this.staging = staging;
        this.blobs = blobs;
        this.links = links;
        this.logs = logs;
    }

    /** Makes the folder where it is missing, and removes what dead processes left half written. Blocking. */
    public static SharedFolder open(Path directory, InstantSource clock) throws IOException {
        BlobLayout layout = new BlobLayout(directory);
        DurableNames names = new DurableNames(layout.root());
        Staging staging = Staging.open(layout.staging(), clock);
        return new SharedFolder(
                staging,
                new FileBlobStore(layout, names, staging),
                new RecentLinks(new NegativelyCachedLinks(new FileLinks(layout, names, staging))),
                new FileBuildLogs(layout, names));
    }

    public ContentStore content() {
        return new ContentStore(blobs, links);
    }

    /** The links of {@link #content}, with what this node has published lately. */
    public RecentLinks links() {
        return links;
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
