package dev.kiln.http.wire;

import akka.stream.Attributes;
import akka.stream.FlowShape;
import akka.stream.Inlet;
import akka.stream.Outlet;
import akka.stream.stage.AbstractInHandler;
import akka.stream.stage.AbstractOutHandler;
import akka.stream.stage.AsyncCallback;
import akka.stream.stage.GraphStage;
import akka.stream.stage.GraphStageLogic;
import akka.stream.stage.TimerGraphStageLogic;
import akka.util.ByteString;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/**
 * The way of a request's body to whoever reads it. What comes after he has stopped is dropped and not refused: most clients
 * send all of a body before they read an answer, and lose it when the connection is closed under them.
 */
final class BodyToItsEnd extends GraphStage<FlowShape<ByteString, ByteString>> {
    /** As much is dropped of one body; then, or after {@link #MAX_TIME}, its client gets no answer if it has not read it yet. */
    static final long MAX_BYTES = 64L * 1024 * 1024;

    static final Duration MAX_TIME = Duration.ofSeconds(30);

    private final Inlet<ByteString> in = Inlet.create("in");
    private final Outlet<ByteString> out = Outlet.create("out");
    private final FlowShape<ByteString, ByteString> shape = FlowShape.of(in, out);
    private final Runnable onWhole;
    private final CompletionStage<Void> unwanted;
    private final CompletableFuture<Void> end;

    /**
     * For one body.
     *
     * @param onWhole run when all of it has come, before its reader is told
     * @param unwanted when it is complete, what comes after the reader has stopped is dropped; before, it waits
     * @param end completed when no more of it comes, or is waited for
     */
    BodyToItsEnd(Runnable onWhole, CompletionStage<Void> unwanted, CompletableFuture<Void> end) {
        this.onWhole = onWhole;
        this.unwanted = unwanted;
        this.end = end;
    }

    @Override
    public FlowShape<ByteString, ByteString> shape() {
        return shape;
    }

    @Override
    public GraphStageLogic createLogic(Attributes inherited) {
        return new Logic();
    }

    private final class Logic extends TimerGraphStageLogic {
        private boolean stopped;
        private boolean dropping;
        private long dropped;

        Logic() {
            super(shape);
            setHandler(in, new AbstractInHandler() {
                @Override
                public void onPush() {
                    ByteString bytes = grab(in);
                    if (stopped) {
                        drop(bytes.size());
                    } else {
                        push(out, bytes);
                    }
                }

                @Override
                public void onUpstreamFinish() {
                    onWhole.run();
                    completeStage();
                }
            });
            setHandler(out, new AbstractOutHandler() {
                @Override
                public void onPull() {
                    pull(in);
                }

                @Override
                public void onDownstreamFinish(Throwable cause) {
                    stopped = true;
                    if (dropping) {
                        drop(0);
                    }
                }
            });
        }

        @Override
        public void preStart() {
            AsyncCallback<Void> begins = createAsyncCallback(nothing -> {
                dropping = true;
                scheduleOnce(MAX_TIME, MAX_TIME);
                if (stopped) {
                    drop(0);
                }
            });
            unwanted.thenAccept(begins::invoke);
        }

        private void drop(int size) {
            dropped += size;
            if (dropped > MAX_BYTES) {
                completeStage();
            } else if (dropping && !hasBeenPulled(in)) {
                pull(in);
            }
        }

        @Override
        public void onTimer(Object key) {
            completeStage();
        }

        @Override
        public void postStop() {
            end.complete(null);
        }
    }
}
