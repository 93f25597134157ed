package dev.kiln.http;

import akka.event.LoggingAdapter;
import akka.http.ParsingErrorHandler;
import akka.http.javadsl.model.HttpResponse;
import akka.http.scaladsl.model.ErrorInfo;
import akka.http.scaladsl.model.StatusCode;
import akka.http.scaladsl.settings.ServerSettings;
import dev.kiln.http.wire.ErrorResponses;
import dev.kiln.http.wire.Headers;
import dev.kiln.problem.ProblemCode;
import java.util.List;
import java.util.Map;

/**
 * What a request is told that Akka HTTP refuses before any route sees it: too long a path, too many headers, bytes that are
 * no HTTP. Named in the listeners' settings; Akka HTTP makes the instance.
 */
public final class RefusedRequests extends ParsingErrorHandler {
    @Override
    public HttpResponse handle(StatusCode status, ErrorInfo error, LoggingAdapter log, ServerSettings settings) {
        // Its detail repeats what was sent; its summary alone is Akka's own sentence.
        log.debug("refused a request with {}: {}", status.intValue(), error.summary());
        ProblemCode code = status.intValue() == 501 ? ProblemCode.UNSUPPORTED : ProblemCode.REQUEST_INVALID;
        return ErrorResponses.of(
                code, status.intValue(), message(status.intValue(), error), Map.of(), List.of(Headers.CLOSE));
    }

    private static String message(int status, ErrorInfo error) {
        return switch (status) {
            case 414 -> "the request's path and query are too long";
            case 431 -> "the request's headers are too large";
            case 501 -> "this HTTP method is not known here: use GET or HEAD";
            case 505 -> "this version of HTTP is not spoken here: use HTTP/1.1";
            default -> "the request is not valid HTTP: " + error.summary();
        };
    }
}
