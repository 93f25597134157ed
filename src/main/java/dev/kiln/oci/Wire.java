package dev.kiln.oci;

/** Marks a message that travels between nodes and is bound to a serializer; nothing else may. */
public interface Wire {}
