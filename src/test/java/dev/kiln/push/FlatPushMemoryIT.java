package dev.kiln.push;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import java.io.InputStream;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the server's memory costs when many push at once, seen from outside: resident pages. */
class FlatPushMemoryIT {
    private static final long LAYER = 64L << 20;
    private static final byte[] PIECE = new byte[1 << 20];

    static {
        new Random(1).nextBytes(PIECE);
    }

    @TempDir
    private Path directory;

    /** A layer of its own for each number: a piece again and again, and the number in front. */
    private static final class Layer extends InputStream {
        private final ByteBuffer head;
        private long left = LAYER;

        Layer(int number) {
            head = ByteBuffer.allocate(Integer.BYTES).putInt(0, number);
        }

        @Override
        public int read() {
            throw new UnsupportedOperationException();
        }

        @Override
        public int read(byte[] bytes, int offset, int length) {
            if (left == 0) {
                return -1;
            }
            int n = (int) Math.min(left, length);
            if (head.hasRemaining()) {
                n = Math.min(n, head.remaining());
                head.get(bytes, offset, n);
            } else {
                int from = (int) ((LAYER - left) % PIECE.length);
                n = Math.min(n, PIECE.length - from);
                System.arraycopy(PIECE, from, bytes, offset, n);
            }
            left -= n;
            return n;
        }
    }

    @Test
    void fiftyPushersCostLittleMoreThanFive() throws Exception {
        try (KilnProcess server = KilnProcess.start(
                directory,
                "kiln.repositories = [{ name = \"**\", push = true }]",
                "-Xms512m",
                "-Xmx512m",
                "-XX:+AlwaysPreTouch")) {
            PushClient client = new PushClient(server.registry(), "flat/memory");
            push(server, client, 5, 0);
            long five = push(server, client, 5, 100);
            long fifty = push(server, client, 50, 1000);

            assertThat(fifty).as("peak in KiB").isLessThan(five * 6 / 5);
        }
    }

    /** @return the server's peak of resident memory meanwhile, in KiB */
    private static long push(KilnProcess server, PushClient client, int pushers, int first) throws Exception {
        Path process = Path.of("/proc/" + server.process().pid());
        assumeTrue(Files.isWritable(process.resolve("clear_refs")), "the kernel tells no peak here");
        Files.writeString(process.resolve("clear_refs"), "5");
        ExecutorService threads = Executors.newFixedThreadPool(pushers);
        try {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < pushers; i++) {
                int number = first + i;
                all.add(threads.submit(() -> {
                    push(client, number);
                    return null;
                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        } finally {
            threads.shutdownNow();
        }
        String peak = Files.readAllLines(process.resolve("status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .findFirst()
                .orElseThrow();
        return Long.parseLong(peak.replaceAll("\\D", ""));
    }

    private static void push(PushClient client, int number) throws Exception {
        MessageDigest hash = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[64 << 10];
        try (InputStream layer = new Layer(number)) {
            for (int n = layer.read(buffer, 0, buffer.length); n > 0; n = layer.read(buffer, 0, buffer.length)) {
                hash.update(buffer, 0, n);
            }
        }
        String digest = "sha256:" + HexFormat.of().formatHex(hash.digest());
        PushClient.Answer patched = client.send(
                "PATCH",
                client.upload(),
                BodyPublishers.ofInputStream(() -> new Layer(number)),
                "Content-Type",
                "application/octet-stream");
        assertThat(patched.status()).as(patched.toString()).isEqualTo(202);
        PushClient.Answer put = client.send("PUT", patched.header("Location") + "?digest=" + digest);
        assertThat(put.status()).as(put.toString()).isEqualTo(201);
    }
}
