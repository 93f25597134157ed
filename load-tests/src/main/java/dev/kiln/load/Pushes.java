package dev.kiln.load;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Some connections push blobs, one after the other, as Docker and skopeo do: POST, the bytes in one PATCH, PUT. No two blobs
 * are the same: they differ in their last bytes, so that the client, which shares the machine, hashes the rest only once.
 */
final class Pushes {
    private static final Pattern LOCATION = Pattern.compile("(?i)\r\nLocation: *(?:https?://[^/\r\n]*)?([^\r\n]+)\r\n");
    private static final Pattern LENGTH = Pattern.compile("(?i)\r\nContent-Length: *(\\d+)\r\n");
    private static final byte[] PIECE = new byte[64 * 1024];
    private static final int TAIL = 16;
    private static final AtomicLong TAILS = new AtomicLong(System.nanoTime());

    static {
        new Random(1).nextBytes(PIECE);
    }

    private final Server server;
    private final String repository;
    private final long size;
    private final MessageDigest head;

    /** @param size of each blob, in bytes */
    Pushes(Server server, String repository, long size) {
        this.server = server;
        this.repository = repository;
        this.size = size;
        try {
            head = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        for (long left = size - TAIL; left > 0; left -= PIECE.length) {
            head.update(PIECE, 0, (int) Math.min(left, PIECE.length));
        }
    }

    /** @return what was sent and accepted until the time is over, counted in blobs, or in bytes also of those under way */
    Sample measure(int connections, int seconds, boolean bytes) throws IOException, InterruptedException {
        Sample sent = Sample.of(server, connections, seconds, this::push);
        return bytes ? sent : new Sample(sent.amount() / size, sent.seconds(), sent.cpuSeconds());
    }

    /** Bytes until then. A blob that has begun is pushed to its end, unless it is so large that its connection is cut. */
    private long push(long end) throws IOException {
        long total = 0;
        try (Socket socket = new Socket(server.address().getAddress(), server.port())) {
            socket.setTcpNoDelay(true);
            InputStream in = new BufferedInputStream(socket.getInputStream());
            OutputStream out = socket.getOutputStream();
            while (System.nanoTime() < end) {
                String location = ask(out, in, "POST", "/v2/" + repository + "/blobs/uploads/", 202);
                byte[] tail =
                        HexFormat.of().toHexDigits(TAILS.incrementAndGet()).getBytes(US_ASCII);
                begin(out, "PATCH", location, size);
                for (long left = size - TAIL; left > 0; left -= PIECE.length) {
                    int n = (int) Math.min(left, PIECE.length);
                    out.write(PIECE, 0, n);
                    total += n;
                    if (size > Sources.LARGE_BYTES && System.nanoTime() >= end) {
                        return total;
                    }
                }
                out.write(tail);
                total += TAIL;
                location = answer(in, 202);
                String mark = location.contains("?") ? "&" : "?";
                ask(out, in, "PUT", location + mark + "digest=sha256:" + digest(tail), 201);
            }
        }
        return total;
    }

    private String digest(byte[] tail) {
        try {
            MessageDigest whole = (MessageDigest) head.clone();
            return HexFormat.of().formatHex(whole.digest(tail));
        } catch (CloneNotSupportedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String ask(OutputStream out, InputStream in, String method, String path, int status)
            throws IOException {
        begin(out, method, path, 0);
        return answer(in, status);
    }

    private static void begin(OutputStream out, String method, String path, long length) throws IOException {
        String type = length > 0 ? "Content-Type: application/octet-stream\r\n" : "";
        out.write((method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + type + "Content-Length: " + length
                        + "\r\n\r\n")
                .getBytes(US_ASCII));
    }

    /** @return where the upload goes on */
    private static String answer(InputStream in, int status) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        String head = "";
        while (!head.endsWith("\r\n\r\n")) {
            int b = in.read();
            if (b < 0) {
                throw new IOException("it closed the connection");
            }
            bytes.write(b);
            if (b == '\n') {
                head = bytes.toString(US_ASCII);
            }
        }
        Matcher length = LENGTH.matcher(head);
        byte[] body = length.find() ? in.readNBytes(Integer.parseInt(length.group(1))) : new byte[0];
        Matcher location = LOCATION.matcher(head);
        if (!head.startsWith("HTTP/1.1 " + status + " ") || !location.find()) {
            throw new IOException(String.format(Locale.ROOT, "it answers: %s%s", head, new String(body, US_ASCII)));
        }
        return location.group(1);
    }
}
