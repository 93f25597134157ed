package dev.kiln.http;

import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpEntity;
import akka.http.javadsl.model.HttpProtocols;
import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.TimeoutAccess;
import akka.stream.Materializer;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.http.registry.RegistryRoutes;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.HeadContentLength;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.Routes;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeoutException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a listener does with every request: finds its routes, turns whatever fails into the answer that these routes give,
 * and makes a HEAD's answer a GET's without the body. An answer that is ready at once passes through without another
 * dispatcher. {@link #finish} sees every answer of the routes exactly once.
 */
final class Listener {
    private static final Logger LOG = LoggerFactory.getLogger(Listener.class);

    private final Routes registry;
    private final Routes api;
    private final Routes rest;
    private final Materializer materializer;

    /**
     * The routes of one listener.
     *
     * @param registry answers what is under /v2, and /token
     * @param rest answers what is neither there nor under /api
     * @param materializer reads what nobody wants of a body
     */
    Listener(Routes registry, Routes api, Routes rest, Materializer materializer) {
        this.registry = registry;
        this.api = api;
        this.rest = rest;
        this.materializer = materializer;
    }

    /** @param gone as {@link Call#gone} */
    CompletionStage<HttpResponse> answer(HttpRequest request, CompletionStage<Void> gone) {
        Call call = Call.of(request, gone);
        Routes routes = routes(call.path());
        CompletionStage<HttpResponse> answer;
        try {
            answer = routes.handle(call);
        } catch (RuntimeException e) {
            return CompletableFuture.completedFuture(finish(call, routes.failed(problem(e))));
        }
        CompletableFuture<HttpResponse> future = answer.toCompletableFuture();
        if (!future.isDone()) {
            request.getHeader(TimeoutAccess.class)
                    .ifPresent(header ->
                            header.timeoutAccess().updateHandler(timedOut -> finish(call, routes.failed(tooSlow()))));
        }
        return future.handle(
                (response, failure) -> finish(call, failure == null ? response : routes.failed(problem(failure))));
    }

    private Routes routes(String path) {
        boolean images = path.startsWith("/v2") && (path.length() == 3 || path.charAt(3) == '/');
        if (images || path.equals(RegistryRoutes.TOKEN)) {
            return registry;
        }
        return path.startsWith("/api/") ? api : rest;
    }

    private static Problem tooSlow() {
        return new Problem(ProblemCode.UNAVAILABLE, "the answer takes too long: try again in a moment");
    }

    private static Problem problem(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        if (cause instanceof Problem problem) {
            if (problem.status() >= 500) {
                LOG.warn("answered {}: {}", problem.status(), problem.getMessage(), problem.getCause());
            }
            return problem;
        }
        if (cause instanceof TimeoutException || cause instanceof RejectedExecutionException) {
            LOG.warn("answered 503", cause);
            return new Problem(ProblemCode.UNAVAILABLE, "the server is busy: try again in a moment", cause);
        }
        LOG.error("answered 500", cause);
        return new Problem(ProblemCode.INTERNAL, "an error of the server, not of the request: see its log", cause);
    }

    /** HTTP/2 has its length already. */
    private static boolean isHttp1(HttpRequest request) {
        return request.protocol().equals(HttpProtocols.HTTP_1_1)
                || request.protocol().equals(HttpProtocols.HTTP_1_0);
    }

    private HttpResponse finish(Call call, HttpResponse response) {
        HttpRequest request = call.request();
        HttpResponse answer = response;
        if (!call.isBodyRead()) {
            // Closing keeps its bytes from ever being taken for a next request: of a Content-Length of 2^64 + 4
            // Akka HTTP 10.5 reads 4 (stack notes: akka-http#4553).
            answer = afterBody(call, answer.addHeader(Headers.CLOSE));
        }
        if (call.isHead() && isHttp1(request) && answer.status().allowsEntity()) {
            var length = answer.entity().getContentLengthOption();
            if (length.isPresent()) {
                answer = answer.addHeader(new HeadContentLength(length.getAsLong()));
            }
        }
        return answer;
    }

    /**
     * An answer which ends, so that its connection is closed, when the body of a push or a form has: its client may be sending
     * it still, and has no eyes for an answer. It is sent at once all the same, for clients that have.
     */
    private HttpResponse afterBody(Call call, HttpResponse answer) {
        boolean sends = call.isPut() || call.isPatch() || call.isPost();
        if (!sends
                || call.isBodyHeldBack()
                || call.request().entity().isStrict()
                || !(answer.entity() instanceof HttpEntity.Strict strict)
                || strict.isKnownEmpty()) {
            return answer;
        }
        Source<ByteString, ?> bytes = Source.single(strict.getData())
                .concat(Source.completionStage(
                        call.dropBody(materializer).thenApply(end -> ByteString.emptyByteString())));
        return answer.withEntity(
                HttpEntities.create(strict.getContentType(), strict.getData().size(), bytes));
    }
}
