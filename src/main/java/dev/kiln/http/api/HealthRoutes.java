package dev.kiln.http.api;

import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.OneLine;
import dev.kiln.http.wire.Routes;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/**
 * {@code /health/live}: this process answers. {@code /health/ready}: it should be sent requests, which holds of one that can
 * answer some only. Also what every path that is nobody else's ends in: 404.
 */
public final class HealthRoutes implements Routes {
    private static final int MAX_REASON = 200;

    private final Supplier<Optional<String>> notReady;
    private final Supplier<Optional<String>> impaired;

    /**
     * Both are asked on every probe, so they must be quick.
     *
     * @param notReady why this node should get no requests, in one line
     * @param impaired what all nodes lack, so that no other would answer better, in one line
     */
    public HealthRoutes(Supplier<Optional<String>> notReady, Supplier<Optional<String>> impaired) {
        this.notReady = notReady;
        this.impaired = impaired;
    }

    @Override
    public CompletionStage<HttpResponse> handle(Call call) {
        boolean live = call.path().equals("/health/live");
        if (!live && !call.path().equals("/health/ready")) {
            throw new Problem(
                    ProblemCode.NOT_FOUND, "nothing is here: images are under /v2/, builds under /api/v1/builds");
        }
        if (!call.isRead()) {
            return CompletableFuture.completedFuture(ProblemDetails.of(
                    ProblemCode.UNSUPPORTED, 405, "use GET or HEAD here", List.of(Headers.allow("GET, HEAD"))));
        }
        Optional<String> reason = live ? Optional.empty() : notReady.get();
        ObjectNode body = JsonNodeFactory.instance
                .objectNode()
                .put("status", live ? "live" : reason.isEmpty() ? "ready" : "not ready");
        reason.ifPresent(text -> body.put("reason", OneLine.of(text, MAX_REASON)));
        if (!live) {
            impaired.get().ifPresent(text -> body.put("impaired", OneLine.of(text, MAX_REASON)));
        }
        return CompletableFuture.completedFuture(ProblemDetails.json(reason.isEmpty() ? 200 : 503, body, List.of()));
    }

    @Override
    public HttpResponse failed(Problem problem) {
        return ProblemDetails.of(problem);
    }
}
