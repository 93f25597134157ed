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

/**
 * Removes links at once or not at all. A node may stand still for so long that the cluster goes on without it; when it
 * wakes, the repository has another owner, which knows nothing of what this one had in hand.
 */
public final class PromptUnlinker implements Unlinker {
    /** Shorter than any cluster takes to give a node up. */
    private static final Duration LIFE = Duration.ofSeconds(5);

    private final PushedContent content;
    private final Executor blocking;

    public PromptUnlinker(PushedContent content, Executor blocking) {
        this.content = content;
        this.blocking = blocking;
    }

    @Override
    public CompletionStage<Boolean> unlink(
            RepositoryName repository, Digest digest, Set<Links.Kind> kinds, Optional<Instant> untouchedSince) {
        long decided = System.nanoTime();
        return CompletableFuture.supplyAsync(
                () -> {
                    if (System.nanoTime() - decided > LIFE.toNanos()) {
                        throw new CompletionException(new IOException(
                                "could not remove the link of " + digest + ": it was decided on too long ago"));
                    }
                    try {
                        return content.remove(repository, digest, kinds, untouchedSince);
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                blocking);
    }
}
