package dev.kiln.journal;

/** Keys that all nodes of a cluster share and nobody else knows. */
public interface ClusterSecret {
    /** The name of the key that signs hops. */
    String HOP = "hop";

    /**
     * The 32 random bytes under this name, made at its first use; from then on the same for every node. Blocks.
     *
     * @throws IllegalStateException when the database cannot be asked
     */
    byte[] get(String name);
}
