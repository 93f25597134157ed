package dev.kiln.worker.builder.jib;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.zip.GZIPOutputStream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;

/** A registry on loopback with one repository, {@code base/image}, whose answers a test can bend. */
final class FakeRegistry implements AutoCloseable {
    static final String REPOSITORY = "base/image";

    /** Answers a request in the registry's place, or lets it by returning false. */
    interface Bend {
        boolean answer(HttpExchange exchange) throws IOException;
    }

    final List<String> requests = new CopyOnWriteArrayList<>();
    final List<String> agents = new CopyOnWriteArrayList<>();
    private final Map<String, byte[]> content = new ConcurrentHashMap<>();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final HttpServer server;
    private volatile Bend bend = exchange -> false;

    FakeRegistry() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    String host() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    String image(String tag) {
        return host() + "/" + REPOSITORY + ":" + tag;
    }

    void bend(Bend answer) {
        bend = answer;
    }

    /** Publishes an image for a platform, its one layer holding one file. @return its manifest's digest */
    Digest publish(String tag, String os, String architecture, String file) {
        byte[] tar = tar(file);
        Digest layer = put(gzip(tar));
        byte[] config = """
                {"architecture":"%s","os":"%s","created":"2020-01-01T00:00:00Z",
                 "config":{"Env":["PATH=/bin","BASE=yes"],"Entrypoint":["/base"],"StopSignal":"SIGINT","User":"nobody"},
                 "history":[{"created":"2020-01-01T00:00:00Z","created_by":"base"}],
                 "rootfs":{"type":"layers","diff_ids":["%s"]}}""".formatted(architecture, os, Digest.sha256(tar)).getBytes(StandardCharsets.UTF_8);
        byte[] manifest = """
                {"schemaVersion":2,"mediaType":"%s",
                 "config":{"mediaType":"%s","digest":"%s","size":%d},
                 "layers":[{"mediaType":"%s","digest":"%s","size":%d}]}""".formatted(
                        MediaTypes.DOCKER_MANIFEST,
                        MediaTypes.DOCKER_CONFIG,
                        put(config),
                        config.length,
                        MediaTypes.DOCKER_LAYER_GZIP,
                        layer,
                        gzip(tar).length)
                .getBytes(StandardCharsets.UTF_8);
        return publish(tag, manifest);
    }

    /** Publishes an index of manifests by platform ({@code os/architecture[/variant]}). */
    Digest publishIndex(String tag, Map<String, Digest> entries) {
        List<String> listed = new ArrayList<>();
        entries.forEach((platform, digest) -> {
            String[] parts = platform.split("/");
            listed.add(
                    "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":1,\"platform\":{\"os\":\"%s\",\"architecture\":\"%s\"%s}}"
                            .formatted(
                                    MediaTypes.OCI_MANIFEST,
                                    digest,
                                    parts[0],
                                    parts[1],
                                    parts.length > 2 ? ",\"variant\":\"" + parts[2] + "\"" : ""));
        });
        return publish(
                tag,
                ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":["
                                + String.join(",", listed) + "]}")
                        .getBytes(StandardCharsets.UTF_8));
    }

    Digest publish(String tag, byte[] manifest) {
        Digest digest = Digest.sha256(manifest);
        content.put("/v2/" + REPOSITORY + "/manifests/" + tag, manifest);
        content.put("/v2/" + REPOSITORY + "/manifests/" + digest, manifest);
        return digest;
    }

    private Digest put(byte[] blob) {
        Digest digest = Digest.sha256(blob);
        content.put("/v2/" + REPOSITORY + "/blobs/" + digest, blob);
        return digest;
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            requests.add(exchange.getRequestURI().toString());
            agents.add(String.valueOf(exchange.getRequestHeaders().getFirst("User-Agent")));
            if (!bend.answer(exchange)) {
                byte[] found = content.get(exchange.getRequestURI().getPath());
                answer(exchange, found == null ? 404 : 200, found == null ? new byte[0] : found);
            }
        }
    }

    /** Asks for a Bearer token from {@code realm}, and gives the token {@code good} at {@code /token}. */
    static Bend challenge(Function<HttpExchange, String> realm) {
        return exchange -> {
            if (exchange.getRequestURI().getPath().equals("/token")) {
                answer(exchange, 200, "{\"token\":\"good\"}".getBytes(StandardCharsets.UTF_8));
                return true;
            }
            if ("Bearer good".equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
                return false;
            }
            exchange.getResponseHeaders()
                    .add("WWW-Authenticate", "Bearer realm=\"" + realm.apply(exchange) + "\",service=\"here\"");
            answer(exchange, 401, new byte[0]);
            return true;
        };
    }

    static Bend redirect(String part, String location) {
        return exchange -> {
            if (!exchange.getRequestURI().getPath().contains(part)) {
                return false;
            }
            exchange.getResponseHeaders().add("Location", location);
            answer(exchange, 307, new byte[0]);
            return true;
        };
    }

    static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }

    private static byte[] tar(String file) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes)) {
            TarArchiveEntry entry = new TarArchiveEntry(file);
            entry.setModTime(0);
            tar.putArchiveEntry(entry);
            tar.closeArchiveEntry();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static byte[] gzip(byte[] plain) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(bytes)) {
            out.write(plain);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
