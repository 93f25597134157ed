package dev.kiln.http.wire;

import akka.http.javadsl.model.HttpResponse;
import dev.kiln.problem.Problem;
import java.util.concurrent.CompletionStage;

/** One part of the tree of paths: what is answered there, and what an error looks like there. */
public interface Routes {
    /**
     * Answers a request, GET and HEAD alike: the listener takes a HEAD's body away. Runs on the connection's dispatcher,
     * must not block; a failure, thrown or in the stage, is best a {@link Problem}.
     */
    CompletionStage<HttpResponse> handle(Call call);

    /** How this part of the tree says what went wrong. */
    HttpResponse failed(Problem problem);
}
