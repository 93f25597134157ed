package dev.kiln.clients;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/**
 * Where builds wait until the test lets them go on. It is a port, since a build sees neither the machine's {@code /tmp}
 * nor, perhaps, the folder of this project.
 */
final class Gate implements AutoCloseable {
    private final ServerSocket listener;

    private Gate(ServerSocket listener) {
        this.listener = listener;
    }

    static Gate closed() {
        try {
            return new Gate(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A line of bash that waits at the gate whose number {@code variable} has. */
    static String await(String variable) {
        return "exec 3<>/dev/tcp/127.0.0.1/${%s} && read -r _ <&3\n".formatted(variable);
    }

    /** For the build's environment. */
    String number() {
        return Integer.toString(listener.getLocalPort());
    }

    void open() {
        Thread keeper = new Thread(this::letThrough, "gate");
        keeper.setDaemon(true);
        keeper.start();
    }

    private void letThrough() {
        try {
            while (true) {
                try (Socket build = listener.accept()) {
                    build.getOutputStream().write("open\n".getBytes(StandardCharsets.US_ASCII));
                }
            }
        } catch (IOException e) {
            // closed
        }
    }

    @Override
    public void close() {
        try {
            listener.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
