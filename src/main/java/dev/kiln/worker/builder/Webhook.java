package dev.kiln.worker.builder;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.build.FailureClass;
import dev.kiln.config.BuilderConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.OutputStream;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Orders images by a POST. What the farm answers beside its status is not read, redirects are not followed, and what goes
 * wrong says neither address nor headers, which may be secrets. Thread-safe.
 */
final class Webhook {
    private static final Logger LOG = LoggerFactory.getLogger(Webhook.class);
    private static final Duration CONNECT = Duration.ofSeconds(10);
    private static final Duration ANSWER = Duration.ofSeconds(30);

    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(CONNECT)
            .build();

    private final BuilderConfig.Webhook config;
    private final Function<RepositoryName, Optional<String>> sources;

    /** @param sources where a repository's source is, without credentials; empty when it has none */
    Webhook(BuilderConfig.Webhook config, Function<RepositoryName, Optional<String>> sources) {
        this.config = config;
        this.sources = sources;
    }

    /** Succeeds when the farm has accepted the order. */
    Builder.Running call(Builder.Task task, PushTarget target, OutputStream log) {
        HttpRequest.Builder request = HttpRequest.newBuilder(config.address())
                .timeout(ANSWER)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(order(task, target).toString()));
        config.headers().forEach(request::setHeader);
        CompletableFuture<HttpResponse<Void>> answer = client.sendAsync(request.build(), head -> new Unread());
        return new Call(answer, answer.handle((response, failure) -> outcome(task.key(), response, failure, log)));
    }

    private ObjectNode order(Builder.Task task, PushTarget target) {
        BuildKey key = task.key();
        ObjectNode order = JsonNodeFactory.instance.objectNode();
        order.put("build", key.id());
        order.put("attempt", task.attempt());
        order.put("repository", key.repository().value());
        order.put("revision", key.revision().value());
        order.put("platform", key.platform().toString());
        order.put("sourceDateEpoch", task.sourceDateEpoch());
        order.put("timeoutSeconds", task.timeout().toSeconds());
        sources.apply(key.repository()).ifPresent(source -> order.put("source", source));
        order.put("pushUrl", target.url());
        order.put("pushImage", target.image());
        return order;
    }

    private static Builder.Outcome outcome(
            BuildKey key, HttpResponse<Void> response, Throwable failure, OutputStream log) {
        if (failure != null) {
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            if (cause instanceof CancellationException) {
                return new Builder.Outcome.Stopped("it was told to stop");
            }
            LOG.warn("the webhook for {} failed: {}", key, cause.getClass().getSimpleName());
            return failed(
                    cause instanceof HttpTimeoutException
                            ? "the builder's webhook did not answer in time"
                            : "the builder's webhook could not be reached");
        }
        int status = response.statusCode();
        if (status / 100 != 2) {
            return failed("the builder's webhook answered " + status);
        }
        print(key, "kiln: the webhook answered " + status + ": waiting for the image to be pushed\n", log);
        return new Builder.Outcome.Succeeded();
    }

    private static Builder.Outcome failed(String message) {
        return new Builder.Outcome.Failed(FailureClass.INFRASTRUCTURE, message);
    }

    private static void print(BuildKey key, String line, OutputStream log) {
        try {
            log.write(line.getBytes(StandardCharsets.US_ASCII));
            log.flush();
        } catch (IOException e) {
            LOG.warn("could not write to the log of {}", key, e);
        }
    }

    /** The status is the answer; a body that comes slowly, or never, is not waited for, since no time-out covers it. */
    private static final class Unread implements HttpResponse.BodySubscriber<Void> {
        @Override
        public CompletionStage<Void> getBody() {
            return CompletableFuture.completedFuture(null);
        }

        @Override
        public void onSubscribe(Flow.Subscription body) {
            body.cancel();
        }

        @Override
        public void onNext(List<ByteBuffer> bytes) {
            // cancelled
        }

        @Override
        public void onError(Throwable failure) {
            // cancelled
        }

        @Override
        public void onComplete() {
            // cancelled
        }
    }

    /** A request on its way. */
    private record Call(CompletableFuture<?> answer, CompletionStage<Builder.Outcome> outcome)
            implements Builder.Running {
        @Override
        public void renew(Duration lease) {
            // It ends by its own time-outs, long before any lease.
        }

        @Override
        public void stop() {
            answer.cancel(true);
        }
    }
}
