package dev.kiln.cluster;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** A DNS server on a loopback port that knows one name, whose IPv4 addresses the test may change. */
final class ScriptedDns implements AutoCloseable {
    private static final int HEADER = 12;
    private static final int A = 1;
    private static final int AAAA = 28;
    private static final int NO_SUCH_NAME = 3;

    private final String name;
    private final DatagramSocket socket;
    private volatile List<InetAddress> addresses = List.of();

    ScriptedDns(String name) {
        this.name = name;
        try {
            socket = new DatagramSocket(0, InetAddress.getLoopbackAddress());
        } catch (SocketException e) {
            throw new UncheckedIOException(e);
        }
        Thread thread = new Thread(this::serve, "dns");
        thread.setDaemon(true);
        thread.start();
    }

    /** {@code host:port} */
    String address() {
        return "127.0.0.1:" + socket.getLocalPort();
    }

    void says(InetAddress... latest) {
        addresses = List.of(latest);
    }

    private void serve() {
        byte[] buffer = new byte[512];
        while (!socket.isClosed()) {
            try {
                DatagramPacket question = new DatagramPacket(buffer, buffer.length);
                socket.receive(question);
                byte[] answer = answer(Arrays.copyOf(buffer, question.getLength()));
                socket.send(new DatagramPacket(answer, answer.length, question.getSocketAddress()));
            } catch (IOException e) {
                // closed, or a question that is none
            }
        }
    }

    private byte[] answer(byte[] question) throws IOException {
        ByteBuffer in = ByteBuffer.wrap(question);
        short id = in.getShort();
        in.position(HEADER);
        StringBuilder asked = new StringBuilder();
        for (int length = in.get(); length > 0; length = in.get()) {
            byte[] label = new byte[length];
            in.get(label);
            asked.append(asked.isEmpty() ? "" : ".").append(new String(label, StandardCharsets.US_ASCII));
        }
        short type = in.getShort();
        in.getShort();
        boolean known = asked.toString().toLowerCase(Locale.ROOT).equals(name) && (type == A || type == AAAA);
        List<InetAddress> found = known && type == A ? addresses : List.of();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(ByteBuffer.allocate(HEADER)
                .putShort(id)
                .putShort((short) (0x8580 | (known ? 0 : NO_SUCH_NAME)))
                .putShort((short) 1)
                .putShort((short) found.size())
                .putInt(0)
                .array());
        out.write(question, HEADER, in.position() - HEADER);
        for (InetAddress address : found) {
            out.write(ByteBuffer.allocate(16)
                    .putShort((short) 0xC00C) // the name that was asked for
                    .putShort((short) A)
                    .putShort((short) 1)
                    .putInt(1) // seconds to live
                    .putShort((short) 4)
                    .put(address.getAddress())
                    .array());
        }
        return out.toByteArray();
    }

    @Override
    public void close() {
        socket.close();
    }
}
