package dev.kiln.repository;

import dev.kiln.blob.Links;
import dev.kiln.blob.PushedContent;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.LongSupplier;

/**
 * Removes links at once or not at all. A node may stand still for so long that the cluster goes on without it; when it
 * wakes, the repository has another owner, which knows nothing of what this one had in hand. So the time is looked at after
 * the link: one that a push uses while this node stands still after that is not as it was seen, and stays.
 */
public final class PromptUnlinker implements Unlinker {
    /** Shorter than any cluster takes to give a node up. */
    private static final Duration LIFE = Duration.ofSeconds(5);

    private final PushedContent content;
    private final Executor blocking;
    private final LongSupplier nanoTime;

    public PromptUnlinker(PushedContent content, Executor blocking) {
        this(content, blocking, System::nanoTime);
    }

    PromptUnlinker(PushedContent content, Executor blocking, LongSupplier nanoTime) {
        this.content = content;
        this.blocking = blocking;
        this.nanoTime = nanoTime;
    }

    @Override
    public CompletionStage<Boolean> unlink(
            RepositoryName repository, Digest digest, Set<Links.Kind> kinds, Optional<Instant> untouchedSince) {
        long decided = nanoTime.getAsLong();
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return content.remove(repository, digest, kinds, untouchedSince, () -> {
                            if (nanoTime.getAsLong() - decided > LIFE.toNanos()) {
                                throw new IOException(
                                        "could not remove the link of " + digest + ": it was decided on too long ago");
                            }
                        });
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                blocking);
    }
}
