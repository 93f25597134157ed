package dev.kiln.worker.output;

/** What a name in a tar archive stands for. */
sealed interface TarEntry {
    /** @param offset of the first byte in the archive, which holds all {@code size} bytes */
    record Data(long offset, long size) implements TarEntry {}

    /** @param target another name in the archive, or one that is missing */
    record Link(String target) implements TarEntry {}
}
