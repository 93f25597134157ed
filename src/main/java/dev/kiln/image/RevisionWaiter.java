package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.PostStop;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.japi.function.Function;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildHistory;
import dev.kiln.build.BuildInput;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.Cause;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.Sources;
import dev.kiln.source.Sources.ArchiveAnswer;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * Waits for one series of a revision's indexes on behalf of all pulls of it on this node, so that the entities see one
 * subscriber a node. Opens the revision, starts the builds the pulls want, has finished ones composed, and answers each pull when the policy says
 * so or its hop ends. Keeps nothing that the entities do not know: it may stop at any time, and then fails its pulls.
 */
final class RevisionWaiter extends AbstractBehavior<RevisionWaiter.Message> {
    /** How long an index that lists more may take to come before an older one is answer enough. */
    private static final Duration SETTLE = Duration.ofSeconds(1);

    private static final Duration IDLE = Duration.ofSeconds(5);
    /** How long one question for the source archive stands: each adds an asker there, and a lost one costs this long. */
    private static final Duration FETCH_TURN = Duration.ofSeconds(30);

    sealed interface Message {}

    /**
     * A pull begins to wait.
     *
     * @param anew whether it does so for the first time, not after a hop
     */
    record Join(Wish wish, Cause cause, Instant deadline, boolean anew, CompletableFuture<Outcome> outcome)
            implements Message {}

    /** A pull's client has gone. */
    record Leave(CompletableFuture<Outcome> outcome) implements Message {}

    record Stop() implements Message {}

    private enum Asked {
        OPEN,
        JOIN,
        COMPOSE,
        REFRESH
    }

    private record Viewed(Asked asked, Optional<TagEntity.View> view, Throwable failure) implements Message {}

    private record Archived(Optional<ArchiveAnswer> answer, Throwable failure) implements Message {}

    private record Status(BuildStatus status) implements Message {}

    private record Requested(Platform platform, Join pull, Optional<BuildEntity.RequestAnswer> answer)
            implements Message {}

    private enum Tick implements Message {
        DUE,
        RESUBSCRIBE,
        IDLE
    }

    /**
     * What a waiter works with.
     *
     * @param seen told of each new state of the revision
     */
    record Peers(Shared shared, Consumer<RevisionSnapshot> seen) {
        record Shared(
                ShardedTags tags,
                Sources sources,
                ShardedBuilds builds,
                BuildHistory history,
                Dedup dedup,
                Duration resubscribe,
                Clock clock) {}
    }

    private final TimerScheduler<Message> timers;
    private final TagKey key;
    private final Revision revision;
    private final Optional<Platform> flavour;
    private final RepositoryConfig config;
    private final Peers.Shared peers;
    private final Consumer<RevisionSnapshot> seen;
    private final Consumer<ActorRef<Message>> idle;

    private final WaitingPulls pulls;
    private final RevisionBuilds builds = new RevisionBuilds();
    private final ActorRef<BuildStatus> statuses;
    private final Dedup.Tally dedup;
    private Optional<TagEntity.View> view = Optional.empty();
    private Optional<Instant> due = Optional.empty();
    private boolean opening;
    private boolean composing;
    private Instant moreUntil = Instant.MIN;
    private boolean stopping;

    /**
     * The waiter of a series.
     *
     * @param idle told, from this actor, when nobody has waited for a while; a {@link Stop} should follow
     */
    static Behavior<Message> create(
            Series series, RepositoryConfig config, Peers peers, Consumer<ActorRef<Message>> idle) {
        return Behaviors.setup(context ->
                Behaviors.withTimers(timers -> new RevisionWaiter(context, timers, series, config, peers, idle)));
    }

    private RevisionWaiter(
            ActorContext<Message> context,
            TimerScheduler<Message> timers,
            Series series,
            RepositoryConfig config,
            Peers peers,
            Consumer<ActorRef<Message>> idle) {
        super(context);
        this.timers = timers;
        this.key = series.revision();
        this.revision = key.revision().orElseThrow();
        this.flavour = series.flavour();
        this.config = config;
        this.peers = peers.shared();
        this.seen = peers.seen();
        this.idle = idle;
        this.dedup = this.peers.dedup().new Tally();
        this.pulls = new WaitingPulls(key, config, () -> this.peers.history().known(key.repository()));
        // So that it is known when the first hop ends.
        this.peers.history().known(key.repository());
        this.statuses = context.messageAdapter(BuildStatus.class, Status::new);
        timers.startTimerWithFixedDelay(Tick.RESUBSCRIBE, Tick.RESUBSCRIBE, this.peers.resubscribe());
        timers.startTimerWithFixedDelay(Tick.IDLE, Tick.IDLE, IDLE);
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(Join.class, this::onJoin)
                .onMessage(Leave.class, leave -> {
                    pulls.leave(leave.outcome());
                    return evaluate();
                })
                .onMessage(Viewed.class, this::onViewed)
                .onMessage(Archived.class, this::onArchived)
                .onMessage(Status.class, this::onStatus)
                .onMessage(Requested.class, this::onRequested)
                .onMessage(Tick.class, this::onTick)
                .onMessage(Stop.class, stop -> {
                    stopping = true;
                    return pulls.isEmpty() ? Behaviors.stopped() : this;
                })
                .onSignal(PostStop.class, stopped -> {
                    pulls.failAll(new Problem(ProblemCode.UNAVAILABLE, "this node stopped waiting; pull again"));
                    return this;
                })
                .build();
    }

    private Behavior<Message> onJoin(Join join) {
        Instant now = peers.clock().instant();
        Optional<Instant> waits = pulls.add(join, now);
        if (waits.isPresent()) {
            wake(now, waits.get());
            dedup.add(join);
            if (view.isEmpty()) {
                open();
            } else {
                count();
                start(join);
            }
        }
        return this;
    }

    private void count() {
        TagEntity.View known = view.orElseThrow();
        Set<Platform> listed = RevisionBuilds.listed(known);
        dedup.count(wish -> (int) wanted(wish, known, listed).stream()
                .filter(platform -> !listed.contains(platform))
                .count());
    }

    private Collection<Platform> wanted(Wish wish, TagEntity.View known, Set<Platform> listed) {
        Optional<Platform> wanted = wish.platform(config, known.platforms(), listed);
        return WaitPolicy.starts(wish.policy(config), known.platforms(), wanted);
    }

    private void open() {
        if (!opening) {
            opening = true;
            ask(Asked.OPEN, this::getRevision);
        }
    }

    private TagEntity.Command getRevision(ActorRef<TagEntity.View> replyTo) {
        return new TagEntity.GetRevision(flavour, Optional.empty(), replyTo);
    }

    private void ask(Asked asked, Function<ActorRef<TagEntity.View>, TagEntity.Command> command) {
        getContext()
                .pipeToSelf(
                        peers.tags().ask(key, command),
                        (answer, failure) -> new Viewed(asked, Optional.ofNullable(answer), failure));
    }

    private Behavior<Message> onViewed(Viewed viewed) {
        composing = composing && viewed.asked() != Asked.COMPOSE;
        boolean open = viewed.view().flatMap(TagEntity.View::opened).isPresent();
        if (viewed.asked() == Asked.OPEN && viewed.view().isPresent() && !open) {
            fetchSource();
            return this;
        }
        opening = opening && viewed.asked() != Asked.OPEN;
        if (!open) {
            // Its shard may be on the move: asked again in a moment, for as long as somebody waits.
            getContext().getLog().warn("the owner of {} did not answer: {}", key, String.valueOf(viewed.failure()));
            return this;
        }
        TagEntity.View now = viewed.view().get();
        // Answers may overtake each other; a revision only grows.
        if (view.map(v -> size(v) <= size(now)).orElse(true)) {
            boolean more = view.map(v -> v.platforms().size()).orElse(0)
                    < now.platforms().size();
            view = Optional.of(now);
            if (more) {
                moreUntil = peers.clock().instant().plus(SETTLE);
                subscribe();
            }
        }
        count();
        pulls.forEach(this::start);
        if (now.failure().isEmpty()) {
            compose();
        }
        return changed();
    }

    private static int size(TagEntity.View view) {
        return view.platforms().size() + RevisionSnapshot.children(view).size();
    }

    private void fetchSource() {
        getContext()
                .pipeToSelf(
                        peers.sources().archive(key.repository(), revision, FETCH_TURN),
                        (answer, failure) -> new Archived(Optional.ofNullable(answer), failure));
    }

    private Behavior<Message> onArchived(Archived archived) {
        ArchiveAnswer answer = archived.answer().orElse(null);
        if (answer instanceof ArchiveAnswer.Archived there) {
            Cause cause = pulls.first()
                    .map(Join::cause)
                    .orElse(new Cause("", "", "", key.tag().value()));
            ask(
                    Asked.OPEN,
                    replyTo -> new TagEntity.Open(
                            there.sourceUrl(), there.archive(), config.platforms(), cause, flavour, replyTo));
            return this;
        }
        if (archived.failure() instanceof TimeoutException && !pulls.isEmpty()) {
            // A fetch takes as long as it makes progress; each pull knows itself how long it waits.
            fetchSource();
            return this;
        }
        opening = false;
        dedup.forget();
        if (answer instanceof ArchiveAnswer.Refused refused) {
            pulls.refuseAll(refused.message());
        } else if (answer instanceof ArchiveAnswer.Unavailable unavailable) {
            pulls.failAll(new Problem(ProblemCode.UNAVAILABLE, unavailable.reason()));
        } else {
            pulls.failAll(new Problem(ProblemCode.UNAVAILABLE, "the source could not be asked; pull again"));
        }
        return evaluate();
    }

    /** What the index lists needs no owner any more. */
    private void subscribe() {
        Duration term = peers.resubscribe().multipliedBy(3);
        TagEntity.View known = view.orElseThrow();
        Set<Platform> awaited = pulls.awaited(peers.clock().instant());
        RevisionBuilds.unlisted(known)
                .forEach(platform -> peers.builds()
                        .tell(build(platform), new BuildEntity.Subscribe(statuses, term, awaited.contains(platform))));
    }

    private BuildKey build(Platform platform) {
        return new BuildKey(key.repository(), revision, platform);
    }

    /** Requests what the pull wants and nobody has begun, or what failed and is forgotten by now. */
    private void start(Join pull) {
        TagEntity.View known = view.orElseThrow();
        Optional<Platform> joins = pull.wish().joining(config, known.platforms());
        if (joins.isPresent()) {
            if (builds.isToJoin(joins.get())) {
                ask(Asked.JOIN, replyTo -> new TagEntity.Join(joins.get(), pull.cause(), flavour, replyTo));
            }
            return;
        }
        Instant now = peers.clock().instant();
        Set<Platform> listed = RevisionBuilds.listed(known);
        for (Platform platform : wanted(pull.wish(), known, listed)) {
            if (!listed.contains(platform) && builds.isToRequest(platform, now)) {
                BuildInput input = new BuildInput(
                        known.opened().orElseThrow().archive(), config.builder().orElseThrow());
                getContext()
                        .pipeToSelf(
                                peers.builds().request(build(platform), pull.cause(), input),
                                (answer, failure) -> new Requested(platform, pull, Optional.ofNullable(answer)));
            }
        }
    }

    private Behavior<Message> onRequested(Requested requested) {
        BuildEntity.RequestAnswer answer = requested.answer().orElse(null);
        builds.answered(requested.platform(), answer instanceof BuildEntity.RequestAnswer.QueueFull);
        pulls.seeQueueFull(builds.queueFull());
        if (answer instanceof BuildEntity.RequestAnswer.Joined joined) {
            if (joined.began()) {
                dedup.began(requested.pull());
            }
            return onStatus(new Status(joined.status()));
        }
        return this;
    }

    private Behavior<Message> onStatus(Status status) {
        builds.hear(status.status());
        compose();
        return changed();
    }

    /** Has the tag's owner list what is built and not listed yet. */
    private void compose() {
        if (view.isEmpty() || composing) {
            return;
        }
        List<IndexComposer.Child> built = builds.toCompose(view.get());
        if (!built.isEmpty()) {
            composing = true;
            moreUntil = peers.clock().instant().plus(SETTLE);
            Optional<Cause> cause = pulls.cause(
                    built.stream().map(IndexComposer.Child::platform).collect(Collectors.toUnmodifiableSet()),
                    peers.clock().instant());
            ask(Asked.COMPOSE, replyTo -> new TagEntity.Compose(flavour, built, cause, replyTo));
        }
    }

    /** What is known has changed: answers every pull that need not wait any longer. */
    private Behavior<Message> changed() {
        if (view.isPresent()) {
            RevisionSnapshot snapshot = RevisionSnapshot.of(key, view.get(), builds.statuses());
            boolean more = composing || !builds.hasHeardOf(RevisionBuilds.unlisted(view.get()));
            pulls.see(snapshot, Optional.of(moreUntil).filter(until -> more));
            seen.accept(snapshot);
        }
        return evaluate();
    }

    private Behavior<Message> evaluate() {
        Instant now = peers.clock().instant();
        due = Optional.empty();
        timers.cancel(Tick.DUE);
        pulls.answer(now).ifPresent(at -> wake(now, at));
        return stopping && pulls.isEmpty() ? Behaviors.stopped() : this;
    }

    private void wake(Instant now, Instant at) {
        if (due.isEmpty() || at.isBefore(due.get())) {
            due = Optional.of(at);
            timers.startSingleTimer(
                    Tick.DUE, Tick.DUE, Duration.between(now, at).plusMillis(1));
        }
    }

    private Behavior<Message> onTick(Tick tick) {
        return switch (tick) {
            case DUE -> evaluate();
            case RESUBSCRIBE -> {
                resubscribe();
                yield evaluate();
            }
            case IDLE -> {
                if (pulls.isEmpty()) {
                    idle.accept(getContext().getSelf());
                }
                yield this;
            }
        };
    }

    /** Says everything again that is still to be said: what heals a lost message, a moved shard, an owner that was away. */
    private void resubscribe() {
        builds.askAgain();
        if (view.isPresent()) {
            subscribe();
            pulls.forEach(this::start);
            compose();
            ask(Asked.REFRESH, this::getRevision);
        } else if (!pulls.isEmpty()) {
            open();
        }
    }
}
