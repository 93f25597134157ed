package dev.kiln.boot.cli;

import dev.kiln.oci.Platform;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * One pull by HEAD, as a patient client does it: it follows every hop, and begins again when the server's patience has passed.
 * Ends with the pull's own answer, or by interruption.
 */
final class PullLoop {
    private static final Duration SHORTEST = Duration.ofSeconds(1);
    private static final Duration USUAL = Duration.ofSeconds(5);
    private static final Duration LONGEST = Duration.ofSeconds(60);
    private static final int MAX_FAILURES_IN_A_ROW = 30;
    private static final int MAX_MESSAGE = 300;
    private static final List<Integer> TRY_LATER = List.of(429, 502, 503, 504);
    private static final Pattern WARNING = Pattern.compile("[0-9]{3} \\S+ \"((?:[^\"\\\\]|\\\\.)*)\".*");

    // a hop's counter is number.start.revision.signature; only for showing the right builds, so nothing depends on it
    private static final Pattern REVISION_OF_HOP = Pattern.compile("[?&]w=[0-9]+\\.[0-9]+\\.([0-9a-f]{40,64})\\.");

    private final Api api;
    private final ImageName image;
    private final Optional<Platform> platform;
    private final Pace pace;
    private final Consumer<String> revision;

    /**
     * @param platform which one is asked for; empty: the pull says nothing
     * @param revision told what the tag means as soon as the server says it
     */
    PullLoop(Api api, ImageName image, Optional<Platform> platform, Pace pace, Consumer<String> revision) {
        this.api = api;
        this.image = image;
        this.platform = platform;
        this.pace = pace;
        this.revision = revision;
    }

    /** How a pull ended. */
    sealed interface End {
        /** @param missing platforms that the index does not list yet */
        record Available(String digest, List<Platform> missing) implements End {}

        record Failed(String message) implements End {}
    }

    /** @throws IOException when the server cannot be reached at all, or not any more */
    End run() throws IOException, InterruptedException {
        URI first = api.uri(
                "/v2/" + image.repository() + "/manifests/" + image.tag(),
                Map.of("platform", platform.map(Platform::toString).orElse("")));
        URI next = first;
        boolean reached = false;
        int failures = 0;
        while (true) {
            HttpResponse<Void> answer;
            try {
                answer = api.head(next);
                reached = true;
                failures = 0;
            } catch (IOException e) {
                // at first it is the address that is wrong; later the server may only be starting again
                if (!reached || ++failures >= MAX_FAILURES_IN_A_ROW) {
                    throw e;
                }
                pace.pause(USUAL);
                continue;
            }
            int status = answer.statusCode();
            if (status == 200) {
                return new End.Available(header(answer, "Docker-Content-Digest"), missing(answer.headers()));
            }
            if (status / 100 == 3) {
                Optional<URI> location = location(next, answer);
                if (location.isEmpty()) {
                    return new End.Failed("the server redirects to nowhere (status " + status + ")");
                }
                next = location.get();
                Matcher hop = REVISION_OF_HOP.matcher(next.toString());
                if (hop.find()) {
                    revision.accept(hop.group(1));
                }
            } else if (TRY_LATER.contains(status)) {
                pace.pause(retryAfter(answer));
                next = first;
            } else {
                return new End.Failed(message(answer));
            }
        }
    }

    /** Where to go on; never from https to http. */
    private static Optional<URI> location(URI from, HttpResponse<Void> answer) {
        try {
            return answer.headers()
                    .firstValue("Location")
                    .map(from::resolve)
                    .filter(to -> "https".equals(to.getScheme())
                            || ("http".equals(to.getScheme())
                                    && from.getScheme().equalsIgnoreCase("http")))
                    .filter(to -> to.getHost() != null);
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    private static Duration retryAfter(HttpResponse<Void> answer) {
        String seconds = header(answer, "Retry-After");
        Duration asked = seconds.matches("[0-9]{1,6}") ? Duration.ofSeconds(Long.parseLong(seconds)) : USUAL;
        return asked.compareTo(SHORTEST) < 0 ? SHORTEST : asked.compareTo(LONGEST) > 0 ? LONGEST : asked;
    }

    private static List<Platform> missing(HttpHeaders headers) {
        return headers.allValues("X-Kiln-Missing-Platforms").stream()
                .flatMap(value -> Arrays.stream(value.split(",")))
                .flatMap(text -> Platform.parse(text.strip()).stream())
                .toList();
    }

    /** An answer to HEAD has no body: its text stands in the Warning. */
    private static String message(HttpResponse<Void> answer) {
        Matcher warning = WARNING.matcher(header(answer, "Warning"));
        return warning.matches()
                ? TerminalText.line(warning.group(1).replaceAll("\\\\(.)", "$1"), MAX_MESSAGE)
                : "the server answered with status " + answer.statusCode();
    }

    private static String header(HttpResponse<Void> answer, String name) {
        return answer.headers()
                .firstValue(name)
                .map(value -> TerminalText.line(value, 2 * MAX_MESSAGE))
                .orElse("");
    }
}
