package dev.kiln.worker.builder;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/**
 * Passes on what is written to it, with asterisks in the place of a secret. What may be the beginning of the secret is held
 * back until more comes. Closing passes that on too, and leaves the other stream open. Thread-safe.
 */
final class MaskedOutput extends OutputStream {
    private static final byte[] MASK = "********".getBytes(StandardCharsets.US_ASCII);

    private final OutputStream out;
    private final byte[] secret;
    /** For each beginning of the secret, how long the longest shorter one is that it ends with (Knuth, Morris, Pratt). */
    private final int[] shorter;

    private int held;

    /** @param secret in ASCII, not empty */
    MaskedOutput(OutputStream out, String secret) {
        this.out = out;
        this.secret = secret.getBytes(StandardCharsets.US_ASCII);
        this.shorter = new int[this.secret.length + 1];
        for (int i = 2; i < shorter.length; i++) {
            int length = shorter[i - 1];
            while (length > 0 && this.secret[length] != this.secret[i - 1]) {
                length = shorter[length];
            }
            shorter[i] = this.secret[length] == this.secret[i - 1] ? length + 1 : 0;
        }
    }

    @Override
    public void write(int b) throws IOException {
        write(new byte[] {(byte) b}, 0, 1);
    }

    @Override
    public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
        ByteArrayOutputStream passed = new ByteArrayOutputStream(length + held);
        for (int i = offset; i < offset + length; i++) {
            byte b = bytes[i];
            while (held > 0 && secret[held] != b) {
                passed.write(secret, 0, held - shorter[held]);
                held = shorter[held];
            }
            if (secret[held] != b) {
                passed.write(b);
            } else if (++held == secret.length) {
                passed.writeBytes(MASK);
                held = 0;
            }
        }
        passed.writeTo(out);
    }

    @Override
    public void flush() throws IOException {
        out.flush();
    }

    @Override
    public synchronized void close() throws IOException {
        out.write(secret, 0, held);
        held = 0;
    }
}
