package dev.kiln.cluster;

import akka.util.ByteString;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.oci.Digest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * A client that does what the protocol lets a client do, and no more: follows nine redirects, sends a request that broke, or
 * that a proxy answered for a node, again a few times, and goes on with a blob where it was cut. It believes no byte it
 * has not hashed and remembers all it was answered. Blocking; thread-safe.
 */
final class PersistentClient {
    private static final int MAX_REDIRECTS = 9;
    private static final Duration PAUSE = Duration.ofSeconds(2);
    private static final String TYPES =
            "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http;
    private final ScheduledExecutorService timer;
    private final int maxRepeats;
    private final URI registry;
    private final String repository;
    private final Map<Digest, String> paths = new ConcurrentHashMap<>();
    private final Map<Digest, List<Digest>> indexes = new ConcurrentHashMap<>();

    /** @param maxRepeats how often a request that broke is sent again: three times by the protocol's word, or never */
    PersistentClient(
            int maxRepeats, URI registry, String repository, Executor executor, ScheduledExecutorService timer) {
        this.maxRepeats = maxRepeats;
        this.registry = registry;
        this.repository = repository;
        this.timer = timer;
        http = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .executor(executor)
                .build();
    }

    /** Why a pull ended without its image. */
    static final class NoImage extends Exception {
        private static final long serialVersionUID = 1;

        NoImage(String message) {
            super(message);
        }
    }

    private record Answer(int status, Optional<String> location, Optional<String> digest, ByteString body) {
        String text() {
            return body.utf8String();
        }
    }

    /**
     * Pulls an image with all it consists of, for {@code platform}.
     *
     * @param reference a tag or digest
     */
    Digest pull(String reference, String platform) throws NoImage, InterruptedException {
        String path = manifests(reference) + "?platform=" + platform;
        Answer index = get(path);
        for (int hop = 0; index.status() == 307; hop++) {
            if (hop == MAX_REDIRECTS) {
                throw new NoImage("redirected more often than a client follows");
            }
            index = get(index.location().orElseThrow());
        }
        Digest digest = verified(path, index);
        paths.put(digest, manifests(digest.value()));
        List<Digest> children = new ArrayList<>();
        Optional<JsonNode> mine = Optional.empty();
        for (JsonNode child : json(index).path("manifests")) {
            children.add(new Digest(child.path("digest").asText()));
            JsonNode p = child.path("platform");
            String text = p.path("os").asText() + "/" + p.path("architecture").asText();
            if (platform.equals(text)) {
                mine = Optional.of(child);
            }
        }
        indexes.put(digest, children);
        // Whoever has the index may ask for any of them, at any time.
        children.forEach(child -> paths.putIfAbsent(child, manifests(child.value())));
        read(mine.orElseThrow(() -> new NoImage("an index without the platform that was asked for: " + children)));
        return digest;
    }

    /** Reads what one entry of an index leads to. */
    private void read(JsonNode entry) throws NoImage, InterruptedException {
        Digest digest = new Digest(entry.path("digest").asText());
        Answer manifest = get(manifests(digest.value()));
        if (!verified(digest.value(), manifest).equals(digest)) {
            throw new NoImage("other bytes for " + digest);
        }
        paths.put(digest, manifests(digest.value()));
        JsonNode json = json(manifest);
        blob(json.path("config"));
        for (JsonNode layer : json.path("layers")) {
            blob(layer);
        }
    }

    private static JsonNode json(Answer answer) throws NoImage {
        try {
            return JSON.readTree(answer.text());
        } catch (IOException e) {
            throw new NoImage("no JSON: " + e.getMessage());
        }
    }

    private static Digest verified(String what, Answer answer) throws NoImage {
        Digest digest = Digest.sha256(answer.body().toArray());
        if (answer.status() != 200 || !answer.digest().equals(Optional.of(digest.value()))) {
            throw new NoImage(what + ": " + answer.status() + " " + answer.text());
        }
        return digest;
    }

    private String manifests(String reference) {
        return "/v2/" + repository + "/manifests/" + reference;
    }

    private void blob(JsonNode descriptor) throws NoImage, InterruptedException {
        Digest digest = new Digest(descriptor.path("digest").asText());
        String path = "/v2/" + repository + "/blobs/" + digest.value();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        String problem = "";
        for (int i = 0; i <= maxRepeats; i++) {
            HttpRequest.Builder request = request(path);
            if (bytes.size() > 0) {
                request.header("Range", "bytes=" + bytes.size() + "-");
            }
            try {
                HttpResponse<InputStream> response =
                        http.send(request.build(), HttpResponse.BodyHandlers.ofInputStream());
                int expected = bytes.size() > 0 ? 206 : 200;
                try (InputStream body = response.body()) {
                    if (response.statusCode() == expected) {
                        body.transferTo(bytes);
                        if (!Digest.sha256(bytes.toByteArray()).equals(digest)) {
                            throw new NoImage("other bytes for " + digest);
                        }
                        paths.put(digest, path);
                        return;
                    }
                    problem = response.statusCode() + " " + new String(body.readAllBytes(), StandardCharsets.UTF_8);
                }
                if (response.statusCode() < 502) {
                    break;
                }
            } catch (IOException e) {
                problem = e.toString();
            }
            pause();
        }
        throw new NoImage(path + ": " + problem);
    }

    /** One answer, of whatever status, that a node gave. */
    private Answer get(String path) throws NoImage, InterruptedException {
        String problem = "";
        for (int i = 0; i <= maxRepeats; i++) {
            try {
                HttpResponse<byte[]> response =
                        http.send(request(path).build(), HttpResponse.BodyHandlers.ofByteArray());
                if (response.statusCode() < 502) {
                    return new Answer(
                            response.statusCode(),
                            response.headers().firstValue("Location"),
                            response.headers().firstValue("Docker-Content-Digest"),
                            ByteString.fromArrayUnsafe(response.body()));
                }
                problem = response.statusCode() + " " + new String(response.body(), StandardCharsets.UTF_8);
            } catch (IOException e) {
                problem = e.toString();
            }
            pause();
        }
        throw new NoImage(path + ", asked " + (maxRepeats + 1) + " times: " + problem);
    }

    /** As any client pauses before it tries again; nothing is decided by how long. */
    private void pause() throws InterruptedException {
        try {
            timer.schedule(() -> {}, PAUSE.toMillis(), TimeUnit.MILLISECONDS).get();
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(registry.resolve(path))
                .timeout(Duration.ofMinutes(2))
                .header("User-Agent", "curl/8.5.0")
                .header("Accept", TYPES);
    }

    /** What each digest that was ever answered gives now: empty for its own bytes, else what is wrong. */
    Map<Digest, Optional<String>> readAgain() throws InterruptedException {
        Map<Digest, Optional<String>> found = new ConcurrentHashMap<>();
        for (Map.Entry<Digest, String> known : paths.entrySet()) {
            try {
                Answer answer = get(known.getValue());
                found.put(
                        known.getKey(),
                        answer.status() == 200
                                        && Digest.sha256(answer.body().toArray())
                                                .equals(known.getKey())
                                ? Optional.empty()
                                : Optional.of(
                                        answer.status() + " " + answer.body().length() + " bytes"));
            } catch (NoImage e) {
                found.put(known.getKey(), Optional.of(e.getMessage()));
            }
        }
        return found;
    }

    Map<Digest, List<Digest>> indexes() {
        return Map.copyOf(indexes);
    }
}
