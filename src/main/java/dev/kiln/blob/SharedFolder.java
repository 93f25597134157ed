package dev.kiln.blob;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.time.InstantSource;

/** The folder {@code kiln.store.dir}: content and build logs in files. Several nodes may have one open. */
public final class SharedFolder implements Closeable {
    private final BlobLayout layout;
    private final DurableNames names;
    private final Staging staging;
    private final InstantSource clock;
    private final PushedBlobs pushedBlobs;
    private final PushedLinks pushedLinks;
    private final RecentLinks recent = new RecentLinks();
    private final Links built;
    private final ContentStore content;
    private final BuildLogs logs;

    private SharedFolder(BlobLayout layout, DurableNames names, Staging staging, InstantSource clock) {
        this.layout = layout;
        this.names = names;
        this.staging = staging;
        this.clock = clock;
        pushedBlobs = new PushedBlobs(layout, names);
        pushedLinks = new PushedLinks(layout, names, staging, clock, recent);
        built = new NegativelyCachedLinks(new FileLinks(layout::link, layout.root(), names, staging));
        content = new ContentStore(
                new FileBlobStore(layout, names, staging, pushedBlobs),
                new BuiltAndPushedLinks(built, pushedLinks, pushedBlobs, recent));
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
     * Whether this process has published a link lately, to what was built or to what was pushed, and it is still there.
     * Blocking only when it has.
     */
    public boolean hasPublished(RepositoryName repository, Digest digest) throws IOException {
        return recent.contains(repository, digest)
                && content.links().find(repository, digest).isPresent();
    }

    /** What clients pushed, on these terms. Once for the node, since it remembers hashes. */
    public PushedContent pushed(PushTerms terms) {
        return new FilePushedContent(layout, names, staging, built, pushedLinks, pushedBlobs, clock, terms);
    }

    /** What of it may go, on the same terms. */
    public Sweep sweep(PushTerms terms) {
        return new Sweep(
                layout, new UploadFolders(layout, staging, clock, terms), pushedLinks, pushedBlobs, clock, terms);
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
