package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.Hop;
import dev.kiln.image.Images;
import dev.kiln.image.IndexHistory;
import dev.kiln.image.Pull;
import dev.kiln.image.PullAnswer;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.testing.SettableClock;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.awaitility.Awaitility;

/**
 * A client and a registry with one clock, which moves only while both wait: hours pass in no time, and nothing depends on
 * how fast the machine is. Looks at every answer for what no client must ever get. One client at a time.
 */
final class SteppedWorld implements ScriptedClient.World {
    private static final HttpClient HTTP =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    private record Event(Instant at, Runnable action) {}

    private final SettableClock clock;
    private final AtomicReference<Optional<Duration>> held = new AtomicReference<>(Optional.empty());
    private BooleanSupplier settled = () -> true;
    private Optional<Event> next = Optional.empty();
    private int lost;

    SteppedWorld(SettableClock clock) {
        this.clock = clock;
    }

    /** What the registry of this world answers from, so that it is seen when a pull is held. */
    Images watch(Images images) {
        return new Watched(images);
    }

    /** What happens when some time has passed, once; instead of what was to happen before. */
    void after(Duration time, Runnable action) {
        next = Optional.of(new Event(clock.instant().plus(time), action));
    }

    /** When the registry has done what takes it no time, and does nothing more until the clock moves. */
    void settledWhen(BooleanSupplier condition) {
        settled = condition;
    }

    /** The next answers for a tag do not arrive. */
    void lose(int answers) {
        lost = answers;
    }

    @Override
    public HttpResponse<byte[]> exchange(HttpRequest request, Duration timeout) throws HttpTimeoutException {
        held.set(Optional.empty());
        Instant sent = clock.instant();
        CompletableFuture<HttpResponse<byte[]>> answer =
                HTTP.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray());
        await(() -> answer.isDone() || (held.get().isPresent() && settled.getAsBoolean()));
        Optional<Duration> hold = held.get();
        boolean isLost = hold.isPresent() && lost > 0;
        if (hold.isPresent() && (isLost || !answer.isDone())) {
            boolean tooLate = isLost || timeout.compareTo(hold.get()) < 0;
            boolean happened = advance(tooLate ? timeout : hold.get());
            if (tooLate && (isLost || !happened)) {
                lost = Math.max(0, lost - 1);
                answer.cancel(true);
                throw new HttpTimeoutException("no headers within " + timeout);
            }
            await(answer::isDone);
        }
        HttpResponse<byte[]> got = answer.join();
        boolean byTag = request.uri().getPath().contains("/manifests/")
                && !request.uri().getPath().contains("/sha256:");
        if (byTag) {
            look(request, got, Duration.between(sent, clock.instant()));
        }
        return got;
    }

    private static void await(Callable<Boolean> condition) {
        Awaitility.await()
                .pollInSameThread()
                .pollDelay(Duration.ZERO)
                .pollInterval(Duration.ofMillis(2))
                .atMost(Duration.ofMinutes(1))
                .until(condition);
    }

    private static void look(HttpRequest request, HttpResponse<byte[]> answer, Duration waited) {
        String agent = request.headers().firstValue("User-Agent").orElseThrow();
        String what = agent + ": " + request.method() + " " + request.uri() + ": " + answer.statusCode() + " "
                + answer.headers().map();
        assertThat(answer.statusCode()).as(what).isIn(200, 307, 424, 429, 503);
        assertThat(answer.headers().firstValue("Content-Encoding")).as(what).isEmpty();
        if (answer.statusCode() == 200) {
            assertThat(answer.headers().firstValue("Docker-Content-Digest"))
                    .as(what)
                    .isPresent();
            assertThat(answer.headers().firstValue("Content-Length")).as(what).isPresent();
        } else {
            assertThat(answer.headers().firstValue("Warning")).as(what).isPresent();
        }
        if (answer.statusCode() == 429 && repeatsAtOnce(agent)) {
            assertThat(waited).as(what).isGreaterThanOrEqualTo(Duration.ofSeconds(10));
        }
    }

    private static boolean repeatsAtOnce(String agent) {
        return agent.startsWith("containerd/")
                || agent.contains(" containerd-client/")
                || agent.startsWith("buildkit/");
    }

    @Override
    public void pause(Duration time) {
        Instant end = clock.instant().plus(time);
        advance(time);
        advance(Duration.between(clock.instant(), end));
    }

    /** Stops at what happens on the way, and says so. */
    private boolean advance(Duration time) {
        Optional<Event> due =
                next.filter(event -> !event.at().isAfter(clock.instant().plus(time)));
        clock.advance(
                due.map(event -> Duration.between(clock.instant(), event.at())).orElse(time));
        next = due.isPresent() ? Optional.empty() : next;
        due.ifPresent(event -> event.action().run());
        return due.isPresent();
    }

    @Override
    public Duration now() {
        return Duration.between(Instant.EPOCH, clock.instant());
    }

    /** A pull's deadline stands when it is seen to be held: from then on the clock may move. */
    private final class Watched implements Images {
        private final Images images;

        Watched(Images images) {
            this.images = images;
        }

        @Override
        public CompletionStage<PullAnswer> pull(Pull pull) {
            Instant now = clock.instant();
            CompletionStage<PullAnswer> answer = images.pull(pull);
            Hop hop = pull.hop().map(Watched::hop).orElse(Hop.first(now));
            held.set(Optional.of(hop.hold(pull.plan(), now)));
            return answer;
        }

        /** What a counter says in front of its signature; all that come here are the registry's own and still count. */
        private static Hop hop(String counter) {
            String[] parts = counter.split("\\.");
            return new Hop(
                    Integer.parseInt(parts[0]), Instant.ofEpochSecond(Long.parseLong(parts[1])), Optional.empty());
        }

        @Override
        public CompletionStage<String> pointers(RepositoryName repository, Tag tag) {
            return images.pointers(repository, tag);
        }

        @Override
        public CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform) {
            return images.indexes(repository, tag, platform);
        }

        @Override
        public CompletionStage<Optional<PullAnswer.Served>> manifest(RepositoryName repository, Digest digest) {
            return images.manifest(repository, digest);
        }

        @Override
        public CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit) {
            return images.tags(repository, after, limit);
        }
    }
}
