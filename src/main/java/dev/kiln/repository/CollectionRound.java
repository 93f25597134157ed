package dev.kiln.repository;

import akka.actor.typed.ActorRef;
import akka.japi.function.Function;
import dev.kiln.blob.LinkPages;
import dev.kiln.blob.Shard;
import dev.kiln.blob.Sweep;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.Drop;
import dev.kiln.repository.RepositoryCommand.FindUnneeded;
import dev.kiln.repository.RepositoryCommand.Unneeded;
import java.io.IOException;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One look at everything that was pushed, in steps: expired uploads and links that nothing needs, one repository after the
 * other, then bytes without links, one shard after the other. Whether a link is needed is its repository's to say, which
 * also removes it. What fails is left to the next round. One step at a time.
 */
final class CollectionRound {
    private static final Logger LOG = LoggerFactory.getLogger(CollectionRound.class);
    private static final int PAGE = 500;

    /** Blocks a thread of the executor for a short time, or waits for an entity. */
    interface Step {
        /** @return what comes next; empty at the end of the round */
        CompletionStage<Optional<Step>> run();
    }

    /** How entities are asked. */
    interface Owners {
        <A> CompletionStage<A> ask(RepositoryName repository, Function<ActorRef<A>, RepositoryCommand> command);
    }

    private interface Work<T> {
        T run() throws IOException;
    }

    private final Sweep sweep;
    private final Owners owners;
    private final Executor blocking;
    private final Deque<RepositoryName> left = new ArrayDeque<>();
    private final Deque<Shard> shards = new ArrayDeque<>(Shard.all());
    private Sweep.Listed listed = new Sweep.Listed(List.of(), Instant.MIN);

    CollectionRound(Sweep sweep, Owners owners, Executor blocking) {
        this.sweep = sweep;
        this.owners = owners;
        this.blocking = blocking;
    }

    Step begin() {
        return () -> block(() -> {
            listed = sweep.repositories();
            left.addAll(listed.repositories());
            return next();
        });
    }

    private Optional<Step> next() {
        if (!left.isEmpty()) {
            RepositoryName repository = left.pop();
            return Optional.of(() -> orNext(open(repository), "the repository " + repository));
        }
        if (!shards.isEmpty()) {
            Shard shard = shards.pop();
            return Optional.of(() -> orNext(
                    block(() -> {
                        int deleted = sweep.bytes(shard, listed);
                        if (deleted > 0) {
                            LOG.info("Deleted {} blobs of {} that nothing refers to", deleted, shard);
                        }
                        return next();
                    }),
                    shard.toString()));
        }
        return Optional.empty();
    }

    private CompletionStage<Optional<Step>> open(RepositoryName repository) {
        return block(() -> {
            int expired = sweep.expireUploads(repository);
            if (expired > 0) {
                LOG.info("Ended {} expired uploads to {}", expired, repository);
            }
            return page(repository, sweep.links(repository));
        });
    }

    private Optional<Step> page(RepositoryName repository, LinkPages pages) {
        return Optional.of(() -> orNext(
                block(() -> pages.next(PAGE))
                        .thenCompose(page -> page.isEmpty()
                                ? CompletableFuture.completedFuture(next())
                                : drop(repository, page).thenApply(done -> page(repository, pages))),
                "the repository " + repository));
    }

    private CompletionStage<Void> drop(RepositoryName repository, List<Digest> page) {
        Instant since = sweep.unusedSince();
        return owners.<Unneeded>ask(repository, replyTo -> new FindUnneeded(page, replyTo))
                .thenCompose(unneeded -> block(() -> sweep.unused(repository, unneeded.digests(), since)))
                .thenCompose(unused -> {
                    CompletionStage<Void> all = CompletableFuture.completedFuture(null);
                    for (Digest digest : unused) {
                        all = all.thenCompose(before -> owners.<DeleteAnswer>ask(
                                        repository, replyTo -> new Drop(digest, Optional.of(since), replyTo))
                                .thenAccept(answer -> LOG.debug("{} of {}: {}", digest, repository, answer)));
                    }
                    return all;
                });
    }

    private CompletionStage<Optional<Step>> orNext(CompletionStage<Optional<Step>> step, String what) {
        return step.exceptionally(failure -> {
            LOG.warn("Could not clear {} of what nothing needs: {}", what, failure.toString());
            return next();
        });
    }

    private <T> CompletionStage<T> block(Work<T> work) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return work.run();
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                blocking);
    }
}
