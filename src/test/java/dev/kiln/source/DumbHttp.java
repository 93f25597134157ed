package dev.kiln.source;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.Ref;
import org.eclipse.jgit.transport.RefAdvertiser;
import org.eclipse.jgit.util.FileUtils;

/** A web server of files, which is enough for git to fetch from. */
final class DumbHttp implements AutoCloseable {
    private final HttpServer server;
    private final Path root;
    final List<String> requests = new CopyOnWriteArrayList<>();
    private volatile int status = 200;
    private volatile String redirect;

    DumbHttp(Path root) throws IOException {
        this.root = root;
        this.server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", this::answer);
        server.start();
    }

    String url(String path) {
        return "http://127.0.0.1:" + server.getAddress().getPort() + path;
    }

    /** From now on every answer is this. */
    void status(int code) {
        status = code;
    }

    void redirect(String location) {
        status = 302;
        redirect = location;
    }

    private void answer(HttpExchange exchange) throws IOException {
        try (exchange) {
            requests.add(exchange.getRequestURI().toString() + " "
                    + exchange.getRequestHeaders().getOrDefault("Authorization", List.of()));
            Path file = root.resolve(exchange.getRequestURI().getPath().substring(1));
            if (status == 200 && Files.isRegularFile(file)) {
                byte[] bytes = Files.readAllBytes(file);
                exchange.sendResponseHeaders(200, bytes.length == 0 ? -1 : bytes.length);
                exchange.getResponseBody().write(bytes);
            } else {
                if (redirect != null) {
                    exchange.getResponseHeaders().add("Location", redirect);
                }
                exchange.sendResponseHeaders(status == 200 ? 404 : status, -1);
            }
        }
    }

    /** What {@code git update-server-info} writes. */
    void updateServerInfo(Origin origin) throws IOException {
        StringBuilder refs = new StringBuilder();
        origin.run(repository -> {
            RefAdvertiser advertiser = new RefAdvertiser() {
                @Override
                protected void writeOne(CharSequence line) {
                    refs.append(line.toString().replace(' ', '\t'));
                }

                @Override
                protected void end() {
                    // there is nothing after the last line
                }
            };
            advertiser.init(repository);
            advertiser.setDerefTags(true);
            List<Ref> all = repository.getRefDatabase().getRefs().stream()
                    .filter(ref -> !ref.getName().equals(Constants.HEAD))
                    .toList();
            advertiser.send(all);
            return null;
        });
        FileUtils.mkdirs(origin.directory.resolve("info").toFile(), true);
        Files.writeString(origin.directory.resolve("info/refs"), refs, StandardCharsets.UTF_8);
        Path info = origin.directory.resolve("objects/info");
        Files.createDirectories(info);
        try (Stream<Path> packs = Files.list(origin.directory.resolve("objects/pack"))) {
            StringBuilder lines = new StringBuilder();
            packs.filter(pack -> pack.toString().endsWith(".pack"))
                    .forEach(pack ->
                            lines.append("P ").append(pack.getFileName()).append('\n'));
            Files.writeString(info.resolve("packs"), lines + "\n");
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
