package dev.kiln.blob;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * How many bytes each of many readers takes at a time. A client that stops reading keeps a chunk in the heap for as long as
 * it stays, so that chunks of one size would make memory grow with clients: few readers take large chunks, which are fast,
 * and many share about {@link #BYTES}. Thread-safe.
 */
final class ChunkBudget {
    /** As fast as larger ones; arrays of 512 KiB and more are humongous objects in a heap of 512 MiB. */
    static final int LARGEST = 256 * 1024;

    static final int SMALLEST = 16 * 1024;
    static final int BYTES = 2 * 1024 * 1024;

    private final AtomicInteger readers = new AtomicInteger();

    void join() {
        readers.incrementAndGet();
    }

    void leave() {
        readers.decrementAndGet();
    }

    /** A power of two from {@link #SMALLEST} to {@link #LARGEST}. */
    int chunk() {
        int share = Integer.highestOneBit(BYTES / Math.max(1, readers.get()));
        return Math.max(SMALLEST, Math.min(share, LARGEST));
    }
}
