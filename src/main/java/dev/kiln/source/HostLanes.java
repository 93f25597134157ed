package dev.kiln.source;

import java.util.concurrent.Executor;

/**
 * What one git host gets of the threads for all. What may fetch, for minutes perhaps, waits for its own kind alone, so that
 * a few large repositories that are new here hold up no look-up of their neighbours on that host.
 */
record HostLanes(Executor quick, Executor fetching) {
    private static final int QUICK = 8;
    private static final int FETCHING = 4;

    /** A quarter of kiln-git-dispatcher's threads. */
    static final int WIDTH = QUICK + FETCHING;

    static HostLanes on(Executor threads) {
        return new HostLanes(new HostLane(threads, QUICK), new HostLane(threads, FETCHING));
    }
}
