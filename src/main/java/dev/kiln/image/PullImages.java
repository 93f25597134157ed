package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.ActorContext;
import dev.kiln.blob.SettlingContent;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.client.Hop;
import dev.kiln.client.HopSigner;
import dev.kiln.client.WaitPlan.Situation;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.Sources;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@link Images} on this node: answers from its own bounded caches whenever what it last saw satisfies the pull's policy,
 * and lets a waiter wait otherwise.
 */
public final class PullImages implements Images {
    private static final Logger LOG = LoggerFactory.getLogger(PullImages.class);
    private static final Duration SLACK = Duration.ofSeconds(15);

    private final KilnConfig config;
    private final RevisionWaiter.Peers.Shared peers;
    private final HopSigner signer;
    private final Supplier<Optional<String>> databaseAway;
    private final ActorRef<Waiters.Message> waiters;

    private final TagLookUps lookUps;
    private final RevisionCache revisions;
    private final StoredManifests manifests;
    private final TagQueries queries;

    /**
     * The images of this node.
     *
     * @param databaseAway one line about the journal's database while it does not answer; quick
     */
    public PullImages(
            KilnConfig config,
            ShardedTags tags,
            Sources sources,
            ShardedBuilds builds,
            BuildHistory history,
            SettlingContent content,
            HopSigner signer,
            Dedup dedup,
            Supplier<Optional<String>> databaseAway,
            Clock clock,
            ActorContext<?> context) {
        this.config = config;
        this.peers = new RevisionWaiter.Peers.Shared(
                tags, sources, builds, history, dedup, config.queue().ask(), clock);
        this.lookUps = new TagLookUps(tags, sources, clock);
        this.queries = new TagQueries(config, tags, sources, lookUps);
        this.signer = signer;
        this.databaseAway = databaseAway;
        long half = config.cache().maxBytes() / 2;
        this.revisions = new RevisionCache(config.cache(), half, tags, clock);
        this.manifests = new StoredManifests(content, half, config.cache().maxLife());
        this.waiters = context.spawn(Waiters.create(peers, revisions::remember), "waiters");
    }

    @Override
    public CompletionStage<PullAnswer> pull(Pull pull) {
        Optional<RepositoryConfig> found = config.repository(pull.repository());
        if (found.isEmpty()) {
            return failed(new Problem(
                    ProblemCode.NAME_UNKNOWN,
                    "no repository called " + pull.repository() + " is configured here; check the name"));
        }
        if (pull.tag().isReferrersFallback()) {
            return failed(new Problem(ProblemCode.MANIFEST_UNKNOWN, "there is no " + pull.tag() + " here"));
        }
        RepositoryConfig repository = found.get();
        Instant now = peers.clock().instant();
        Optional<Revision> known = knownRevision(repository, pull, now);
        if (known.isPresent() && pull.hop().isEmpty()) {
            Optional<CompletionStage<PullAnswer>> hit = fromCache(repository, pull, known.get(), now);
            if (hit.isPresent()) {
                return hit.get();
            }
        }
        Waiting waiting = new Waiting(repository, pull, Hop.first(now), scope(pull, pull), now);
        Optional<Hop> counted = counted(waiting, now);
        if (counted.isEmpty() && pull.otherwise().isPresent()) {
            Optional<Hop> other = counted(waiting.otherwise(), now);
            if (other.isPresent()) {
                // An earlier hop found that the source has no such tag.
                return wait(waiting.otherwise().counting(other.get(), now), Optional.empty());
            }
        }
        return wait(waiting.counting(counted.orElse(waiting.hop()), now), known);
    }

    private Optional<Hop> counted(Waiting waiting, Instant now) {
        Pull pull = waiting.pull();
        return pull.hop()
                .flatMap(token ->
                        signer.verify(token, waiting.scope(), pull.plan().patience(), now));
    }

    private CompletionStage<PullAnswer> wait(Waiting waiting, Optional<Revision> known) {
        Hop hop = waiting.hop();
        Optional<Revision> revision = hop.revision().or(() -> known);
        return failingWithProblems(revision.isPresent() ? settle(waiting.at(revision.get())) : resolve(waiting));
    }

    private CompletionStage<PullAnswer> settle(Waiting waiting) {
        return waiting.pull().plan().startsBuilds() ? await(waiting) : newest(waiting);
    }

    /** For who only looks: what is there. Nothing is opened, started or waited for. */
    private CompletionStage<PullAnswer> newest(Waiting waiting) {
        Series series = series(waiting.pull(), waiting.hop().revision().orElseThrow());
        Instant now = peers.clock().instant();
        Optional<RevisionSnapshot> known = revisions.known(series, until -> isGood(until, now));
        return known.isPresent()
                ? newest(waiting, known)
                : revisions.look(series).thenCompose(seen -> newest(waiting, seen));
    }

    private static Series series(Pull pull, Revision revision) {
        return Series.of(new TagKey(pull.repository(), revision.asTag()), pull.hint());
    }

    private CompletionStage<PullAnswer> newest(Waiting waiting, Optional<RevisionSnapshot> seen) {
        boolean whole = waiting.pull().plan().wholeIndex();
        return seen.filter(snapshot ->
                        whole ? snapshot.complete() : snapshot.index().isPresent())
                .map(snapshot -> serve(waiting.repository(), waiting.pull(), snapshot))
                .orElseGet(() -> failed(new Problem(
                        ProblemCode.MANIFEST_UNKNOWN,
                        "not built yet, and this client is told by the configuration never to start a build")));
    }

    /** A pull that is not answered from the caches. */
    private record Waiting(RepositoryConfig repository, Pull pull, Hop hop, String scope, Instant deadline) {
        Waiting at(Revision revision) {
            return new Waiting(repository, pull, hop.at(revision), scope, deadline);
        }

        Waiting otherwise() {
            Pull other = pull.otherwise().orElseThrow();
            return new Waiting(repository, other, hop, PullImages.scope(pull, other), deadline);
        }

        Waiting counting(Hop counted, Instant now) {
            return new Waiting(repository, pull, counted, scope, now.plus(counted.hold(pull.plan(), now)));
        }

        Duration left(Instant now) {
            Duration left = Duration.between(now, deadline);
            return left.toMillis() < 1 ? Duration.ofMillis(1) : left;
        }
    }

    private Optional<Revision> knownRevision(RepositoryConfig repository, Pull pull, Instant now) {
        TagKey key = new TagKey(pull.repository(), pull.tag());
        return key.revision()
                .filter(r -> revisions.knows(series(pull, r)))
                .or(() -> lookUps.known(key, repository, until -> isGood(until, now)));
    }

    /** Without its database nothing newer can be answered than what was answered last. */
    private boolean isGood(Instant until, Instant now) {
        return now.isBefore(until) || databaseAway.get().isPresent();
    }

    private Optional<CompletionStage<PullAnswer>> fromCache(
            RepositoryConfig repository, Pull pull, Revision revision, Instant now) {
        return revisions
                .known(series(pull, revision), until -> isGood(until, now))
                .filter(snapshot -> answers(snapshot, repository, pull, now))
                .map(snapshot -> serve(repository, pull, snapshot));
    }

    private static boolean answers(RevisionSnapshot snapshot, RepositoryConfig repository, Pull pull, Instant now) {
        if (pull.wish().joining(repository, snapshot.statuses().keySet()).isPresent()) {
            return false;
        }
        return snapshot.complete()
                || WaitPolicy.decide(
                                pull.wish().policy(repository),
                                snapshot.platform(repository, pull.wish()),
                                snapshot.statuses(),
                                snapshot.openedAt(),
                                now)
                        instanceof WaitPolicy.Decision.Answer;
    }

    private static boolean isUnavailable(Throwable failure) {
        return failure instanceof Problem problem && problem.code() == ProblemCode.UNAVAILABLE;
    }

    private static boolean isUnknownTag(Throwable failure) {
        return failure instanceof Problem problem && problem.code() == ProblemCode.MANIFEST_UNKNOWN;
    }

    private CompletionStage<PullAnswer> resolve(Waiting waiting) {
        TagKey key = new TagKey(waiting.pull().repository(), waiting.pull().tag());
        Optional<Revision> known = knownRevision(
                waiting.repository(), waiting.pull(), peers.clock().instant());
        if (known.isPresent()) {
            return settle(waiting.at(known.get()));
        }
        Duration left = waiting.left(peers.clock().instant());
        return lookUps.revision(key, waiting.repository())
                .copy()
                .orTimeout(left.toMillis(), TimeUnit.MILLISECONDS)
                .handle((revision, failure) -> {
                    if (failure == null) {
                        return settle(waiting.at(revision));
                    }
                    if (isUnknownTag(cause(failure))
                            && waiting.pull().otherwise().isPresent()) {
                        return resolve(waiting.otherwise());
                    }
                    if (isUnavailable(cause(failure))
                            && waiting.pull().otherwise().isPresent()) {
                        return resolveOtherwise(waiting, cause(failure));
                    }
                    if (!(cause(failure) instanceof TimeoutException)) {
                        return CompletableFuture.<PullAnswer>failedFuture(cause(failure));
                    }
                    // Somebody else's look-up may have begun long before this pull.
                    return peers.clock().instant().isBefore(waiting.deadline())
                            ? resolve(waiting)
                            : sendBack(
                                    waiting,
                                    Situation.NOTHING_READY,
                                    "looking the tag up in its source",
                                    Optional.empty(),
                                    Optional.empty());
                })
                .thenCompose(answer -> answer);
    }

    /** Nobody can say now whether there is such a tag; as far as anybody knows there is none. */
    private CompletionStage<PullAnswer> resolveOtherwise(Waiting waiting, Throwable unavailable) {
        return resolve(waiting.otherwise()).exceptionallyCompose(failure -> {
            // Only a complete answer of the source makes a 404.
            return CompletableFuture.failedFuture(isUnknownTag(cause(failure)) ? unavailable : cause(failure));
        });
    }

    private CompletionStage<PullAnswer> await(Waiting waiting) {
        Instant now = peers.clock().instant();
        Optional<CompletionStage<PullAnswer>> hit = fromCache(waiting, now);
        if (hit.isPresent()) {
            return hit.get();
        }
        Series series = series(waiting.pull(), waiting.hop().revision().orElseThrow());
        Optional<CompletableFuture<Void>> renewal = revisions.renewal(series, until -> isGood(until, now));
        if (renewal.isEmpty()) {
            return join(waiting);
        }
        return renewal.get()
                .copy()
                .completeOnTimeout(null, waiting.left(now).toMillis(), TimeUnit.MILLISECONDS)
                .thenCompose(
                        asked -> fromCache(waiting, peers.clock().instant()).orElseGet(() -> join(waiting)));
    }

    private Optional<CompletionStage<PullAnswer>> fromCache(Waiting waiting, Instant now) {
        return fromCache(
                waiting.repository(), waiting.pull(), waiting.hop().revision().orElseThrow(), now);
    }

    private CompletionStage<PullAnswer> join(Waiting waiting) {
        Pull pull = waiting.pull();
        Revision revision = waiting.hop().revision().orElseThrow();
        CompletableFuture<Outcome> outcome = new CompletableFuture<>();
        RevisionWaiter.Join join = new RevisionWaiter.Join(
                pull.wish(), pull.cause().get(), waiting.deadline(), pull.hop().isEmpty(), outcome);
        waiters.tell(new Waiters.Wait(series(pull, revision), waiting.repository(), join));
        pull.gone().thenRun(() -> waiters.tell(new Waiters.Leave(series(pull, revision), outcome)));
        // Only a waiter that failed with the message in its mailbox leaves it open.
        Duration longest = waiting.left(peers.clock().instant()).plus(SLACK);
        return outcome.orTimeout(longest.toMillis(), TimeUnit.MILLISECONDS).thenCompose(end -> onOutcome(waiting, end));
    }

    private CompletionStage<PullAnswer> onOutcome(Waiting waiting, Outcome end) {
        if (end instanceof Outcome.Ready ready) {
            return serve(waiting.repository(), waiting.pull(), ready.snapshot());
        }
        if (end instanceof Outcome.GaveUp gaveUp) {
            return done(new PullAnswer.BuildFailed(
                    "build failed for " + gaveUp.build().platform() + ": "
                            + gaveUp.failure().message(),
                    Optional.of(gaveUp.build())));
        }
        if (end instanceof Outcome.Refused refused) {
            return done(new PullAnswer.BuildFailed(refused.message(), Optional.empty()));
        }
        Outcome.TimedOut timedOut = (Outcome.TimedOut) end;
        if (timedOut.queueFull()) {
            return done(new PullAnswer.NotYet(
                    Situation.QUEUE_FULL,
                    "the build queue is full; pull again in some minutes",
                    timedOut.build(),
                    Optional.empty()));
        }
        Situation situation = timedOut.somethingBuilt() ? Situation.AWAITED_NOT_READY : Situation.NOTHING_READY;
        return sendBack(waiting, situation, timedOut.progress(), timedOut.build(), timedOut.eta());
    }

    private CompletionStage<PullAnswer> sendBack(
            Waiting waiting, Situation situation, String progress, Optional<BuildKey> build, Optional<Duration> eta) {
        Optional<String> away = databaseAway.get();
        if (waiting.hop().mayGoOn(waiting.pull().plan())) {
            return done(new PullAnswer.KeepWaiting(
                    signer.sign(waiting.hop().next(), waiting.scope()), away.orElse(progress)));
        }
        if (away.isPresent()) {
            return failed(new Problem(ProblemCode.UNAVAILABLE, away.get() + "; pull again"));
        }
        return done(new PullAnswer.NotYet(situation, progress + "; pull again", build, eta));
    }

    /** What a counter is good for: the pull that was asked for, made as this one. */
    private static String scope(Pull asked, Pull pull) {
        return asked.repository() + ":" + asked.tag() + ">" + pull.tag() + "@"
                + pull.hint().map(h -> h.platform().toString()).orElse("");
    }

    private CompletionStage<PullAnswer> serve(RepositoryConfig repository, Pull pull, RevisionSnapshot snapshot) {
        if (pull.acceptsIndex()) {
            return done(snapshot.index().orElseThrow());
        }
        Optional<Descriptor> child = snapshot.platform(repository, pull.wish()).flatMap(snapshot::child);
        if (child.isEmpty()) {
            return failed(new Problem(
                    ProblemCode.MANIFEST_UNKNOWN,
                    "the client takes no index, and there is no image for its platform; use a client that does"));
        }
        return manifest(pull.repository(), child.get().digest())
                .thenApply(served -> served.<PullAnswer>map(s -> s)
                        .orElseThrow(() -> new Problem(
                                ProblemCode.UNAVAILABLE, "a manifest is missing from the store; pull again")));
    }

    @Override
    public CompletionStage<Optional<PullAnswer.Served>> manifest(RepositoryName repository, Digest digest) {
        return failingWithProblems(manifests.find(repository, digest));
    }

    @Override
    public CompletionStage<String> pointers(RepositoryName repository, Tag tag) {
        return failingWithProblems(queries.pointers(repository, tag));
    }

    @Override
    public CompletionStage<IndexHistory> indexes(RepositoryName repository, Tag tag, Optional<Platform> platform) {
        return failingWithProblems(queries.indexes(repository, tag, platform));
    }

    @Override
    public CompletionStage<List<Tag>> tags(RepositoryName repository, String after, int limit) {
        return failingWithProblems(queries.tags(repository, after, limit));
    }

    private static CompletionStage<PullAnswer> done(PullAnswer answer) {
        return CompletableFuture.completedFuture(answer);
    }

    private static <A> CompletionStage<A> failed(Problem problem) {
        return CompletableFuture.failedFuture(problem);
    }

    private static <A> CompletionStage<A> failingWithProblems(CompletionStage<A> answer) {
        return answer.exceptionally(failure -> {
            throw problem(failure);
        });
    }

    private static Problem problem(Throwable failure) {
        Throwable cause = cause(failure);
        if (cause instanceof Problem problem) {
            return problem;
        }
        if (cause instanceof TimeoutException) {
            return new Problem(ProblemCode.UNAVAILABLE, "the tag's owner did not answer in time; pull again", cause);
        }
        LOG.error("a pull failed", cause);
        return cause instanceof IOException
                ? new Problem(ProblemCode.UNAVAILABLE, "the content store could not be read; pull again", cause)
                : new Problem(ProblemCode.INTERNAL, "the server failed; its log says more", cause);
    }

    private static Throwable cause(Throwable failure) {
        return failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
    }
}
