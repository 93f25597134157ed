package dev.kiln.clients;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A port of 127.0.0.1 that passes everything on to a server, counts a word in what the server says, and writes down what
 * was asked and with which status it was answered.
 */
final class Tap implements AutoCloseable {
    private final ServerSocket listener;
    private final URI server;
    private final String word;
    private static final Pattern REQUEST = Pattern.compile("(?m)^([A-Z]+) (/\\S*) HTTP/1\\.[01]");
    private static final Pattern STATUS = Pattern.compile("HTTP/1\\.[01] (\\d{3}) ");

    private final AtomicInteger count = new AtomicInteger();
    private final List<String> exchanges = Collections.synchronizedList(new ArrayList<>());
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

    /** {@code METHOD path status}, in the order of the answers. */
    List<String> exchanges() {
        synchronized (exchanges) {
            return List.copyOf(exchanges);
        }
    }

    private void accept() {
        try {
            while (true) {
                Socket client = listener.accept();
                Socket upstream = new Socket(InetAddress.getLoopbackAddress(), server.getPort());
                open.add(client);
                open.add(upstream);
                Queue<String> asked = new ConcurrentLinkedQueue<>();
                threads.execute(() -> pass(client, upstream, text -> note(REQUEST, text, asked::add)));
                threads.execute(() -> pass(upstream, client, text -> {
                    note(
                            STATUS,
                            text,
                            status -> Optional.ofNullable(asked.poll())
                                    .ifPresent(request -> exchanges.add(request + " " + status)));
                    count(text);
                }));
            }
        } catch (IOException e) {
            // closed
        }
    }

    /** @param watch sees what passes, in pieces as they come: no head of a message is cut in two on loopback */
    private static void pass(Socket from, Socket to, Consumer<String> watch) {
        try (from;
                to) {
            InputStream in = from.getInputStream();
            OutputStream out = to.getOutputStream();
            byte[] buffer = new byte[65_536];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                watch.accept(new String(buffer, 0, n, StandardCharsets.ISO_8859_1));
                out.write(buffer, 0, n);
                out.flush();
            }
        } catch (IOException e) {
            // one side has gone, and so does the other
        }
    }

    private static void note(Pattern pattern, String text, Consumer<String> found) {
        Matcher matcher = pattern.matcher(text);
        while (matcher.find()) {
            found.accept(matcher.groupCount() == 1 ? matcher.group(1) : matcher.group(1) + " " + matcher.group(2));
        }
    }

    private void count(String text) {
        for (int at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
            count.incrementAndGet();
        }
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
