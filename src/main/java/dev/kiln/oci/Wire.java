package dev.kiln.oci;

/** Marks the messages that travel between nodes: they are serialised as Jackson CBOR, and nothing else is. */
public interface Wire {}
