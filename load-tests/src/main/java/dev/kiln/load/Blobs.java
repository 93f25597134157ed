package dev.kiln.load;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One large answer: some connections ask for a blob, again and again, and drop its bytes as fast as they come. By hand,
 * with a large buffer outside the heap, because wrk and curl read in pieces so small that they would be what is measured.
 */
final class Blobs {
    private static final Pattern LENGTH = Pattern.compile("(?i)\r\nContent-Length: *(\\d+)\r\n");
    private static final int BUFFER = 1 << 20;

    private Blobs() {}

    static Sample measure(Server server, String path, int connections, int seconds)
            throws IOException, InterruptedException {
        return Sample.of(server, connections, seconds, end -> read(server, path, end));
    }

    /** Bytes of bodies until then. */
    private static long read(Server server, String path, long end) throws IOException {
        byte[] request = ("GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").getBytes(US_ASCII);
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        long total = 0;
        try (SocketChannel channel = SocketChannel.open(server.address())) {
            while (System.nanoTime() < end) {
                ByteBuffer out = ByteBuffer.wrap(request);
                while (out.hasRemaining()) {
                    channel.write(out);
                }
                long length = head(channel, buffer.clear());
                long got = buffer.position();
                while (got < length && System.nanoTime() < end) {
                    got += fill(channel, buffer.clear());
                }
                total += got;
            }
        }
        return total;
    }

    /** Reads the head of the answer; leaves in the buffer, before its position, what came of the body. */
    private static long head(SocketChannel channel, ByteBuffer buffer) throws IOException {
        while (true) {
            fill(channel, buffer);
            byte[] bytes = new byte[Math.min(buffer.position(), 8192)];
            buffer.get(0, bytes);
            String text = new String(bytes, US_ASCII);
            int end = text.indexOf("\r\n\r\n");
            if (end >= 0) {
                Matcher length = LENGTH.matcher(text.substring(0, end + 2));
                if (!text.startsWith("HTTP/1.1 200 ") || !length.find()) {
                    throw new IOException("it answers: " + text.substring(0, end));
                }
                buffer.limit(buffer.position()).position(end + 4);
                buffer.compact();
                return Long.parseLong(length.group(1));
            }
        }
    }

    private static int fill(SocketChannel channel, ByteBuffer buffer) throws IOException {
        int n = channel.read(buffer);
        if (n < 0) {
            throw new EOFException("it closed the connection");
        }
        return n;
    }
}
