package dev.kiln.http.wire;

import static org.assertj.core.api.Assertions.assertThat;

import akka.http.javadsl.model.HttpHeader;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ErrorResponsesTest {
    @Test
    void whoHasToComeAgainIsToldWhen() {
        assertThat(retryAfter(ProblemCode.TOOMANYREQUESTS)).hasValue("1");
        assertThat(retryAfter(ProblemCode.DENIED)).isEmpty();
    }

    private static Optional<String> retryAfter(ProblemCode code) {
        return ErrorResponses.of(new Problem(code, "why"))
                .getHeader("Retry-After")
                .map(HttpHeader::value);
    }
}
