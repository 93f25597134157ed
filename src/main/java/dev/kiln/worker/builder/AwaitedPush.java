package dev.kiln.worker.builder;

import dev.kiln.build.FailureClass;
import dev.kiln.oci.Digest;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An attempt whose image somebody pushes. It ends when what ordered the image fails, when it is stopped, or when the time is
 * over; that the order was given well means nothing yet. While nothing runs there is nothing that a lease would have to end:
 * the attempt's own actor stops it then.
 */
final class AwaitedPush implements Builder.Running, Builder.Receiver {
    private static final Logger LOG = LoggerFactory.getLogger(AwaitedPush.class);

    private final Builder.Running order;
    private final byte[] token;
    private final Duration timeout;
    private final long begun;
    private final CompletableFuture<Builder.Outcome> outcome = new CompletableFuture<>();
    private boolean ordered;
    private boolean received;
    private boolean stopping;

    private AwaitedPush(Builder.Running order, Digest token, Duration timeout, long begun) {
        this.order = order;
        this.token = bytes(token);
        this.timeout = timeout;
        this.begun = begun;
    }

    /**
     * @param order what runs until the image is ordered; keeps to the timeout itself
     * @param log what the order prints to; closed when the image is ordered
     * @param token the digest of the token that admits a push
     * @param begun in the nanoseconds of {@link System#nanoTime}
     */
    static AwaitedPush of(Builder.Running order, OutputStream log, Digest token, Duration timeout, long begun) {
        AwaitedPush push = new AwaitedPush(order, token, timeout, begun);
        order.outcome().thenAccept(ordered -> {
            close(log);
            push.onOrdered(ordered);
        });
        return push;
    }

    private static void close(OutputStream log) {
        try {
            log.close();
        } catch (IOException e) {
            LOG.warn("the end of a build's log cannot be kept", e);
        }
    }

    private static byte[] bytes(Digest digest) {
        return digest.value().getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public boolean admits(Digest other) {
        return MessageDigest.isEqual(token, bytes(other));
    }

    private synchronized void onOrdered(Builder.Outcome order) {
        ordered = true;
        if (!(order instanceof Builder.Outcome.Succeeded) || received) {
            outcome.complete(order);
        } else if (stopping) {
            stopped();
        } else {
            long left = timeout.toNanos() - (System.nanoTime() - begun);
            outcome.completeOnTimeout(
                    new Builder.Outcome.Failed(
                            FailureClass.TIMEOUT, "no image was pushed within " + Sizes.text(timeout)),
                    Math.max(0, left),
                    TimeUnit.NANOSECONDS);
        }
    }

    private void stopped() {
        outcome.complete(new Builder.Outcome.Stopped("it was told to stop"));
    }

    @Override
    public CompletionStage<Builder.Outcome> outcome() {
        return outcome.minimalCompletionStage();
    }

    @Override
    public void renew(Duration lease) {
        order.renew(lease);
    }

    @Override
    public void stop() {
        synchronized (this) {
            stopping = true;
            if (ordered) {
                stopped();
            }
        }
        order.stop();
    }

    @Override
    public Optional<Builder.Receiver> receiver() {
        return Optional.of(this);
    }

    @Override
    public synchronized void received() {
        received = true;
        if (ordered) {
            outcome.complete(new Builder.Outcome.Succeeded());
        }
    }
}
