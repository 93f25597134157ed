package dev.kiln.testing;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.zip.GZIPInputStream;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;
import org.eclipse.jgit.transport.PacketLineOut;
import org.eclipse.jgit.transport.RefAdvertiser;
import org.eclipse.jgit.transport.UploadPack;

/** A git server over smart http, serving the bare repositories of a folder. */
public final class GitHttp implements AutoCloseable {
    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Path root;
    /** The path and Authorization of each request. */
    public final List<String> requests = new CopyOnWriteArrayList<>();

    private volatile Optional<String> authorization = Optional.empty();
    private volatile int status = 200;
    private volatile String redirect = "";
    private volatile boolean silent;
    private final CountDownLatch closed = new CountDownLatch(1);

    public GitHttp(Path root) throws IOException {
        this.root = root;
        this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.setExecutor(threads);
        server.start();
    }

    public int port() {
        return server.getAddress().getPort();
    }

    public String url(String path) {
        return "http://127.0.0.1:" + port() + path;
    }

    /** From now on every answer is this. */
    public void status(int code) {
        status = code;
    }

    /** From now on every request without these is a 401. */
    public void require(String user, String password) {
        authorization = Optional.of("Basic "
                + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8)));
    }

    /** Whether requests are taken from now on, and never answered. */
    public void silent(boolean whether) {
        silent = whether;
    }

    public void redirect(String prefix) {
        status = 302;
        redirect = prefix;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            String given = exchange.getRequestHeaders().getFirst("Authorization");
            String path = exchange.getRequestURI().getPath();
            requests.add(path + " " + given);
            if (silent) {
                closed.await();
            }
            if (status != 200) {
                exchange.getResponseHeaders().add("Location", redirect + exchange.getRequestURI());
                exchange.sendResponseHeaders(status, -1);
            } else if (authorization.isPresent() && !authorization.get().equals(given)) {
                exchange.getResponseHeaders().add("WWW-Authenticate", "Basic realm=\"git\"");
                exchange.sendResponseHeaders(401, -1);
            } else if (path.endsWith("/info/refs")) {
                advertise(exchange, root.resolve(path.substring(1, path.length() - "/info/refs".length())));
            } else if (path.endsWith("/git-upload-pack")) {
                upload(exchange, root.resolve(path.substring(1, path.length() - "/git-upload-pack".length())));
            } else {
                exchange.sendResponseHeaders(404, -1);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void advertise(HttpExchange exchange, Path directory) throws IOException {
        if (!Files.exists(directory)) {
            exchange.sendResponseHeaders(404, -1);
            return;
        }
        exchange.getResponseHeaders().add("Content-Type", "application/x-git-upload-pack-advertisement");
        exchange.sendResponseHeaders(200, 0);
        try (Repository repository = open(directory);
                OutputStream body = exchange.getResponseBody()) {
            PacketLineOut out = new PacketLineOut(body);
            out.writeString("# service=git-upload-pack\n");
            out.end();
            new UploadPack(repository).sendAdvertisedRefs(new RefAdvertiser.PacketLineOutRefAdvertiser(out));
        }
    }

    private static void upload(HttpExchange exchange, Path directory) throws IOException {
        boolean zipped = "gzip".equals(exchange.getRequestHeaders().getFirst("Content-Encoding"));
        exchange.getResponseHeaders().add("Content-Type", "application/x-git-upload-pack-result");
        exchange.sendResponseHeaders(200, 0);
        try (Repository repository = open(directory);
                OutputStream body = exchange.getResponseBody()) {
            UploadPack pack = new UploadPack(repository);
            pack.setBiDirectionalPipe(false);
            pack.upload(
                    zipped ? new GZIPInputStream(exchange.getRequestBody()) : exchange.getRequestBody(), body, null);
        }
    }

    private static Repository open(Path directory) throws IOException {
        return new FileRepositoryBuilder()
                .setGitDir(directory.toFile())
                .setBare()
                .build();
    }

    @Override
    public void close() {
        closed.countDown();
        server.stop(0);
        threads.shutdownNow();
    }
}
