package dev.kiln.source;

import dev.kiln.oci.Digest;

/**
 * The tree of a revision in the content store: a canonical, uncompressed tar, the same bytes whoever makes it.
 *
 * @param size in bytes
 * @param commitTime of the revision, in seconds since 1970: the {@code SOURCE_DATE_EPOCH} of its builds
 */
public record SourceArchive(Digest digest, long size, long commitTime) {}
