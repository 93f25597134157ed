package dev.kiln.worker.builder.jib;

import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import java.io.IOException;
import java.util.Optional;

/**
 * What is remembered of base images. One revision uses one digest for a base image's name, for all its platforms, for
 * ever, so that building it again gives the same image; and what a registry once served need not be asked for again.
 * Blocking. Durable when a method returns. The same for all nodes.
 */
public interface BaseImagePins {
    /** The digest that {@code image} stands for in builds of this revision. */
    Optional<Digest> find(RepositoryName repository, Revision revision, String image) throws IOException;

    /**
     * Fixes the digest that {@code image} stands for, unless it is fixed already.
     *
     * @return the digest that holds from now on, which is another one when somebody else was first
     */
    Digest record(RepositoryName repository, Revision revision, String image, Digest digest) throws IOException;

    /**
     * Whether {@code origin} (registry and repository) has served this digest. The content store holds other people's
     * content too: that it has a digest does not entitle whoever names that digest in a base image to it.
     */
    boolean served(String origin, Digest digest) throws IOException;

    void recordServed(String origin, Digest digest) throws IOException;
}
