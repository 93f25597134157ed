package dev.kiln.http.api;

import akka.http.javadsl.model.ContentType;
import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCodes;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.http.wire.OneLine;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.ArrayList;
import java.util.List;

/** Answers outside /v2: JSON, and errors as RFC 9457 problem details with Kiln's own {@code code} beside the standard members. */
public final class ProblemDetails {
    private static final int MAX_DETAIL = 500;
    private static final ContentType TYPE = ContentTypes.parse("application/problem+json");

    private ProblemDetails() {}

    public static HttpResponse of(Problem problem) {
        return of(problem.code(), problem.status(), problem.getMessage(), List.of());
    }

    static HttpResponse of(ProblemCode code, int status, String message, List<HttpHeader> headers) {
        JsonNode body = JsonNodeFactory.instance
                .objectNode()
                .put("type", "about:blank")
                .put("title", StatusCodes.get(status).reason())
                .put("status", status)
                .put("detail", OneLine.of(message, MAX_DETAIL))
                .put("code", code.name());
        return render(status, TYPE, body, headers);
    }

    static HttpResponse json(int status, JsonNode body, List<HttpHeader> headers) {
        return render(status, ContentTypes.APPLICATION_JSON, body, headers);
    }

    private static HttpResponse render(int status, ContentType type, JsonNode body, List<HttpHeader> headers) {
        List<HttpHeader> all = new ArrayList<>(headers);
        all.add(Headers.NO_STORE);
        all.add(Headers.NO_SNIFF);
        return HttpResponse.create()
                .withStatus(StatusCodes.get(status))
                .withHeaders(all)
                .withEntity(HttpEntities.create(type, ErrorResponses.bytes(body)));
    }
}
