package dev.kiln.boot.cli;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Prints one build's logs, without what a terminal would obey. */
final class LogReader {
    private final Api api;
    private final String id;
    private final PrintWriter out;

    LogReader(Api api, String id, PrintWriter out) {
        this.api = api;
        this.id = id;
        this.out = out;
    }

    /** Prints all there is of an attempt's log. */
    void read(int attempt) throws IOException, InterruptedException {
        read(new Position(attempt), false);
    }

    /**
     * Prints from the position on, and moves it by what was printed, also when the stream breaks.
     *
     * @param follow whether the server should go on sending what is added
     */
    void read(Position position, boolean follow) throws IOException, InterruptedException {
        Map<String, String> parameters = Map.of(
                "attempt", Integer.toString(position.attempt),
                "follow", follow ? "true" : "",
                "offset", position.offset == 0 ? "" : Long.toString(position.offset));
        try (InputStream body =
                        api.stream("/api/v1/builds/" + id + "/log", parameters).body();
                Reader text = new InputStreamReader(new Counting(body, position), StandardCharsets.UTF_8)) {
            char[] piece = new char[8192];
            for (int length = text.read(piece); length >= 0; length = text.read(piece)) {
                out.write(position.text.clean(new String(piece, 0, length)));
                out.flush();
            }
        }
    }

    /** How far a log has been read. */
    static final class Position {
        private final int attempt;
        private final TerminalText text = new TerminalText();
        private long offset;

        Position(int attempt) {
            this.attempt = attempt;
        }

        int attempt() {
            return attempt;
        }

        /** In bytes. */
        long offset() {
            return offset;
        }
    }

    /** Counts bytes, because the log's offset is one of bytes and not of characters. */
    private static final class Counting extends FilterInputStream {
        private final Position position;

        Counting(InputStream body, Position position) {
            super(body);
            this.position = position;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) throws IOException {
            int read = super.read(buffer, offset, length);
            position.offset += Math.max(0, read);
            return read;
        }
    }
}
