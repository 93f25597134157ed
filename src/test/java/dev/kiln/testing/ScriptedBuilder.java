package dev.kiln.testing;

import dev.kiln.worker.builder.Builder;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;

/** A running build that ends when a test says so; a stop alone does not end it. Thread-safe. */
public final class ScriptedBuilder implements Builder.Running {
    public final CompletableFuture<Builder.Outcome> outcome = new CompletableFuture<>();
    public final List<Duration> leases = new CopyOnWriteArrayList<>();
    public final CompletableFuture<Void> stopped = new CompletableFuture<>();

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
