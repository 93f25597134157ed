package dev.kiln.testing;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Ports for servers that must be told theirs: free, and free still when the server comes to it. They lie below those that
 * the kernel gives to connections and to port 0, and no two of this machine's test processes hand out the same.
 */
public final class FreePorts {
    private static final int LOWEST = 12_000;
    private static final int LANE = 500;
    private static final int LANES = 40;
    private static final AtomicInteger NEXT = new AtomicInteger();
    /** Listens as long as this process lives: the ports after it are this process's. */
    private static final ServerSocket CLAIM = claim();

    private FreePorts() {}

    /** A port that is free at every address of this machine. */
    public static int next() {
        for (int tries = 1; tries < LANE; tries++) {
            int port = CLAIM.getLocalPort() + 1 + Math.floorMod(NEXT.getAndIncrement(), LANE - 1);
            try (Socket probe = new Socket()) {
                probe.bind(new InetSocketAddress("0.0.0.0", port));
                return port;
            } catch (IOException taken) {
                // the next one, then
            }
        }
        throw new IllegalStateException("no free port from " + CLAIM.getLocalPort() + " on");
    }

    private static ServerSocket claim() {
        for (int lane = 0; lane < LANES; lane++) {
            try {
                return new ServerSocket(LOWEST + lane * LANE, 1, InetAddress.getLoopbackAddress());
            } catch (IOException taken) {
                // another test process's
            }
        }
        throw new IllegalStateException("no free ports from " + LOWEST + " on");
    }
}
