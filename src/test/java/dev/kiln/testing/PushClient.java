package dev.kiln.testing;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.oci.Digest;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

/** The requests of a client that pushes to one repository, one by one. Thread-safe. */
public final class PushClient {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NORMAL)
            .build();

    private final URI server;
    private final String repository;

    /** @param server without a trailing slash */
    public PushClient(URI server, String repository) {
        this.server = server;
        this.repository = repository;
    }

    /** An answer whose body has been read. */
    public record Answer(HttpResponse<byte[]> response) {
        public int status() {
            return response.statusCode();
        }

        /** The first value of a header, or empty text. */
        public String header(String name) {
            return response.headers().firstValue(name).orElse("");
        }

        public List<String> headers(String name) {
            return response.headers().allValues(name);
        }

        public byte[] body() {
            return response.body();
        }

        public JsonNode json() {
            try {
                return JSON.readTree(response.body());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        /** The code of the first error. */
        public String code() {
            return json().path("errors").path(0).path("code").asText();
        }

        @Override
        public String toString() {
            String text = new String(response.body(), StandardCharsets.ISO_8859_1);
            return status() + " " + response.headers().map() + " " + text.substring(0, Math.min(500, text.length()));
        }
    }

    public String repository() {
        return repository;
    }

    /** @param target a path below the repository, or one that begins with a slash */
    public Answer send(String method, String target, BodyPublisher body, String... headers) {
        URI uri = server.resolve(target.startsWith("/") ? target : "/v2/" + repository + "/" + target);
        HttpRequest.Builder request =
                HttpRequest.newBuilder(uri).method(method, body).timeout(Duration.ofSeconds(60));
        if (headers.length > 0) {
            request.headers(headers);
        }
        try {
            return new Answer(http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray()));
        } catch (IOException e) {
            throw new UncheckedIOException(method + " " + uri, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    public Answer send(String method, String target, byte[] body, String... headers) {
        return send(method, target, BodyPublishers.ofByteArray(body), headers);
    }

    public Answer send(String method, String target) {
        return send(method, target, BodyPublishers.noBody());
    }

    public Answer get(String target, String... headers) {
        return send("GET", target, BodyPublishers.noBody(), headers);
    }

    public Answer head(String target) {
        return send("HEAD", target);
    }

    public Answer delete(String target) {
        return send("DELETE", target);
    }

    /** Begins an upload. @return its address */
    public String upload() {
        Answer answer = send("POST", "blobs/uploads/");
        if (answer.status() != 202) {
            throw new AssertionError("no upload: " + answer);
        }
        return answer.header("Location");
    }

    /** A chunk with its range. */
    public Answer chunk(String method, String location, byte[] blob, int from, int to) {
        byte[] bytes = new byte[to - from];
        System.arraycopy(blob, from, bytes, 0, bytes.length);
        return send(
                method,
                location,
                bytes,
                "Content-Type",
                "application/octet-stream",
                "Content-Range",
                from + "-" + (to - 1));
    }

    /** A body whose length is not said. */
    public Answer stream(String method, String location, byte[] bytes) {
        return send(
                method,
                location,
                BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(bytes)),
                "Content-Type",
                "application/octet-stream");
    }

    public static String with(String location, String parameter, String value) {
        return location + (location.contains("?") ? "&" : "?") + parameter + "=" + value;
    }

    /** Pushes a blob as most clients do, with POST and PUT. */
    public Digest push(byte[] blob) {
        return push(blob, Digest.sha256(blob));
    }

    public Digest push(byte[] blob, Digest digest) {
        Answer answer =
                send("PUT", with(upload(), "digest", digest.value()), blob, "Content-Type", "application/octet-stream");
        if (answer.status() != 201) {
            throw new AssertionError("the blob was not taken: " + answer);
        }
        return digest;
    }

    public Answer putManifest(String reference, String mediaType, byte[] manifest) {
        return send("PUT", "manifests/" + reference, manifest, "Content-Type", mediaType);
    }
}
