package dev.kiln.clients;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Pulls as a client of one family does, by the sequences of the clients' own sources: which request comes first, what is
 * repeated how often and after how long, when it gives up. Stands in for clients that cannot be installed.
 */
record ScriptedClient(
        String name,
        String userAgent,
        boolean pings,
        String method,
        Set<Integer> repeats,
        int tries,
        Pause pause,
        boolean repeatsTheLastHopOnly,
        boolean getsAfterHead,
        Optional<Duration> headerTimeout) {

    private static final int MAX_REDIRECTS = 9;
    private static final String ACCEPT = "application/vnd.oci.image.index.v1+json,"
            + "application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.list.v2+json,"
            + "application/vnd.docker.distribution.manifest.v2+json";
    private static final Pattern CHILD = Pattern.compile("\"digest\":\"(sha256:[0-9a-f]{64})\"");
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    /** How long a client waits before it asks again. */
    enum Pause {
        NONE,
        /** Retry-After in seconds, at most 60. */
        RETRY_AFTER,
        /** A second, whatever the server says. */
        OWN
    }

    /** The families of clients.md, and those of its versions that behave otherwise. */
    static List<ScriptedClient> all() {
        Set<Integer> now = Set.of(429);
        return List.of(
                head("containerd 1.6", "containerd/1.6.20~ds1", now, 6),
                head("containerd 2.2", "containerd/v2.2.1", now, 6),
                head("containerd 2.3.1", "containerd/v2.3.1", now, 6).givingUpAfter(Duration.ofSeconds(30)),
                head("containerd 2.3.2", "containerd/v2.3.2", now, 5).givingUpAfter(Duration.ofSeconds(30)),
                head(
                                "docker 29.7",
                                "docker/29.7.2 go/go1.26 os/linux arch/amd64 containerd-client/2.3.3+unknown"
                                        + " storage-driver/overlayfs UpstreamClient(Docker-Client/29.7.2 \\(linux\\))",
                                now,
                                5)
                        .givingUpAfter(Duration.ofSeconds(30)),
                head("buildkit", "buildkit/v0.26", now, 5),
                new ScriptedClient(
                        "docker 20.10",
                        "docker/20.10.24 go/go1.19 os/linux arch/amd64 UpstreamClient(Docker-Client/20.10.24 \\(linux\\))",
                        true,
                        "HEAD",
                        Set.of(),
                        1,
                        Pause.NONE,
                        false,
                        true,
                        Optional.empty()),
                get("skopeo", "skopeo/1.9.3", now, 5, Pause.RETRY_AFTER),
                get("cri-o", "cri-o/1.31.0 go/go1.22 os/linux arch/amd64", now, 5, Pause.RETRY_AFTER),
                get("apptainer", "Apptainer/1.3.4 (Linux amd64) Go/1.22", now, 5, Pause.RETRY_AFTER),
                lastHop("crane 0.20", "crane/v0.20.3 go-containerregistry/v0.20.3", Set.of(503), 3),
                lastHop("crane 0.21.9", "crane/v0.21.9 go-containerregistry/v0.21.9", Set.of(429, 503), 3),
                lastHop("cosign", "cosign/v3.1.2 (linux; amd64) go-containerregistry/v0.21.9", Set.of(429, 503), 3),
                get("regctl", "regclient/regctl (v0.11.5)", now, 6, Pause.RETRY_AFTER)
                        .unpinged(),
                lastHop("oras", "oras/1.3.3", Set.of(429, 503), 6).unpinged(),
                head("notation", "notation/1.3.0", Set.of(), 1),
                get("unknown", "Java-http-client/17", now, 5, Pause.RETRY_AFTER).unpinged());
    }

    private static ScriptedClient head(String name, String userAgent, Set<Integer> repeats, int tries) {
        return new ScriptedClient(
                name, userAgent, false, "HEAD", repeats, tries, Pause.NONE, false, false, Optional.empty());
    }

    private static ScriptedClient get(String name, String userAgent, Set<Integer> repeats, int tries, Pause pause) {
        return new ScriptedClient(name, userAgent, true, "GET", repeats, tries, pause, false, false, Optional.empty());
    }

    private static ScriptedClient lastHop(String name, String userAgent, Set<Integer> repeats, int tries) {
        return new ScriptedClient(
                name, userAgent, true, "GET", repeats, tries, Pause.OWN, true, false, Optional.empty());
    }

    private ScriptedClient unpinged() {
        return new ScriptedClient(
                name,
                userAgent,
                false,
                method,
                repeats,
                tries,
                pause,
                repeatsTheLastHopOnly,
                getsAfterHead,
                headerTimeout);
    }

    private ScriptedClient givingUpAfter(Duration time) {
        return new ScriptedClient(
                name,
                userAgent,
                pings,
                method,
                repeats,
                tries,
                pause,
                repeatsTheLastHopOnly,
                getsAfterHead,
                Optional.of(time));
    }

    /**
     * How a pull went.
     *
     * @param exchanges {@code METHOD what status}: each request, its status; {@code what} is ping, tag, index or manifest
     * @param end the last answer
     */
    record Pulled(List<String> exchanges, HttpResponse<byte[]> end) {
        String text() {
            return new String(end.body(), StandardCharsets.UTF_8);
        }

        /** With each run of redirects as one, since their number is a matter of time. */
        List<String> sequence() {
            return ScriptedClient.sequence(exchanges);
        }
    }

    static List<String> sequence(List<String> exchanges) {
        List<String> sequence = new ArrayList<>();
        for (String exchange : exchanges) {
            boolean again = exchange.endsWith(" 307")
                    && !sequence.isEmpty()
                    && sequence.get(sequence.size() - 1).equals(exchange);
            if (!again) {
                sequence.add(exchange);
            }
        }
        return sequence;
    }

    CompletableFuture<Pulled> start(URI registry, String repository, String tag) {
        return CompletableFuture.supplyAsync(() -> pull(registry, repository, tag));
    }

    Pulled pull(URI registry, String repository, String tag) {
        List<String> exchanges = new ArrayList<>();
        if (pings) {
            send(registry.resolve("/v2/"), "GET", "ping", exchanges);
        }
        String manifests = "/v2/" + repository + "/manifests/";
        URI target = registry.resolve(manifests + tag);
        HttpResponse<byte[]> answer = resolve(target, method, exchanges);
        if (answer.statusCode() != 200 && getsAfterHead) {
            answer = resolve(target, "GET", exchanges);
        }
        if (answer.statusCode() != 200) {
            return new Pulled(exchanges, answer);
        }
        byte[] index = answer.body();
        if (method.equals("HEAD")) {
            String digest = answer.headers().firstValue("Docker-Content-Digest").orElseThrow();
            answer.headers().firstValueAsLong("Content-Length").orElseThrow();
            index = send(registry.resolve(manifests + digest), "GET", "index", exchanges)
                    .body();
        }
        Matcher child = CHILD.matcher(new String(index, StandardCharsets.UTF_8));
        if (!child.find()) {
            throw new AssertionError("an index without a manifest: " + new String(index, StandardCharsets.UTF_8));
        }
        return new Pulled(exchanges, send(registry.resolve(manifests + child.group(1)), "GET", "manifest", exchanges));
    }

    private HttpResponse<byte[]> resolve(URI target, String verb, List<String> exchanges) {
        URI from = target;
        for (int attempt = 1; ; attempt++) {
            URI at = from;
            HttpResponse<byte[]> answer = send(at, verb, "tag", exchanges);
            for (int redirects = 0; answer.statusCode() == 307; redirects++) {
                if (redirects == MAX_REDIRECTS) {
                    throw new AssertionError(name + " stopped after 10 redirects");
                }
                at = at.resolve(answer.headers().firstValue("Location").orElseThrow());
                answer = send(at, verb, "tag", exchanges);
            }
            if (!repeats.contains(answer.statusCode()) || attempt >= tries) {
                return answer;
            }
            pause(answer);
            from = repeatsTheLastHopOnly ? at : target;
        }
    }

    private void pause(HttpResponse<byte[]> answer) {
        long seconds = switch (pause) {
            case NONE -> 0;
            case OWN -> 1;
            case RETRY_AFTER ->
                Math.min(60, answer.headers().firstValueAsLong("Retry-After").orElse(2));
        };
        CompletableFuture.runAsync(() -> {}, CompletableFuture.delayedExecutor(seconds, TimeUnit.SECONDS))
                .join();
    }

    private HttpResponse<byte[]> send(URI uri, String verb, String what, List<String> exchanges) {
        HttpRequest request = HttpRequest.newBuilder(uri)
                .method(verb, HttpRequest.BodyPublishers.noBody())
                .timeout(headerTimeout.orElse(Duration.ofMinutes(3)))
                .header("User-Agent", userAgent)
                .header("Accept", ACCEPT)
                .build();
        try {
            HttpResponse<byte[]> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofByteArray());
            exchanges.add(verb + " " + what + " " + answer.statusCode());
            return answer;
        } catch (IOException e) {
            throw new UncheckedIOException(name + ": " + verb + " " + uri, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
