package dev.kiln.http.wire;

import akka.http.javadsl.model.ContentTypes;
import akka.http.javadsl.model.HttpEntities;
import akka.http.javadsl.model.HttpHeader;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.StatusCode;
import akka.http.javadsl.model.StatusCodes;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Errors under /v2: the distribution specification's JSON ("Error Codes"), and the same words as reason phrase and
 * {@code Warning}, because each client shows only one of the three (docs/clients.md).
 */
public final class ErrorResponses {
    /** What containers/image and the Docker Engine still print in one line. */
    public static final int MAX_MESSAGE = 200;

    /** What fits a status line on every client's screen. */
    public static final int MAX_REASON = 80;

    /** These speak for themselves; scripts compare their phrases. */
    private static final Set<Integer> STANDARD_REASONS = Set.of(404, 405, 416, 500);

    private static final ObjectMapper JSON = new ObjectMapper();

    private ErrorResponses() {}

    public static HttpResponse of(Problem problem) {
        return of(problem.code(), problem.status(), problem.getMessage(), Map.of(), List.of());
    }

    public static HttpResponse of(ProblemCode code, String message, List<HttpHeader> headers) {
        return of(code, code.status(), message, Map.of(), headers);
    }

    /**
     * @param message may be of any length and hold anything; the reason phrase is the beginning of it
     * @param detail for machines, beside the message
     */
    public static HttpResponse of(
            ProblemCode code, int status, String message, Map<String, String> detail, List<HttpHeader> headers) {
        String line = OneLine.of(message, MAX_MESSAGE);
        ObjectNode error = JSON.createObjectNode().put("code", code.name()).put("message", line);
        if (!detail.isEmpty()) {
            ObjectNode object = error.putObject("detail");
            detail.forEach(object::put);
        }
        ObjectNode body = JSON.createObjectNode();
        body.putArray("errors").add(error);
        List<HttpHeader> all = new ArrayList<>(headers);
        all.add(Headers.NO_STORE);
        all.add(Headers.NO_SNIFF);
        if (!STANDARD_REASONS.contains(status)) {
            all.add(Headers.warning(line));
        }
        return HttpResponse.create()
                .withStatus(status(status, line))
                .withHeaders(all)
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, bytes(body)));
    }

    /** A status whose HTTP/1.1 reason phrase is the beginning of {@code line}, unless its standard phrase says enough. */
    public static StatusCode status(int status, String line) {
        if (STANDARD_REASONS.contains(status) || line.isEmpty()) {
            return StatusCodes.get(status);
        }
        return StatusCodes.custom(status, OneLine.of(line, MAX_REASON), "");
    }

    public static byte[] bytes(JsonNode json) {
        try {
            return JSON.writeValueAsBytes(json);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of JSON nodes can always be written", e);
        }
    }
}
