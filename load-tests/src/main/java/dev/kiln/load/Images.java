package dev.kiln.load;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A small client of registries, for everything that is not measured. It believes no server: it hashes what it gets. */
final class Images {
    static final String ACCEPT = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";

    private static final Pattern DIGEST = Pattern.compile("\"digest\":\"(sha256:[0-9a-f]{64})\"");
    /** A build may take its time: 25 seconds each. */
    private static final int MAX_HOPS = 30;

    private static final Duration PATIENCE = Duration.ofMinutes(4);

    private static final HttpClient CLIENT =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private Images() {}

    /**
     * An image of one layer as a server has it.
     *
     * @param index the bytes under the tag
     * @param manifestDigest of the index's first platform
     */
    record Image(String name, String index, String indexDigest, String manifestDigest, String layerDigest) {}

    /** Pulls the manifests of {@code name:main}, following as many redirects as it takes. */
    static Image pull(Server server, String name) throws IOException, InterruptedException {
        String index = text(server, "/v2/" + name + "/manifests/main");
        String manifestDigest = digests(index).group(1);
        String manifest = text(server, "/v2/" + name + "/manifests/" + manifestDigest);
        if (!sha256(manifest.getBytes(UTF_8)).equals(manifestDigest)) {
            throw new IOException(server.name() + " served a manifest that is not " + manifestDigest);
        }
        Matcher digests = digests(manifest);
        if (!digests.find()) {
            throw new IOException("the image " + name + " has no layer");
        }
        return new Image(name, index, sha256(index.getBytes(UTF_8)), manifestDigest, digests.group(1));
    }

    private static Matcher digests(String manifest) throws IOException {
        Matcher digests = DIGEST.matcher(manifest);
        if (!digests.find()) {
            throw new IOException("not a manifest: " + manifest);
        }
        return digests;
    }

    /** Fails unless the server answers {@code path} with the bytes of that digest; returns how many they are. */
    static long verify(Server server, String path, String digest) throws IOException, InterruptedException {
        HttpResponse<InputStream> response = get(server, path);
        MessageDigest hash = newSha256();
        try (InputStream body = new DigestInputStream(response.body(), hash)) {
            long bytes = body.transferTo(OutputStream.nullOutputStream());
            String got = "sha256:" + HexFormat.of().formatHex(hash.digest());
            if (!got.equals(digest)) {
                throw new IOException(server.name() + " answers " + path + " with " + got);
            }
            return bytes;
        }
    }

    /** Puts the bytes that a server has under a path where nginx will serve them under the same. */
    static void save(Server server, String path, Path www) throws IOException, InterruptedException {
        Path file = www.resolve(path.substring(1));
        Files.createDirectories(file.getParent());
        try (InputStream body = get(server, path).body()) {
            Files.copy(body, file);
        }
    }

    /** What a server answers, following redirects. @throws IOException when it is no 200 */
    static String text(Server server, String path) throws IOException, InterruptedException {
        try (InputStream body = get(server, path).body()) {
            return new String(body.readAllBytes(), UTF_8);
        }
    }

    /** As {@link #text(Server, String)}, from a node itself. */
    static void pull(String node, URI address) throws IOException, InterruptedException {
        try (InputStream body = get(node, address).body()) {
            body.readAllBytes();
        }
    }

    /** Pulls again and again, as people do, until there is an image. @throws IOException when there is none in time */
    static void pullUntilAnswered(Server server, String path) throws IOException, InterruptedException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            try {
                text(server, path);
                return;
            } catch (IOException e) {
                if (System.nanoTime() > deadline) {
                    throw e;
                }
                server.pause(100);
            }
        }
    }

    private static HttpResponse<InputStream> get(Server server, String path) throws IOException, InterruptedException {
        return get(server.name(), URI.create(server.url(path)));
    }

    private static HttpResponse<InputStream> get(String name, URI address) throws IOException, InterruptedException {
        URI uri = address;
        for (int hop = 0; hop < MAX_HOPS; hop++) {
            HttpResponse<InputStream> response = CLIENT.send(
                    HttpRequest.newBuilder(uri)
                            .header("Accept", ACCEPT)
                            .timeout(Duration.ofMinutes(1))
                            .build(),
                    BodyHandlers.ofInputStream());
            if (response.statusCode() == 200) {
                return response;
            }
            try (InputStream body = response.body()) {
                if (response.statusCode() != 307) {
                    throw new IOException(name + " answers " + address + " with " + response.statusCode() + ": "
                            + new String(body.readNBytes(2000), UTF_8));
                }
            }
            uri = uri.resolve(response.headers().firstValue("Location").orElseThrow());
        }
        throw new IOException(name + " redirects " + address + " without end");
    }

    private static String sha256(byte[] bytes) {
        return "sha256:" + HexFormat.of().formatHex(newSha256().digest(bytes));
    }

    private static MessageDigest newSha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
