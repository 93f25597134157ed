package dev.kiln.blob;

import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;

/** The folder {@code kiln.store.dir}: content and build logs in files. Several nodes may have one open. */
public final class SharedFolder implements Closeable {
    private final Staging staging;
    private final ContentStore content;
    private final BuildLogs logs;

    private SharedFolder(Staging staging, ContentStore content, BuildLogs logs) {
        this.staging = staging;
        this.content = content;
        this.logs = logs;
    }

    /** Makes the folder where it is missing, and removes what dead processes left half written. Blocking. */
    public static SharedFolder open(Path directory, InstantSource clock) throws IOException {
        BlobLayout layout = new BlobLayout(directory);
        DurableNames names = new DurableNames(layout.root());
        Staging staging = Staging.open(layout.staging(), clock);
        return new SharedFolder(
                staging,
                new ContentStore(
                        new FileBlobStore(layout, names, staging),
                        new NegativelyCachedLinks(new FileLinks(layout, names, staging))),
                new FileBuildLogs(layout, names));
    }

    public ContentStore content() {
        return content;
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
