package dev.kiln.boot.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * One listener of a server. Blocks; an answer that is no success is an {@link ApiProblem}, no answer at all an {@link
 * IOException} whose message is for people.
 */
final class Api {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MAX_JSON = 64 * 1024 * 1024;
    private static final int MAX_MESSAGE = 1000;
    private static final Duration CONNECT = Duration.ofSeconds(10);
    private static final Duration ANSWER = Duration.ofSeconds(30);

    /** Longer than any server holds a request. */
    private static final Duration HELD = Duration.ofMinutes(2);

    private static final String MANIFESTS = "application/vnd.oci.image.index.v1+json,"
            + "application/vnd.oci.image.manifest.v1+json,"
            + "application/vnd.docker.distribution.manifest.list.v2+json,"
            + "application/vnd.docker.distribution.manifest.v2+json";

    private static final Pattern TOKEN = Pattern.compile("[A-Za-z0-9._~+/=-]{1,4096}");

    private final URI base;

    /** Empty until the server asks for one. */
    private volatile String token = "";

    private final HttpClient http = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(CONNECT)
            .build();

    Api(URI base) {
        this.base = base;
    }

    String host() {
        return base.getHost();
    }

    /** @param parameters those that are empty are left out */
    JsonNode get(String path, Map<String, String> parameters) throws IOException, InterruptedException {
        return json(request(uri(path, parameters)).timeout(ANSWER).build());
    }

    JsonNode post(String path) throws IOException, InterruptedException {
        return json(request(uri(path, Map.of()))
                .timeout(ANSWER)
                .header("X-Kiln-Operator", System.getProperty("user.name", "").replaceAll("[^\\x21-\\x7e]", "?"))
                .POST(HttpRequest.BodyPublishers.noBody())
                .build());
    }

    /** The body as it comes, which may take as long as it likes; the caller closes it. */
    HttpResponse<InputStream> stream(String path, Map<String, String> parameters)
            throws IOException, InterruptedException {
        HttpResponse<InputStream> response =
                send(request(uri(path, parameters)).timeout(ANSWER).build(), BodyHandlers.ofInputStream());
        if (response.statusCode() != 200) {
            try (InputStream body = response.body()) {
                throw problem(response.statusCode(), parse(body.readNBytes(MAX_JSON)));
            }
        }
        return response;
    }

    /**
     * A pull's question, in the words of a client that takes every kind of manifest; the answer is any status. A server that
     * asks for a token is asked for one, at its own address only, and gets it.
     */
    HttpResponse<Void> head(URI uri) throws IOException, InterruptedException {
        HttpResponse<Void> answer = askedWith(token, uri);
        if (answer.statusCode() != 401 || !isHere(uri)) {
            return answer;
        }
        String fresh = get("/token", Map.of()).path("token").asText("");
        if (!TOKEN.matcher(fresh).matches()) {
            return answer;
        }
        token = fresh;
        return askedWith(fresh, uri);
    }

    private HttpResponse<Void> askedWith(String bearer, URI uri) throws IOException, InterruptedException {
        HttpRequest.Builder request = request(uri)
                .timeout(HELD)
                .header("Accept", MANIFESTS)
                .method("HEAD", HttpRequest.BodyPublishers.noBody());
        if (!bearer.isEmpty() && isHere(uri)) {
            request.header("Authorization", "Bearer " + bearer);
        }
        return send(request.build(), BodyHandlers.discarding());
    }

    private boolean isHere(URI uri) {
        return base.getScheme().equals(uri.getScheme()) && base.getAuthority().equals(uri.getAuthority());
    }

    URI uri(String path, Map<String, String> parameters) {
        String query = new TreeMap<>(parameters)
                .entrySet().stream()
                        .filter(parameter -> !parameter.getValue().isEmpty())
                        .map(parameter -> parameter.getKey() + "="
                                + URLEncoder.encode(parameter.getValue(), StandardCharsets.UTF_8))
                        .collect(Collectors.joining("&"));
        return URI.create(base.toString().replaceFirst("/+$", "") + path + (query.isEmpty() ? "" : "?" + query));
    }

    private static HttpRequest.Builder request(URI uri) {
        return HttpRequest.newBuilder(uri).header("User-Agent", "kiln");
    }

    private JsonNode json(HttpRequest request) throws IOException, InterruptedException {
        HttpResponse<InputStream> response = send(request, BodyHandlers.ofInputStream());
        byte[] body;
        try (InputStream stream = response.body()) {
            body = stream.readNBytes(MAX_JSON);
        }
        JsonNode json = parse(body);
        if (response.statusCode() / 100 != 2) {
            throw problem(response.statusCode(), json);
        }
        if (!json.isObject()) {
            throw new IOException("no Kiln answers at " + base + ": it sent something that is no JSON");
        }
        return json;
    }

    private <A> HttpResponse<A> send(HttpRequest request, HttpResponse.BodyHandler<A> body)
            throws IOException, InterruptedException {
        try {
            return http.send(request, body);
        } catch (HttpTimeoutException e) {
            throw new IOException("no answer from " + base + " in time", e);
        } catch (IOException e) {
            String reason = e.getMessage() == null ? "no connection" : TerminalText.line(e.getMessage(), MAX_MESSAGE);
            throw new IOException("could not reach " + base + ": " + reason + "; is a server running there?", e);
        }
    }

    private static ApiProblem problem(int status, JsonNode json) {
        String detail = json.path("detail").asText(json.path("title").asText(""));
        String message = TerminalText.line(detail, MAX_MESSAGE);
        return new ApiProblem(status, message.isEmpty() ? "the server answered with status " + status : message);
    }

    private static JsonNode parse(byte[] body) throws IOException {
        try {
            return JSON.readTree(body);
        } catch (JsonProcessingException e) {
            return MissingNode.getInstance();
        }
    }
}
