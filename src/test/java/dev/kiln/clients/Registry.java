package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

/** What a server says over plain HTTP, to look at what the clients cannot show. */
final class Registry {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final KilnProcess server;
    private final HttpClient http = HttpClient.newHttpClient();

    Registry(KilnProcess server) {
        this.server = server;
    }

    /** Pulls by tag until a platform is built, over as many hops as it takes; then the newest index's digest. */
    String await(String repository, String tag, String platform) {
        URI next = uri(repository, tag);
        for (int hop = 0; hop < 100; hop++) {
            HttpResponse<byte[]> answer = get(next, platform);
            if (answer.statusCode() != 307) {
                assertThat(answer.statusCode()).as(text(answer)).isEqualTo(200);
                return answer.headers().firstValue("Docker-Content-Digest").orElseThrow();
            }
            next = next.resolve(answer.headers().firstValue("Location").orElseThrow());
        }
        throw new AssertionError(repository + ":" + tag + " is still not built for " + platform);
    }

    /** The manifest or index of a digest, whose bytes are checked against it. */
    JsonNode byDigest(String repository, String digest) {
        HttpResponse<byte[]> answer = get(uri(repository, digest), "");
        assertThat(answer.statusCode()).as(digest + ": " + text(answer)).isEqualTo(200);
        assertThat(digest(answer.body())).isEqualTo(digest);
        try {
            return JSON.readTree(answer.body());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The architectures an index lists, in its order. */
    static List<String> architectures(JsonNode index) {
        List<String> architectures = new ArrayList<>();
        index.path("manifests")
                .forEach(m -> architectures.add(
                        m.path("platform").path("architecture").asText()));
        return architectures;
    }

    static List<String> children(JsonNode index) {
        List<String> digests = new ArrayList<>();
        index.path("manifests").forEach(m -> digests.add(m.path("digest").asText()));
        return digests;
    }

    private URI uri(String repository, String reference) {
        return URI.create(server.registry() + "/v2/" + repository + "/manifests/" + reference);
    }

    private HttpResponse<byte[]> get(URI uri, String platform) {
        HttpRequest.Builder request = HttpRequest.newBuilder(uri)
                .timeout(Duration.ofMinutes(1))
                .header("User-Agent", "curl/8.5.0")
                .header(
                        "Accept",
                        "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json");
        if (!platform.isEmpty()) {
            request.header("X-Build-Platform", platform);
        }
        try {
            return http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    private static String text(HttpResponse<byte[]> answer) {
        return new String(answer.body(), StandardCharsets.UTF_8);
    }

    static String digest(byte[] bytes) {
        try {
            return "sha256:"
                    + HexFormat.of()
                            .formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
