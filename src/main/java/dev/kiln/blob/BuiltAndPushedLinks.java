package dev.kiln.blob;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.util.Optional;

/**
 * The links that a pull follows: to what was built, else to what was pushed and is there. Nothing is cached in between, so
 * that a push is seen by whoever asks next. Publishes links to what was built.
 */
record BuiltAndPushedLinks(Links built, PushedLinks pushed, PushedBlobs blobs, RecentLinks recent) implements Links {
    @Override
    public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
        built.publish(repository, digest, link);
        recent.add(repository, digest);
    }

    @Override
    public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
        Optional<Link> found = built.find(repository, digest);
        if (found.isPresent()) {
            return found;
        }
        Optional<Link> link = pushed.find(repository, digest);
        return link.isPresent() && blobs.find(digest).isPresent() ? link : Optional.empty();
    }
}
