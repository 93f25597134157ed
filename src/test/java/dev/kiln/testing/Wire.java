package dev.kiln.testing;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** HTTP by hand: sends bytes as they are, which no well-behaved client does, and keeps the answer's as they came. */
public final class Wire implements AutoCloseable {
    private final Socket socket;

    public Wire(int port) throws IOException {
        socket = new Socket(InetAddress.getLoopbackAddress(), port);
        socket.setSoTimeout(20_000);
    }

    /** An answer: its status line, its header lines, its body byte for byte as ISO 8859-1. */
    public record Answer(String statusLine, List<String> lines, String text) {
        public int status() {
            return Integer.parseInt(statusLine.split(" ", 3)[1]);
        }

        public String reason() {
            return statusLine.split(" ", 3)[2];
        }

        /** The value of the only header of that name, or empty. */
        public String header(String name) {
            List<String> values = lines.stream()
                    .filter(line -> line.regionMatches(true, 0, name + ":", 0, name.length() + 1))
                    .map(line -> line.substring(name.length() + 1).strip())
                    .toList();
            if (values.size() > 1) {
                throw new AssertionError(name + " is there more than once: " + values);
            }
            return values.isEmpty() ? "" : values.get(0);
        }
    }

    public static Answer once(int port, String request) throws IOException {
        try (Wire wire = new Wire(port)) {
            return wire.exchange(request);
        }
    }

    /** Sends {@code method target} with header lines and reads the answer. */
    public Answer request(String method, String target, String... headers) throws IOException {
        StringBuilder text = new StringBuilder(method + " " + target + " HTTP/1.1\r\nHost: evil.example\r\n");
        for (String header : headers) {
            text.append(header).append("\r\n");
        }
        return exchange(text.append("\r\n").toString());
    }

    public Answer exchange(String request) throws IOException {
        send(request);
        return read(request.startsWith("HEAD "));
    }

    /** Sends without waiting for an answer. */
    public void send(String request) throws IOException {
        socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
        socket.getOutputStream().flush();
    }

    /** Sends a request with a chunked body of so many zeros, all of it before an answer is read. */
    public void sendChunked(String methodAndTarget, long size, String... headers) throws IOException {
        StringBuilder head = new StringBuilder(methodAndTarget + " HTTP/1.1\r\nHost: x\r\n");
        for (String header : headers) {
            head.append(header).append("\r\n");
        }
        send(head + "Transfer-Encoding: chunked\r\n\r\n");
        String part = "10000\r\n" + "\0".repeat(0x10000) + "\r\n";
        for (long sent = 0; sent < size; sent += 0x10000) {
            send(part);
        }
        send("0\r\n\r\n");
    }

    /** Ends the connection as a process does that is killed with an answer on its way: by a reset. */
    public void reset() throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    /**
     * The next answer.
     *
     * @param head whether it has no body
     */
    public Answer read(boolean head) throws IOException {
        InputStream in = socket.getInputStream();
        String statusLine = line(in);
        List<String> lines = new ArrayList<>();
        for (String line = line(in); !line.isEmpty(); line = line(in)) {
            lines.add(line);
        }
        Answer answer = new Answer(statusLine, lines, "");
        if (head || answer.status() == 304) {
            return answer;
        }
        byte[] body;
        if (answer.header("Transfer-Encoding").equals("chunked")) {
            body = chunks(in);
        } else if (answer.header("Content-Length").isEmpty()) {
            body = in.readAllBytes();
        } else {
            body = in.readNBytes(Integer.parseInt(answer.header("Content-Length")));
        }
        return new Answer(statusLine, lines, new String(body, StandardCharsets.ISO_8859_1));
    }

    /** The first line of a chunked answer's body, read without waiting for its end. */
    public String firstLineOf(String target) throws IOException {
        socket.getOutputStream()
                .write(("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n").getBytes(StandardCharsets.US_ASCII));
        InputStream in = socket.getInputStream();
        while (!line(in).isEmpty()) {
            // the head
        }
        line(in); // the chunk's size
        return line(in);
    }

    /** Whether the server has closed the connection. */
    public boolean isClosed() throws IOException {
        return socket.getInputStream().read() < 0;
    }

    private static byte[] chunks(InputStream in) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (int size = Integer.parseInt(line(in), 16); size > 0; size = Integer.parseInt(line(in), 16)) {
            body.write(in.readNBytes(size));
            line(in);
        }
        line(in);
        return body.toByteArray();
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int c = in.read(); c != '\n'; c = in.read()) {
            if (c < 0) {
                throw new IOException("the connection ended after \"" + line + "\"");
            }
            if (c != '\r') {
                line.append((char) c);
            }
        }
        return line.toString();
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
