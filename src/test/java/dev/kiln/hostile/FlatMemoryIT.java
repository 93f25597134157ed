package dev.kiln.hostile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the server's memory costs, seen from outside: resident pages, and the heap after a collection. */
class FlatMemoryIT {
    private static final long LAYER = 256L << 20;
    private static final Pattern USED = Pattern.compile("used (\\d+)K");

    @TempDir
    Path directory;

    private record Memory(long peakKiB, long heapKiB) {}

    @Test
    void fiftyClientsCostLittleMoreThanFive() throws Exception {
        try (Site site = new Site(directory)) {
            String blob = start(site, "-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch");
            pullAll(site, blob, 5);
            for (boolean stalled : new boolean[] {false, true}) {
                Memory five = stalled ? whileHeld(site, blob, 5) : pullAll(site, blob, 5);
                Memory fifty = stalled ? whileHeld(site, blob, 50) : pullAll(site, blob, 50);
                assertThat(fifty.peakKiB()).as("stalled %s: peak", stalled).isLessThan(five.peakKiB() * 6 / 5);
                assertThat(fifty.heapKiB()).as("stalled %s: heap", stalled).isLessThan(five.heapKiB() * 6 / 5);
            }
        }
    }

    /** The layer is taken in and read again with half of its size for everything. */
    @Test
    void aLayerLargerThanTheHeap() throws Exception {
        try (Site site = new Site(directory)) {
            String blob = start(site, "-Xmx128m");
            pullAll(site, blob, 5);
            assertThat(site.get("/v2/").status()).isEqualTo(200);
        }
    }

    /** More clients that stop reading than the memory for buffers would serve, were each given what it could have. */
    @Test
    void clientsThatStopReadingEndNothing() throws Exception {
        try (Site site = new Site(directory)) {
            String blob = start(site, "-Xmx128m");
            List<Socket> held = new ArrayList<>();
            try {
                for (int i = 0; i < 1500; i++) {
                    held.add(request(site, blob));
                }
                for (Socket socket : held.subList(0, 200)) {
                    assertThat(socket.getInputStream().read()).isEqualTo('H');
                }
                // Those behind what is held wait for a connection, not for ever: this one's turn comes when others go.
                for (Socket socket : held) {
                    socket.close();
                }
                assertThat(site.get("/v2/").status()).isEqualTo(200);
                pullAll(site, blob, 2);
                assertThat(site.server().process().isAlive()).isTrue();
                assertThat(site.server().log()).doesNotContain("OutOfMemory");
            } finally {
                for (Socket socket : held) {
                    socket.close();
                }
            }
        }
    }

    private static String start(Site site, String... javaOptions) throws IOException {
        site.branch("main", "head -c " + LAYER + " /dev/zero >l; image l");
        site.start(site.repository(""), javaOptions);
        return "/v2/app/blobs/" + site.layer(site.pull("main?platform=linux/amd64"));
    }

    private static Socket request(Site site, String blob) throws IOException {
        Socket socket = new Socket();
        socket.setReceiveBufferSize(16 << 10);
        socket.setSoTimeout(60_000);
        socket.connect(new InetSocketAddress(
                InetAddress.getLoopbackAddress(), site.server().registry().getPort()));
        socket.getOutputStream()
                .write(("GET " + blob + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII));
        return socket;
    }

    private static Memory pullAll(Site site, String blob, int clients) throws Exception {
        forgetPeak(site);
        ExecutorService threads = Executors.newFixedThreadPool(clients);
        try {
            List<Callable<Long>> pulls = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                pulls.add(() -> {
                    try (Socket socket = request(site, blob)) {
                        InputStream in = socket.getInputStream();
                        byte[] buffer = new byte[64 << 10];
                        long total = 0;
                        for (int n; (n = in.read(buffer)) > 0; ) {
                            total += n;
                        }
                        return total;
                    }
                });
            }
            for (Future<Long> pull : threads.invokeAll(pulls)) {
                assertThat(pull.get()).isBetween(LAYER, LAYER + 4096);
            }
        } finally {
            threads.shutdownNow();
        }
        return memory(site);
    }

    /** With clients that have read one byte and no more. */
    private static Memory whileHeld(Site site, String blob, int clients) throws Exception {
        forgetPeak(site);
        List<Socket> held = new ArrayList<>();
        try {
            for (int i = 0; i < clients; i++) {
                held.add(request(site, blob));
            }
            for (Socket socket : held) {
                assertThat(socket.getInputStream().read()).isEqualTo('H');
            }
            return memory(site);
        } finally {
            for (Socket socket : held) {
                socket.close();
            }
        }
    }

    private static void forgetPeak(Site site) throws IOException {
        Path refs = Path.of("/proc/" + site.server().process().pid() + "/clear_refs");
        assumeTrue(Files.isWritable(refs), "the kernel tells no peak here");
        Files.writeString(refs, "5");
    }

    private static Memory memory(Site site) throws Exception {
        KilnProcess server = site.server();
        // What connections held that have just ended may still be held by their last messages.
        long heap = Long.MAX_VALUE;
        for (long collected = heap(server); collected < heap * 0.98; collected = heap(server)) {
            heap = collected;
        }
        String peak = Files.readAllLines(Path.of("/proc/" + server.process().pid() + "/status")).stream()
                .filter(line -> line.startsWith("VmHWM:"))
                .findFirst()
                .orElseThrow();
        return new Memory(Long.parseLong(peak.replaceAll("\\D", "")), heap);
    }

    /** What is used after a collection, in KiB. */
    private static long heap(KilnProcess server) throws Exception {
        jcmd(server, "GC.run");
        Matcher used = USED.matcher(jcmd(server, "GC.heap_info"));
        assertThat(used.find()).isTrue();
        return Long.parseLong(used.group(1));
    }

    private static String jcmd(KilnProcess server, String command) throws Exception {
        Process jcmd = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                        Long.toString(server.process().pid()),
                        command)
                .redirectErrorStream(true)
                .start();
        String output = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(jcmd.waitFor()).as(output).isZero();
        return output;
    }
}
