package dev.kiln.http;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import akka.http.javadsl.model.headers.Connection;
import akka.stream.Attributes;
import akka.stream.FlowShape;
import akka.stream.Inlet;
import akka.stream.Outlet;
import akka.stream.stage.AbstractInHandler;
import akka.stream.stage.AbstractOutHandler;
import akka.stream.stage.AsyncCallback;
import akka.stream.stage.GraphStage;
import akka.stream.stage.GraphStageLogic;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * Answers the requests of one connection one after the other, and tells those that are held when their client has gone.
 * Akka's own flow asks for no second request while one is being answered, and then nobody reads the socket, on which
 * alone the end of a connection is seen. This one does, and keeps the second until its turn; it needs a pipelining limit of
 * two. A client that closes its side only, and still reads, is taken to have gone, as most servers do.
 */
final class ConnectionFlow extends GraphStage<FlowShape<HttpRequest, HttpResponse>> {
    /** With less, nothing is read while a request is held. */
    static final int PIPELINING_LIMIT = 2;

    /** Answers one request. */
    @FunctionalInterface
    interface Handler {
        /** @param gone completed when nobody waits for the answer any more */
        CompletionStage<HttpResponse> answer(HttpRequest request, CompletionStage<Void> gone);
    }

    private final Inlet<HttpRequest> requests = Inlet.create("requests");
    private final Outlet<HttpResponse> answers = Outlet.create("answers");
    private final FlowShape<HttpRequest, HttpResponse> shape = FlowShape.of(requests, answers);
    private final Handler handler;

    /** @param handler called on the connection's own thread; its answers are taken from any */
    ConnectionFlow(Handler handler) {
        this.handler = handler;
    }

    @Override
    public FlowShape<HttpRequest, HttpResponse> shape() {
        return shape;
    }

    @Override
    public GraphStageLogic createLogic(Attributes inherited) {
        return new Exchange();
    }

    private record Ended(HttpResponse response, Throwable failure) {}

    private final class Exchange extends GraphStageLogic {
        private final AsyncCallback<Ended> ended = createAsyncCallback(this::onEnded);
        private Optional<CompletableFuture<Void>> held = Optional.empty();

        /**
         * Whether the held request's body came as a stream. After the last byte of it Akka ends the requests of a client
         * that wants the connection closed, though the client waits; and one that breaks off is told to who reads it.
         */
        private boolean heldHasBody;

        private Optional<HttpRequest> next = Optional.empty();

        /** Whether an answer has said that it is the last one: what follows must not be processed (RFC 9112, 9.6). */
        private boolean closing;

        Exchange() {
            super(shape);
            setHandler(requests, new AbstractInHandler() {
                @Override
                public void onPush() {
                    HttpRequest request = grab(requests);
                    if (held.isEmpty() && isAvailable(answers) && !closing) {
                        begin(request);
                    } else {
                        next = Optional.of(request);
                    }
                }

                @Override
                public void onUpstreamFinish() {
                    if (!heldHasBody && (held.isPresent() || next.isEmpty())) {
                        completeStage();
                    }
                }
            });
            setHandler(answers, new AbstractOutHandler() {
                @Override
                public void onPull() {
                    if (next.isEmpty()) {
                        ask();
                    } else if (!closing) {
                        HttpRequest request = next.get();
                        next = Optional.empty();
                        begin(request);
                    }
                }
            });
        }

        private void ask() {
            if (isClosed(requests)) {
                completeStage();
            } else if (!hasBeenPulled(requests)) {
                pull(requests);
            }
        }

        private void begin(HttpRequest request) {
            CompletableFuture<Void> gone = new CompletableFuture<>();
            CompletableFuture<HttpResponse> answer =
                    handler.answer(request, gone).toCompletableFuture();
            if (answer.isDone() && !answer.isCompletedExceptionally()) {
                answer(answer.join());
                return;
            }
            held = Optional.of(gone);
            heldHasBody = !request.entity().isStrict();
            if (!isClosed(requests) && !hasBeenPulled(requests)) {
                pull(requests);
            }
            answer.whenComplete((response, failure) -> ended.invoke(new Ended(response, failure)));
        }

        private void onEnded(Ended end) {
            held = Optional.empty();
            heldHasBody = false;
            if (end.failure() != null) {
                failStage(end.failure());
            } else {
                answer(end.response());
            }
        }

        private void answer(HttpResponse response) {
            if (response.getHeader(Connection.class).isPresent()) {
                closing = true;
            }
            push(answers, response);
        }

        @Override
        public void postStop() {
            held.ifPresent(gone -> gone.complete(null));
        }
    }
}
