package dev.kiln.clients;

import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Pulls as a client of one family does, by the sequences of the clients' own sources: which request comes first, what is
 * repeated how often and after how long, when it gives up. Stands in for clients that cannot be installed. What it pulls
 * it compares with what was announced.
 *
 * @param pings whether it asks for /v2/ first
 * @param first how it asks what a tag means
 * @param repeats which answers it repeats
 * @param outer what begins the whole pull anew when it has failed
 * @param headerTimeout after which it takes a request for lost; none where it waits for ever
 * @param resends how often it then sends a lost request in all
 * @param total what the whole pull may take
 */
record ScriptedClient(
        String name,
        String userAgent,
        boolean pings,
        First first,
        Repeats repeats,
        Outer outer,
        Optional<Duration> headerTimeout,
        int resends,
        Optional<Duration> total) {

    private static final int MAX_REDIRECTS = 9;
    private static final Duration NEVER = Duration.ofDays(1);
    private static final String ACCEPT = "application/vnd.oci.image.index.v1+json,"
            + "application/vnd.oci.image.manifest.v1+json,application/vnd.docker.distribution.manifest.list.v2+json,"
            + "application/vnd.docker.distribution.manifest.v2+json";
    private static final Pattern CHILD = Pattern.compile("\"digest\":\"(sha256:[0-9a-f]{64})\"");

    enum First {
        HEAD,
        GET,
        /** And GET when HEAD has failed. */
        HEAD_THEN_GET
    }

    /** @param statuses of failures after which the pull begins anew, after pauses that grow from {@code pause} on */
    record Outer(int passes, Duration pause, Duration longestPause, Set<Integer> statuses) {
        static final Outer ONCE = new Outer(1, Duration.ZERO, Duration.ZERO, Set.of());
        static final Outer PODMAN = new Outer(4, Duration.ofSeconds(1), NEVER, Set.of(429, 502, 503, 504));
        /** For ever, as far as a test goes. */
        static final Outer KUBELET =
                new Outer(20, Duration.ofSeconds(10), Duration.ofSeconds(300), Set.of(0, 404, 424, 429, 503));
    }

    /** Where a script is played: what passes on its requests, and its clock. */
    interface World {
        /**
         * The answer to one request; redirects are not followed.
         *
         * @throws HttpTimeoutException when its head has not come in time
         */
        HttpResponse<byte[]> exchange(HttpRequest request, Duration timeout) throws HttpTimeoutException;

        void pause(Duration time);

        /** The time since some moment. */
        Duration now();
    }

    /** The families of clients.md, and those of its versions that behave otherwise. */
    static List<ScriptedClient> all() {
        return List.of(
                containerd("containerd 1.6", "containerd/1.6.20~ds1", 6, false),
                containerd("containerd 2.2", "containerd/v2.2.1", 6, true),
                containerd("containerd 2.3.1", "containerd/v2.3.1", 6, true).givingUpAfter(Duration.ofSeconds(30), 1),
                containerd("containerd 2.3.2", "containerd/v2.3.2", 5, true).givingUpAfter(Duration.ofSeconds(30), 5),
                containerd("docker 28, containerd store", engine("28.0.4", " containerd-client/v1.7.25"), 6, false),
                containerd("docker 29.1", engine("29.1.0", " containerd-client/2.2.1"), 6, true),
                containerd("docker 29.6", engine("29.6.0", " containerd-client/2.3.1"), 6, true)
                        .givingUpAfter(Duration.ofSeconds(30), 1),
                containerd("docker 29.7", engine("29.7.2", " containerd-client/2.3.3+unknown"), 5, true)
                        .givingUpAfter(Duration.ofSeconds(30), 5),
                containerd("buildkit", "buildkit/v0.26", 5, true),
                of("docker 20.10", engine("20.10.24", ""), true, First.HEAD_THEN_GET, Repeats.NONE),
                containersImage("podman", "containers/5.23.1 (github.com/containers/image)")
                        .repeatedBy(Outer.PODMAN),
                containersImage("buildah", "Buildah/1.28.2").repeatedBy(Outer.PODMAN),
                containersImage("skopeo", "skopeo/1.9.3"),
                containersImage("cri-o", "cri-o/1.31.0 go/go1.22 os/linux arch/amd64"),
                containersImage("apptainer", "Apptainer/1.3.4 (Linux amd64) Go/1.22"),
                ggcr("crane 0.20", "crane/v0.20.3 go-containerregistry/v0.20.3", Set.of(503)),
                ggcr("crane 0.21.9", "crane/v0.21.9 go-containerregistry/v0.21.9", Set.of(429, 503)),
                of(
                        "crane digest",
                        "crane/v0.21.9 go-containerregistry/v0.21.9",
                        true,
                        First.HEAD_THEN_GET,
                        Repeats.goContainerRegistry(Set.of(429, 503))),
                ggcr("kaniko", "go-containerregistry/v0.20.3", Set.of(503)),
                ggcr("cosign", "cosign/v3.1.2 (linux; amd64) go-containerregistry/v0.21.9", Set.of(429, 503))
                        .within(Duration.ofMinutes(3)),
                of("regctl", "regclient/regctl (v0.11.5)", false, First.GET, Repeats.regclient()),
                of("regsync", "regclient/regsync (v0.11.5)", false, First.GET, Repeats.regclient()),
                of("oras", "oras/1.3.3", false, First.GET, Repeats.oras()),
                of("oras resolve", "oras/1.3.3", false, First.HEAD, Repeats.oras()),
                of("helm", "Helm/3.19.0", false, First.GET, Repeats.oras()),
                of("notation", "notation/1.3.0", false, First.HEAD, Repeats.NONE),
                of("harbor", "harbor-registry-client", true, First.HEAD, Repeats.NONE),
                of("curl", "curl/8.5.0", false, First.GET, Repeats.NONE),
                of("unknown", "Java-http-client/17", false, First.GET, Repeats.containersImage()));
    }

    static ScriptedClient named(String name) {
        return all().stream()
                .filter(client -> client.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    /** containerd with what stands behind it on a node of Kubernetes. */
    static ScriptedClient kubelet() {
        return containerd("kubelet", "containerd/v2.3.4", 5, true)
                .givingUpAfter(Duration.ofSeconds(30), 5)
                .repeatedBy(Outer.KUBELET);
    }

    private static String engine(String version, String store) {
        return "docker/" + version + " go/go1.26 os/linux arch/amd64" + store + " UpstreamClient(Docker-Client/"
                + version + " \\(linux\\))";
    }

    private static ScriptedClient containerd(String name, String userAgent, int tries, boolean busyToo) {
        return of(name, userAgent, false, First.HEAD, Repeats.containerd(tries, busyToo));
    }

    private static ScriptedClient containersImage(String name, String userAgent) {
        return of(name, userAgent, true, First.GET, Repeats.containersImage());
    }

    private static ScriptedClient ggcr(String name, String userAgent, Set<Integer> repeated) {
        return of(name, userAgent, true, First.GET, Repeats.goContainerRegistry(repeated));
    }

    private static ScriptedClient of(String name, String userAgent, boolean pings, First first, Repeats repeats) {
        return new ScriptedClient(
                name, userAgent, pings, first, repeats, Outer.ONCE, Optional.empty(), 1, Optional.empty());
    }

    private ScriptedClient givingUpAfter(Duration timeout, int times) {
        return new ScriptedClient(name, userAgent, pings, first, repeats, outer, Optional.of(timeout), times, total);
    }

    private ScriptedClient repeatedBy(Outer passes) {
        return new ScriptedClient(name, userAgent, pings, first, repeats, passes, headerTimeout, resends, total);
    }

    private ScriptedClient within(Duration time) {
        return new ScriptedClient(
                name, userAgent, pings, first, repeats, outer, headerTimeout, resends, Optional.of(time));
    }

    /**
     * How a pull went.
     *
     * @param exchanges {@code METHOD what status}: each request, its status; {@code what} is ping, tag, index or manifest
     * @param end the last answer; empty when the client gave up waiting for one
     */
    record Pulled(List<String> exchanges, Optional<HttpResponse<byte[]>> end) {
        /** 0 without an answer. */
        int status() {
            return end.map(HttpResponse::statusCode).orElse(0);
        }

        String header(String name) {
            return end.flatMap(answer -> answer.headers().firstValue(name)).orElse("");
        }

        /** How many requests for the tag were answered so, or ended in a {@code timeout}. */
        long count(String status) {
            return exchanges.stream()
                    .filter(exchange -> exchange.endsWith(" tag " + status))
                    .count();
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

    /** @param tag with a suffix that is a hint, where there shall be one */
    Pulled pull(World world, URI registry, String repository, String tag) {
        return new Play(world, registry.resolve("/v2/" + repository + "/manifests/")).pull(tag);
    }

    @Override
    public String toString() {
        return name;
    }

    /** One pull from beginning to end. */
    private final class Play {
        private final World world;
        private final String manifests;
        private final Duration begin;
        private final List<String> exchanges = new ArrayList<>();

        Play(World world, URI manifests) {
            this.world = world;
            this.manifests = manifests.toString();
            this.begin = world.now();
        }

        Pulled pull(String tag) {
            Duration pause = outer.pause();
            for (int pass = 1; ; pass++) {
                Pulled pulled = pass(tag);
                if (pulled.status() == 200
                        || pass == outer.passes()
                        || !outer.statuses().contains(pulled.status())) {
                    return pulled;
                }
                world.pause(pause);
                pause = pause.multipliedBy(2);
                pause = pause.compareTo(outer.longestPause()) < 0 ? pause : outer.longestPause();
            }
        }

        private Pulled pass(String tag) {
            try {
                return new Pulled(exchanges, Optional.of(tryToPull(tag)));
            } catch (HttpTimeoutException e) {
                return new Pulled(exchanges, Optional.empty());
            }
        }

        private HttpResponse<byte[]> tryToPull(String tag) throws HttpTimeoutException {
            if (pings) {
                send(URI.create(manifests).resolve("/v2/"), "GET", "ping");
            }
            boolean headFirst = first != First.GET;
            HttpResponse<byte[]> answer = resolve(URI.create(manifests + tag), headFirst ? "HEAD" : "GET");
            if (answer.statusCode() != 200 && first == First.HEAD_THEN_GET) {
                headFirst = false;
                answer = resolve(URI.create(manifests + tag), "GET");
            }
            if (answer.statusCode() != 200) {
                return answer;
            }
            String digest = answer.headers().firstValue("Docker-Content-Digest").orElseThrow();
            byte[] index = answer.body();
            if (headFirst) {
                long length =
                        answer.headers().firstValueAsLong("Content-Length").orElseThrow();
                index = send(URI.create(manifests + digest), "GET", "index").body();
                check(length == index.length, "HEAD announced " + length + " bytes of " + index.length);
            }
            check(Registry.digest(index).equals(digest), "other bytes than those of " + digest);
            Matcher child = CHILD.matcher(new String(index, StandardCharsets.UTF_8));
            check(child.find(), "an index without a manifest");
            HttpResponse<byte[]> manifest = send(URI.create(manifests + child.group(1)), "GET", "manifest");
            check(Registry.digest(manifest.body()).equals(child.group(1)), "other bytes than the manifest's");
            return manifest;
        }

        private void check(boolean holds, String otherwise) {
            if (!holds) {
                throw new AssertionError(name + ": " + otherwise + "; " + exchanges);
            }
        }

        private HttpResponse<byte[]> resolve(URI target, String method) throws HttpTimeoutException {
            List<Integer> statuses = new ArrayList<>();
            URI at = target;
            int redirects = 0;
            int lost = 0;
            while (true) {
                HttpResponse<byte[]> answer;
                try {
                    answer = send(at, method, "tag");
                } catch (HttpTimeoutException e) {
                    if (++lost == resends) {
                        throw e;
                    }
                    at = target;
                    redirects = 0;
                    continue;
                }
                Optional<String> location = answer.headers().firstValue("Location");
                if (answer.statusCode() == 307) {
                    check(redirects++ < MAX_REDIRECTS, "stopped after 10 redirects");
                    at = at.resolve(location.orElseThrow());
                    if (repeats.lastHopOnly()) {
                        statuses.clear();
                    }
                    continue;
                }
                statuses.add(answer.statusCode());
                Optional<Duration> pause = repeats.rule()
                        .pause(
                                statuses,
                                answer.headers().firstValue("Retry-After").map(Long::parseLong));
                if (pause.isEmpty()) {
                    return answer;
                }
                world.pause(pause.get());
                if (!repeats.lastHopOnly()) {
                    at = target;
                    redirects = 0;
                }
            }
        }

        private HttpResponse<byte[]> send(URI uri, String method, String what) throws HttpTimeoutException {
            HttpRequest request = HttpRequest.newBuilder(uri)
                    .method(method, HttpRequest.BodyPublishers.noBody())
                    .header("User-Agent", userAgent)
                    .header("Accept", ACCEPT)
                    .build();
            Duration left =
                    total.map(most -> most.minus(world.now().minus(begin))).orElse(NEVER);
            Duration timeout =
                    headerTimeout.filter(time -> time.compareTo(left) < 0).orElse(left);
            try {
                HttpResponse<byte[]> answer = world.exchange(request, timeout);
                exchanges.add(method + " " + what + " " + answer.statusCode());
                return answer;
            } catch (HttpTimeoutException e) {
                exchanges.add(method + " " + what + " timeout");
                throw e;
            }
        }
    }
}
