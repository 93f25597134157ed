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
import com.fasterxml.jackson.databind.node.ArrayNode;
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

    /** With 429 it says to come again in a second: what nodes themselves have too much of is over as soon. */
    public static HttpResponse of(Problem problem) {
        List<HttpHeader> headers = problem.status() == StatusCodes.TOO_MANY_REQUESTS.intValue()
                ? List.of(Headers.of("Retry-After", "1"))
                : List.of();
        return of(problem.code(), problem.status(), problem.getMessage(), Map.of(), headers);
    }

    public static HttpResponse of(ProblemCode code, String message, List<HttpHeader> headers) {
        return of(code, code.status(), message, Map.of(), headers);
    }

    public static HttpResponse of(
            ProblemCode code, int status, String message, Map<String, String> detail, List<HttpHeader> headers) {
        return of(code, status, message, message, detail, headers);
    }

    /**
     * @param reason what fits the reason phrase: the beginning of it is used
     * @param message may be of any length and hold anything
     * @param detail for machines, beside the message
     */
    public static HttpResponse of(
            ProblemCode code,
            int status,
            String reason,
            String message,
            Map<String, String> detail,
            List<HttpHeader> headers) {
        String line = OneLine.of(message, MAX_MESSAGE);
        ObjectNode error = JSON.createObjectNode().put("code", name(code)).put("message", line);
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
                .withStatus(status(status, OneLine.of(reason, MAX_REASON)))
                .withHeaders(all)
                .withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, bytes(body)));
    }

    /**
     * The same error of several things.
     *
     * @param details one for each of them, for machines
     */
    public static HttpResponse ofAll(ProblemCode code, String message, List<Map<String, String>> details) {
        String line = OneLine.of(message, MAX_MESSAGE);
        ObjectNode body = JSON.createObjectNode();
        ArrayNode errors = body.putArray("errors");
        for (Map<String, String> detail : details) {
            ObjectNode object = errors.addObject()
                    .put("code", name(code))
                    .put("message", line)
                    .putObject("detail");
            detail.forEach(object::put);
        }
        return of(code, line, List.of()).withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, bytes(body)));
    }

    /** The specification has no code of its own for a request that is wrong in itself, and allows no others. */
    private static String name(ProblemCode code) {
        return (code == ProblemCode.REQUEST_INVALID ? ProblemCode.UNSUPPORTED : code).name();
    }

    private static StatusCode status(int status, String reason) {
        return STANDARD_REASONS.contains(status) || reason.isEmpty()
                ? StatusCodes.get(status)
                : StatusCodes.custom(status, reason, "");
    }

    public static byte[] bytes(JsonNode json) {
        try {
            return JSON.writeValueAsBytes(json);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of JSON nodes can always be written", e);
        }
    }
}
