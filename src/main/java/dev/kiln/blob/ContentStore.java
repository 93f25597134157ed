package dev.kiln.blob;

/** What the nodes share: bytes by digest, and which repository they belong to. */
public record ContentStore(BlobStore blobs, Links links) {}
