package dev.kiln.oci;

/**
 * What a manifest, an index or an event says about some content (image specification, descriptor.md): the three
 * properties that identify it.
 *
 * @param size in bytes
 */
public record Descriptor(String mediaType, Digest digest, long size) {
    public Descriptor {
        if (size < 0) {
            throw new IllegalArgumentException("a size is never negative");
        }
    }
}
