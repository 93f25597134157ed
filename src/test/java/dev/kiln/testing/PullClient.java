package dev.kiln.testing;

import akka.util.ByteString;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpHeaders;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * A registry's client that follows redirects by hand, as many as a real one, believes no byte it has not hashed, and
 * remembers every digest it was ever answered. Thread-safe.
 */
public final class PullClient {
    public static final String INDEX = "application/vnd.oci.image.index.v1+json";
    public static final String MANIFEST = "application/vnd.oci.image.manifest.v1+json";

    private static final int MAX_REDIRECTS = 9;
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final Supplier<URI> registry;
    private final String repository;
    /** Path below the registry by digest, of everything that was answered. */
    private final SortedMap<Digest, String> answered;

    /** @param registry where the server is now: it may move when it is started anew */
    public PullClient(Supplier<URI> registry, String repository) {
        this(registry, repository, new ConcurrentSkipListMap<>());
    }

    private PullClient(Supplier<URI> registry, String repository, SortedMap<Digest, String> answered) {
        this.registry = registry;
        this.repository = repository;
        this.answered = answered;
    }

    /** The same client, with all that it remembers, at another server. */
    public PullClient at(Supplier<URI> other) {
        return new PullClient(other, repository, answered);
    }

    /** @param hops how many redirects came first */
    public record Answer(int status, int hops, HttpHeaders headers, ByteString body) {
        public String text() {
            return body.utf8String();
        }

        public JsonNode json() {
            try {
                return JSON.readTree(body.toArray());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        public String header(String name) {
            return headers.firstValue(name).orElse("");
        }

        public Digest digest() {
            return Digest.sha256(body.toArray());
        }

        /** The platforms an index lists, with their manifests. */
        public Map<String, Digest> children() {
            Map<String, Digest> children = new TreeMap<>();
            for (JsonNode child : json().path("manifests")) {
                JsonNode p = child.path("platform");
                String variant = p.path("variant").asText("");
                children.put(
                        p.path("os").asText() + "/" + p.path("architecture").asText()
                                + (variant.isEmpty() ? "" : "/" + variant),
                        new Digest(child.path("digest").asText()));
            }
            return children;
        }

        public String revision() {
            return json().at("/annotations/org.opencontainers.image.revision").asText();
        }
    }

    /** One request, without following a redirect. {@code path} begins with {@code /}; headers are names and values. */
    public CompletableFuture<Answer> request(String method, URI server, String path, String... headers) {
        HttpRequest.Builder request = HttpRequest.newBuilder(server.resolve(path))
                .timeout(Duration.ofMinutes(3))
                .method(method, HttpRequest.BodyPublishers.noBody());
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        if (!List.of(headers).contains("User-Agent")) {
            // of a family that follows redirects
            request.header("User-Agent", "curl/8.5.0");
        }
        return http.sendAsync(request.build(), HttpResponse.BodyHandlers.ofByteArray())
                .thenApply(r -> new Answer(r.statusCode(), 0, r.headers(), ByteString.fromArrayUnsafe(r.body())));
    }

    public String manifests(String reference) {
        return "/v2/" + repository + "/manifests/" + reference;
    }

    /**
     * Pulls the manifest that {@code reference}, a tag or a digest with parameters as {@code ?platform=…}, means, through
     * all redirects.
     */
    public CompletableFuture<Answer> pull(String reference, String... headers) {
        List<String> all = new ArrayList<>(List.of(headers));
        all.addAll(List.of("Accept", INDEX + ", " + MANIFEST));
        return follow(manifests(reference), 0, all.toArray(String[]::new));
    }

    /** As {@link #pull}, from where a redirect led. */
    public CompletableFuture<Answer> follow(String path, int hops, String... headers) {
        return request("GET", registry.get(), path, headers).thenCompose(answer -> {
            if (answer.status() == 307) {
                if (hops == MAX_REDIRECTS) {
                    throw new AssertionError("redirected more often than a client follows");
                }
                return follow(answer.header("Location"), hops + 1, headers);
            }
            if (answer.status() == 200) {
                verify(answer);
                answered.put(answer.digest(), manifests(answer.digest().value()));
            }
            return CompletableFuture.completedFuture(
                    new Answer(answer.status(), hops, answer.headers(), answer.body()));
        });
    }

    private static void verify(Answer answer) {
        if (!answer.header("Docker-Content-Digest").equals(answer.digest().value())) {
            throw new AssertionError("the bytes are not those of " + answer.header("Docker-Content-Digest"));
        }
    }

    /** Reads what an index leads to: manifests, configurations and layers, each compared with its digest and size. */
    public void readAll(Answer index) {
        for (JsonNode child : index.json().path("manifests")) {
            JsonNode manifest =
                    read(child, manifests(child.path("digest").asText())).json();
            read(manifest.path("config"), blob(manifest.path("config")));
            manifest.path("layers").forEach(layer -> read(layer, blob(layer)));
        }
    }

    private String blob(JsonNode descriptor) {
        return "/v2/" + repository + "/blobs/" + descriptor.path("digest").asText();
    }

    private Answer read(JsonNode descriptor, String path) {
        Digest digest = new Digest(descriptor.path("digest").asText());
        Answer answer = get(digest, path);
        if (answer.body().length() != descriptor.path("size").asLong()) {
            throw new AssertionError(path + " is not as large as its descriptor says");
        }
        answered.put(digest, path);
        return answer;
    }

    private Answer get(Digest digest, String path) {
        Answer answer = join(request("GET", registry.get(), path));
        if (answer.status() != 200 || !answer.digest().equals(digest)) {
            throw new AssertionError(path + " was answered before and is now " + answer.status() + " " + answer.text());
        }
        return answer;
    }

    /** Reads again, by digest, all that was ever answered; how much that was. */
    public int readAllAgain() {
        Map<Digest, String> all = new TreeMap<>(answered);
        all.forEach(this::get);
        return all.size();
    }

    public static <A> A join(CompletableFuture<A> future) {
        try {
            return future.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof AssertionError error) {
                throw error;
            }
            throw e;
        }
    }

    @Override
    public String toString() {
        return answered.keySet().stream().map(Digest::value).collect(Collectors.joining("\n"));
    }
}
