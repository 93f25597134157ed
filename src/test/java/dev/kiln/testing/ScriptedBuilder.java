package dev.kiln.testing;

import dev.kiln.oci.Digest;
import dev.kiln.worker.builder.Builder;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;

/** A running build that ends when a test says so; a stop alone does not end it. Thread-safe. */
public final class ScriptedBuilder implements Builder.Running {
    public final CompletableFuture<Builder.Outcome> outcome = new CompletableFuture<>();
    public final List<Duration> leases = new CopyOnWriteArrayList<>();
    public final CompletableFuture<Void> stopped = new CompletableFuture<>();

    public final CompletableFuture<Void> received = new CompletableFuture<>();
    private volatile Optional<Digest> token = Optional.empty();

    /** From now on its image is pushed by whoever has this token. */
    public void admits(Digest digest) {
        token = Optional.of(digest);
    }

    @Override
    public Optional<Builder.Receiver> receiver() {
        return token.map(known -> new Builder.Receiver() {
            @Override
            public boolean admits(Digest other) {
                return other.equals(known);
            }

            @Override
            public void received() {
                received.complete(null);
            }
        });
    }

    @Override
    public CompletionStage<Builder.Outcome> outcome() {
        return outcome;
    }

    @Override
    public void renew(Duration lease) {
        leases.add(lease);
    }

    @Override
    public void stop() {
        stopped.complete(null);
    }
}
