package dev.kiln.worker.builder.jib;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** What an attempt prints: whole lines, at most so many bytes, with the attempt's folder left out of them. Thread-safe. */
final class AttemptLog {
    private final OutputStream out;
    private final String directory;
    private long left;

    /** @param maxBytes after which the rest is left out */
    AttemptLog(OutputStream out, Path directory, long maxBytes) {
        this.out = out;
        this.directory = directory.toString();
        this.left = maxBytes;
    }

    /** Never fails: a log that cannot be written ends no build. */
    synchronized void line(String text) {
        byte[] bytes = (text.replace(directory + "/", "").replaceAll("[\\p{Cntrl}&&[^\\t]]+", " ") + "\n")
                .getBytes(StandardCharsets.UTF_8);
        if (bytes.length > left) {
            left = 0;
            return;
        }
        left -= bytes.length;
        try {
            out.write(bytes);
            out.flush();
        } catch (IOException e) {
            left = 0;
        }
    }
}
