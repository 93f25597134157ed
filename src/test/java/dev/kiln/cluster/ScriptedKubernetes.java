package dev.kiln.cluster;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpsConfigurator;
import com.sun.net.httpserver.HttpsServer;
import dev.kiln.testing.TestAuthority;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;

/**
 * The API server of a Kubernetes, as far as a node of Kiln asks it: the pods of one namespace, over TLS, for who has the
 * token. Keeps what it was asked.
 */
final class ScriptedKubernetes implements AutoCloseable {
    static final String TOKEN = "a token of the test";

    private final HttpsServer server;
    private final Queue<String> asked = new ConcurrentLinkedQueue<>();
    private volatile List<Pod> pods = List.of();

    /** @param phase such as {@code Running} */
    record Pod(String address, String phase) {}

    ScriptedKubernetes(TestAuthority authority, String namespace) {
        try {
            server = HttpsServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.setHttpsConfigurator(new HttpsConfigurator(authority.server()));
        server.setExecutor(Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "kubernetes");
            thread.setDaemon(true);
            return thread;
        }));
        server.createContext("/", exchange -> respond(exchange, 404, "{}"));
        server.createContext("/api/v1/namespaces/" + namespace + "/pods", this::list);
        server.start();
    }

    int port() {
        return server.getAddress().getPort();
    }

    void runs(Pod... latest) {
        pods = List.of(latest);
    }

    /** The label selectors, decoded. */
    List<String> asked() {
        return List.copyOf(asked);
    }

    private void list(HttpExchange exchange) throws IOException {
        if (!("Bearer " + TOKEN).equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
            respond(exchange, 401, "{}");
            return;
        }
        asked.add(URLDecoder.decode(exchange.getRequestURI().getRawQuery(), StandardCharsets.UTF_8));
        ObjectNode list = JsonNodeFactory.instance.objectNode();
        list.put("kind", "PodList").put("apiVersion", "v1");
        ArrayNode items = list.putArray("items");
        for (Pod pod : pods) {
            ObjectNode item = items.addObject();
            item.putObject("metadata").put("name", "kiln-registry-" + pod.address());
            ObjectNode container = item.putObject("spec").putArray("containers").addObject();
            container.put("name", "kiln");
            container.putArray("ports").addObject().put("name", "management").put("containerPort", 8558);
            ObjectNode status = item.putObject("status");
            status.put("phase", pod.phase()).put("podIP", pod.address());
        }
        respond(exchange, 200, list.toString());
    }

    private static void respond(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
