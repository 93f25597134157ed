package dev.kiln.http.api;

import akka.NotUsed;
import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpResponse;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.blob.BuildLogs;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.Builds;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.Headers;
import dev.kiln.oci.BuildKey;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeoutException;

/**
 * The log of an attempt, byte for byte, live if asked for. Plain text has no room for a keep-alive, and a listener cuts a
 * connection that is silent for a minute: so a live log that is silent for {@link #SILENCE} ends in good order, and who
 * follows it asks again with {@code offset} at the bytes it has, until the build has ended.
 */
public final class LogRoutes {
    /** Well under the listener's idle-timeout of 60 s. */
    private static final Duration SILENCE = Duration.ofSeconds(45);

    private static final Set<String> PARAMETERS = Set.of("attempt", "follow", "offset");
    private static final ContentType TEXT = ContentTypes.TEXT_PLAIN_UTF8;

    private final Builds builds;
    private final BuildLogs logs;
    private final Executor blocking;
    private final Duration silence;

    /** @param blocking runs look-ups on the disk */
    public LogRoutes(Builds builds, BuildLogs logs, Executor blocking) {
        this(builds, logs, blocking, SILENCE);
    }

    LogRoutes(Builds builds, BuildLogs logs, Executor blocking, Duration silence) {
        this.builds = builds;
        this.logs = logs;
        this.blocking = blocking;
        this.silence = silence;
    }

    CompletionStage<HttpResponse> log(Call call, BuildKey key) {
        call.query().allowOnly(PARAMETERS);
        Optional<Integer> attempt =
                call.query().one("attempt").map(text -> (int) number("attempt", text, 1, Integer.MAX_VALUE));
        long offset = call.query()
                .one("offset")
                .map(text -> number("offset", text, 0, Long.MAX_VALUE))
                .orElse(0L);
        boolean follow = call.query().one("follow").map(LogRoutes::flag).orElse(false);
        return builds.status(key)
                .thenCompose(status -> existing(status, attempt))
                .thenApply(existing -> render(call, key, existing, offset, follow));
    }

    /** The attempt that is meant, if it has a log. */
    private CompletionStage<Integer> existing(BuildStatus status, Optional<Integer> asked) {
        int attempt = asked.orElse(status.attempt());
        return CompletableFuture.supplyAsync(() -> attempt > 0 && isHere(status.key(), attempt), blocking)
                .thenCompose(here -> here || attempt == 0
                        ? CompletableFuture.completedFuture(here)
                        : logs.isGrowingElsewhere(status.key(), attempt))
                .thenApply(there -> {
                    if (!there) {
                        throw new Problem(
                                ProblemCode.NOT_FOUND,
                                asked.isPresent()
                                        ? "this build has no log of attempt " + attempt
                                        : "this build has no log: no attempt has begun");
                    }
                    return attempt;
                });
    }

    private boolean isHere(BuildKey key, int attempt) {
        try {
            return logs.exists(key, attempt);
        } catch (IOException e) {
            throw new Problem(ProblemCode.UNAVAILABLE, "could not read the build logs: try again", e);
        }
    }

    private HttpResponse render(Call call, BuildKey key, int attempt, long offset, boolean follow) {
        Source<ByteString, NotUsed> bytes = call.isHead() ? Source.empty() : logs.read(key, attempt, offset, follow);
        if (follow) {
            bytes = bytes.idleTimeout(silence).onErrorComplete(TimeoutException.class);
        }
        return HttpResponse.create()
                .withHeaders(List.of(
                        Headers.of("X-Kiln-Attempt", Integer.toString(attempt)), Headers.NO_STORE, Headers.NO_SNIFF))
                .withEntity(HttpEntities.createChunked(TEXT, bytes));
    }

    private static long number(String name, String text, long min, long max) {
        try {
            long number = Long.parseLong(text);
            if (number >= min && number <= max && !text.startsWith("+")) {
                return number;
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new Problem(
                ProblemCode.REQUEST_INVALID, "the parameter " + name + " must be a whole number, " + min + " or more");
    }

    private static boolean flag(String text) {
        return switch (text) {
            case "true", "" -> true;
            case "false" -> false;
            default -> throw new Problem(ProblemCode.REQUEST_INVALID, "the parameter follow must be true or false");
        };
    }
}
