package dev.kiln.build;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.cluster.sharding.typed.javadsl.ClusterSharding;
import akka.cluster.sharding.typed.javadsl.Entity;
import akka.cluster.sharding.typed.javadsl.EntityRef;
import akka.japi.function.Function;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.sharding.Owners;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;

/** {@link Builds} on the cluster's sharded entities; also how others on this node reach them. Thread-safe. */
public final class ShardedBuilds implements Builds {
    private static final Duration ASK_TIMEOUT = Duration.ofSeconds(8);

    /** An image is large, and what asks or answers may move meanwhile: asked again for a quarter of an hour. */
    private static final int TAKING_ASKS = 112;

    /** As many as an owner that moves needs. */
    private static final int ASKS = 3;

    private final Owners owners;
    private final ClusterSharding sharding;

    private ShardedBuilds(ActorSystem<?> system) {
        this.owners = Owners.get(system);
        this.sharding = ClusterSharding.get(system);
    }

    /** Starts the shards of builds and queue on this node. Once for each actor system. */
    public static ShardedBuilds init(ActorSystem<?> system, KilnConfig config, Clock clock) {
        ShardedBuilds builds = new ShardedBuilds(system);
        // First, since a build refers to it.
        builds.sharding.init(
                Entity.of(BuildQueue.TYPE_KEY, entity -> BuildQueue.create(builds::tell, config.queue(), clock)));
        builds.sharding.init(Entity.of(
                BuildEntity.TYPE_KEY,
                entity -> BuildEntity.create(
                        BuildKey.of(entity.getEntityId()), key -> terms(config, key), builds.theQueue(), clock)));
        return builds;
    }

    /** A build whose repository is no longer configured ends with its first failure. */
    private static BuildTerms terms(KilnConfig config, BuildKey key) {
        return config.repository(key.repository())
                .map(BuildTerms::of)
                .orElse(new BuildTerms(Optional.empty(), 1, Duration.ofHours(1), Duration.ofSeconds(5)));
    }

    public void tell(BuildKey key, BuildEntity.Command command) {
        sharding.entityRefFor(BuildEntity.TYPE_KEY, key.toString()).tell(command);
    }

    public void tellQueue(BuildQueue.Command command) {
        theQueue().tell(command);
    }

    /** Joins a build, or begins a request when there is none to join. */
    public CompletionStage<BuildEntity.RequestAnswer> request(BuildKey key, Cause cause, BuildInput input) {
        return ask(key, replyTo -> new BuildEntity.Request(cause, input, replyTo));
    }

    @Override
    public CompletionStage<BuildStatus> status(BuildKey key) {
        return ask(key, BuildEntity.Get::new);
    }

    @Override
    public CompletionStage<BuildStatus> retry(BuildKey key, String by) {
        return this.<BuildEntity.RequestAnswer>ask(key, replyTo -> new BuildEntity.Retry(by, replyTo))
                .thenApply(answer -> joined(answer, "retry", "only a failed or cancelled build can be retried"));
    }

    @Override
    public CompletionStage<BuildStatus> cancel(BuildKey key, String by) {
        return this.<BuildEntity.RequestAnswer>ask(key, replyTo -> new BuildEntity.Cancel(by, replyTo))
                .thenApply(answer -> joined(answer, "cancel", "only a queued or running build can be cancelled"));
    }

    @Override
    public CompletionStage<PushAnswer> push(BuildKey key, PushToken token, Optional<Descriptor> manifest) {
        return push(key, token.digest(), manifest, manifest.isPresent() ? TAKING_ASKS : ASKS);
    }

    private CompletionStage<PushAnswer> push(BuildKey key, Digest token, Optional<Descriptor> manifest, int asks) {
        return this.<PushAnswer>ask(key, replyTo -> new BuildEntity.Push(token, manifest, replyTo))
                .exceptionallyCompose(failure ->
                        asks == 1 ? CompletableFuture.failedFuture(failure) : push(key, token, manifest, asks - 1));
    }

    private EntityRef<BuildQueue.Command> theQueue() {
        return sharding.entityRefFor(BuildQueue.TYPE_KEY, BuildQueue.ID);
    }

    @Override
    public CompletionStage<QueueStatus> queue() {
        return unavailableOnTimeout(owners.ask(theQueue(), BuildQueue.GetStatus::new, ASK_TIMEOUT));
    }

    @Override
    public CompletionStage<QueueStatus.Worker> drain(String worker, boolean drain, String by) {
        CompletionStage<BuildQueue.DrainAnswer> answer = unavailableOnTimeout(
                owners.ask(theQueue(), replyTo -> new BuildQueue.SetDrained(worker, drain, by, replyTo), ASK_TIMEOUT));
        return answer.thenApply(said -> {
            if (said instanceof BuildQueue.DrainAnswer.Done done) {
                return done.worker();
            }
            throw said instanceof BuildQueue.DrainAnswer.Unknown
                    ? new Problem(
                            ProblemCode.NOT_FOUND,
                            "no worker of that name has asked for work lately: kiln queue shows their names")
                    : new Problem(
                            ProblemCode.CONFLICT, "1000 workers are drained already: undrain those that are no more");
        });
    }

    private <A> CompletionStage<A> ask(BuildKey key, Function<ActorRef<A>, BuildEntity.Command> command) {
        return unavailableOnTimeout(
                owners.ask(sharding.entityRefFor(BuildEntity.TYPE_KEY, key.toString()), command, ASK_TIMEOUT));
    }

    private static <A> CompletionStage<A> unavailableOnTimeout(CompletionStage<A> answer) {
        return answer.exceptionally(failure -> {
            throw new CompletionException(new Problem(
                    ProblemCode.UNAVAILABLE,
                    "the build's owner did not answer in time; try again in a moment",
                    failure));
        });
    }

    private static BuildStatus joined(BuildEntity.RequestAnswer answer, String action, String rule) {
        if (answer instanceof BuildEntity.RequestAnswer.Joined joined) {
            return joined.status();
        }
        if (answer instanceof BuildEntity.RequestAnswer.Conflict conflict) {
            throw new Problem(
                    ProblemCode.CONFLICT,
                    "could not " + action + " build " + conflict.status().key().id() + ": it is "
                            + conflict.status().phase() + ", and " + rule);
        }
        if (answer instanceof BuildEntity.RequestAnswer.QueueFull) {
            throw new Problem(ProblemCode.TOOMANYREQUESTS, "the build queue is full; try again in some minutes");
        }
        throw new Problem(ProblemCode.UNAVAILABLE, "the build queue did not answer in time; try again in a moment");
    }
}
