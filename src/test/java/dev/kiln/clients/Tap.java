package dev.kiln.clients;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;

/** A port of 127.0.0.1 that passes everything on to a server, and counts a word in what the server says. */
final class Tap implements AutoCloseable {
    private final ServerSocket listener;
    private final URI server;
    private final String word;
    private final AtomicInteger count = new AtomicInteger();
    private final Set<Socket> open = ConcurrentHashMap.newKeySet();
    private final ExecutorService threads = Executors.newCachedThreadPool();

    private Tap(ServerSocket listener, URI server, String word) {
        this.listener = listener;
        this.server = server;
        this.word = word;
    }

    static Tap before(URI server, String word) throws IOException {
        Tap tap = new Tap(new ServerSocket(0, 50, InetAddress.getLoopbackAddress()), server, word);
        tap.threads.execute(tap::accept);
        return tap;
    }

    String host() {
        return "127.0.0.1:" + listener.getLocalPort();
    }

    int count() {
        return count.get();
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                Socket upstream = new Socket(InetAddress.getLoopbackAddress(), server.getPort());
                open.add(client);
                open.add(upstream);
                threads.execute(() -> pass(client, upstream, false));
                threads.execute(() -> pass(upstream, client, true));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void pass(Socket from, Socket to, boolean counted) {
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[8192];
            String tail = "";
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                if (counted) {
                    tail = count(tail + new String(buffer, 0, n, StandardCharsets.ISO_8859_1));
                }
                out.write(buffer, 0, n);
                out.flush();
            }
        } catch (IOException e) {
            // one side has gone, and so does the other
        }
    }

    /** Counts the word, and returns what the beginning of another may be. */
    private String count(String text) {
        int from = 0;
        for (int at = text.indexOf(word); at >= 0; at = text.indexOf(word, from)) {
            count.incrementAndGet();
            from = at + word.length();
        }
        return text.substring(Math.max(from, text.length() - word.length() + 1));
    }

    @Override
    public void close() throws IOException {
        listener.close();
        for (Socket socket : open) {
            socket.close();
        }
        threads.shutdownNow();
    }
}
