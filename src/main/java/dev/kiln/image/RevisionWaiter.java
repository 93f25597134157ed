package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.japi.function.Function;
import dev.kiln.build.BuildEntity;
import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildInput;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.Cause;
import dev.kiln.build.ShardedBuilds;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.Sources;
import dev.kiln.source.Sources.ArchiveAnswer;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Waits for one revision on behalf of all pulls of it on this node, so that its entities see one subscriber a node. Opens
 * the revision, starts the builds the pulls want, has finished ones composed, and answers each pull when the policy says
 * so or its hop ends. Keeps nothing that the entities do not know: it may stop at any time.
 */
final class RevisionWaiter extends AbstractBehavior<RevisionWaiter.Message> {
    private static final Duration IDLE = Duration.ofSeconds(5);
    private static final int MAX_PULLS = 10_000;

    sealed interface Message {}

    /**
     * A pull begins to wait.
     *
     * @param hint the platform it wants
     * @param joins whether an explicit hint may add its platform to the revision
     */
    record Join(
            Optional<Platform> hint, boolean joins, Cause cause, Instant deadline, CompletableFuture<Outcome> outcome)
            implements Message {}

    record Stop() implements Message {}

    private record Viewed(Optional<TagEntity.View> view, Throwable failure) implements Message {}

    private record Archived(Optional<ArchiveAnswer> answer, Throwable failure) implements Message {}

    private record Status(BuildStatus status) implements Message {}

    private record Requested(Platform platform, Optional<BuildEntity.RequestAnswer> answer) implements Message {}

    private enum Tick implements Message {
        DUE,
        RESUBSCRIBE,
        IDLE
    }

    /** How a pull's waiting ended. */
    sealed interface Outcome {
        record Ready(RevisionSnapshot snapshot) implements Outcome {}

        /** @param queueFull whether it waits for a place in the queue */
        record TimedOut(String progress, Optional<BuildKey> build, boolean queueFull) implements Outcome {}

        record GaveUp(BuildKey build, BuildFailure failure) implements Outcome {}
    }

    /**
     * What a waiter works with.
     *
     * @param seen told of each new state of the revision
     */
    record Peers(Shared shared, Consumer<RevisionSnapshot> seen) {
        record Shared(ShardedTags tags, Sources sources, ShardedBuilds builds, Duration resubscribe, Clock clock) {}

        ShardedTags tags() {
            return shared.tags();
        }

        Sources sources() {
            return shared.sources();
        }

        ShardedBuilds builds() {
            return shared.builds();
        }

        Duration resubscribe() {
            return shared.resubscribe();
        }

        Clock clock() {
            return shared.clock();
        }
    }

    private final TimerScheduler<Message> timers;
    private final TagKey key;
    private final Revision revision;
    private final RepositoryConfig config;
    private final Peers peers;
    private final Runnable idle;

    private final List<Join> pulls = new ArrayList<>();
    private final Map<Platform, BuildStatus> builds = new HashMap<>();
    private final Set<Platform> requesting = new HashSet<>();
    private final Set<Platform> queueFull = new HashSet<>();
    private final ActorRef<BuildStatus> statuses;
    private Optional<TagEntity.View> view = Optional.empty();
    private Optional<RevisionSnapshot> snapshot = Optional.empty();
    private Optional<Instant> due = Optional.empty();
    private boolean opening;
    private boolean composing;
    private boolean stopping;

    /**
     * The waiter of the revision that {@code key} names.
     *
     * @param idle told, from this actor, when nobody has waited for a while; a {@link Stop} should follow
     */
    static Behavior<Message> create(TagKey key, RepositoryConfig config, Peers peers, Runnable idle) {
        return Behaviors.setup(context ->
                Behaviors.withTimers(timers -> new RevisionWaiter(context, timers, key, config, peers, idle)));
    }

    private RevisionWaiter(
            ActorContext<Message> context,
            TimerScheduler<Message> timers,
            TagKey key,
            RepositoryConfig config,
            Peers peers,
            Runnable idle) {
        super(context);
        this.timers = timers;
        this.key = key;
        this.revision = key.revision().orElseThrow();
        this.config = config;
        this.peers = peers;
        this.idle = idle;
        this.statuses = context.messageAdapter(BuildStatus.class, Status::new);
        timers.startTimerWithFixedDelay(Tick.RESUBSCRIBE, Tick.RESUBSCRIBE, peers.resubscribe());
        timers.startTimerWithFixedDelay(Tick.IDLE, Tick.IDLE, IDLE);
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(Join.class, this::onJoin)
                .onMessage(Viewed.class, this::onViewed)
                .onMessage(Archived.class, this::onArchived)
                .onMessage(Status.class, this::onStatus)
                .onMessage(Requested.class, this::onRequested)
                .onMessage(Tick.class, this::onTick)
                .onMessage(Stop.class, stop -> {
                    stopping = true;
                    return pulls.isEmpty() ? Behaviors.stopped() : this;
                })
                .build();
    }

    private Behavior<Message> onJoin(Join join) {
        if (pulls.size() >= MAX_PULLS) {
            join.outcome()
                    .completeExceptionally(new Problem(
                            ProblemCode.UNAVAILABLE,
                            "too many pulls of this image are waiting; try again in a moment"));
            return this;
        }
        pulls.add(join);
        if (view.isEmpty()) {
            open();
        } else {
            start(join);
        }
        Instant now = peers.clock().instant();
        settle(join, now).ifPresentOrElse(at -> wake(now, at), () -> pulls.remove(pulls.size() - 1));
        return this;
    }

    private void open() {
        if (!opening) {
            opening = true;
            view(TagEntity.GetRevision::new);
        }
    }

    private void view(Function<ActorRef<TagEntity.View>, TagEntity.Command> command) {
        getContext()
                .pipeToSelf(
                        peers.tags().ask(key, command),
                        (answer, failure) -> new Viewed(Optional.ofNullable(answer), failure));
    }

    private Behavior<Message> onViewed(Viewed viewed) {
        if (viewed.view().isEmpty()) {
            opening = false;
            composing = false;
            getContext().getLog().warn("the owner of {} did not answer: {}", key, String.valueOf(viewed.failure()));
            if (view.isEmpty()) {
                failAll(new Problem(ProblemCode.UNAVAILABLE, "the tag's owner did not answer in time; pull again"));
            }
            return evaluate();
        }
        TagEntity.View seen = viewed.view().get();
        if (seen.opened().isEmpty()) {
            getContext()
                    .pipeToSelf(
                            peers.sources().archive(key.repository(), revision, config.patience()),
                            (answer, failure) -> new Archived(Optional.ofNullable(answer), failure));
            return this;
        }
        boolean first = view.isEmpty();
        opening = false;
        composing = false;
        view = Optional.of(seen);
        if (first) {
            subscribe();
        }
        pulls.forEach(this::start);
        if (seen.failure().isEmpty()) {
            compose();
        }
        return changed();
    }

    private Behavior<Message> onArchived(Archived archived) {
        if (archived.answer().orElse(null) instanceof ArchiveAnswer.Archived there) {
            Cause cause = pulls.isEmpty()
                    ? new Cause("", "", "", key.tag().value())
                    : pulls.get(0).cause();
            view(replyTo -> new TagEntity.Open(there.sourceUrl(), there.archive(), config.platforms(), cause, replyTo));
            return this;
        }
        opening = false;
        if (archived.answer().orElse(null) instanceof ArchiveAnswer.Refused refused) {
            failAll(new Problem(ProblemCode.MANIFEST_UNKNOWN, 424, refused.message()));
        } else if (archived.answer().orElse(null) instanceof ArchiveAnswer.Unavailable unavailable) {
            failAll(new Problem(ProblemCode.UNAVAILABLE, unavailable.reason()));
        } else {
            failAll(new Problem(ProblemCode.UNAVAILABLE, "the source did not answer in time; pull again"));
        }
        return evaluate();
    }

    private void failAll(Problem problem) {
        pulls.forEach(pull -> pull.outcome().completeExceptionally(problem));
        pulls.clear();
    }

    private void subscribe() {
        Duration term = peers.resubscribe().multipliedBy(3);
        view.ifPresent(v -> v.platforms()
                .forEach(platform -> peers.builds().tell(build(platform), new BuildEntity.Subscribe(statuses, term))));
    }

    private BuildKey build(Platform platform) {
        return new BuildKey(key.repository(), revision, platform);
    }

    /** Requests what the pull wants and nobody has begun, or what failed and is forgotten by now. */
    private void start(Join pull) {
        TagEntity.View known = view.orElseThrow();
        if (pull.hint().isPresent() && !known.platforms().contains(pull.hint().get())) {
            if (pull.joins()) {
                view(replyTo -> new TagEntity.Join(pull.hint().get(), pull.cause(), replyTo));
            }
            return;
        }
        Instant now = peers.clock().instant();
        for (Platform platform : WaitPolicy.starts(config, known.platforms(), pull.hint())) {
            BuildStatus status = builds.get(platform);
            boolean toRequest = status == null
                    || status.phase() == BuildStatus.Phase.NEW
                    || status.failure()
                            .flatMap(BuildFailure::until)
                            .map(until -> !now.isBefore(until))
                            .orElse(false);
            if (toRequest && requesting.add(platform)) {
                BuildInput input = new BuildInput(known.opened().orElseThrow().archive(), config.builder());
                getContext()
                        .pipeToSelf(
                                peers.builds().request(build(platform), pull.cause(), input),
                                (answer, failure) -> new Requested(platform, Optional.ofNullable(answer)));
            }
        }
    }

    private Behavior<Message> onRequested(Requested requested) {
        Platform platform = requested.platform();
        requesting.remove(platform);
        queueFull.remove(platform);
        BuildEntity.RequestAnswer answer = requested.answer().orElse(null);
        if (answer instanceof BuildEntity.RequestAnswer.Joined joined) {
            return onStatus(new Status(joined.status()));
        }
        if (answer instanceof BuildEntity.RequestAnswer.QueueFull) {
            queueFull.add(platform);
        }
        return this;
    }

    private Behavior<Message> onStatus(Status status) {
        builds.put(status.status().key().platform(), status.status());
        compose();
        return changed();
    }

    /** Has the tag's owner list what is built and not listed yet. */
    private void compose() {
        if (view.isEmpty() || composing) {
            return;
        }
        List<IndexComposer.Child> listed =
                view.get().newest().map(n -> n.composition().children()).orElse(List.of());
        List<IndexComposer.Child> built = new ArrayList<>();
        for (Platform platform : view.get().platforms()) {
            Optional<Descriptor> manifest =
                    Optional.ofNullable(builds.get(platform)).flatMap(BuildStatus::manifest);
            boolean isListed = listed.stream().anyMatch(c -> c.platform().equals(platform));
            if (manifest.isPresent() && !isListed) {
                built.add(new IndexComposer.Child(platform, manifest.get()));
            }
        }
        if (!built.isEmpty()) {
            composing = true;
            view(replyTo -> new TagEntity.Compose(built, replyTo));
        }
    }

    /** What is known has changed: answers every pull that need not wait any longer. */
    private Behavior<Message> changed() {
        snapshot = view.filter(v -> builds.keySet().containsAll(v.platforms()))
                .map(v -> RevisionSnapshot.of(revision, v, builds));
        if (!composing) {
            snapshot.ifPresent(peers.seen());
        }
        return evaluate();
    }

    private Behavior<Message> evaluate() {
        Instant now = peers.clock().instant();
        due = Optional.empty();
        timers.cancel(Tick.DUE);
        for (Iterator<Join> each = pulls.iterator(); each.hasNext(); ) {
            settle(each.next(), now).ifPresentOrElse(at -> wake(now, at), each::remove);
        }
        return stopping && pulls.isEmpty() ? Behaviors.stopped() : this;
    }

    /** Answers a pull, or tells when time alone will do so. */
    private Optional<Instant> settle(Join pull, Instant now) {
        WaitPolicy.Decision decision =
                snapshot.map(s -> decide(pull, s, now)).orElse(new WaitPolicy.Decision.KeepWaiting(Optional.empty()));
        Optional<Outcome> outcome = outcome(pull, decision, now);
        outcome.ifPresent(pull.outcome()::complete);
        return outcome.isPresent()
                ? Optional.empty()
                : Optional.of(
                        decision instanceof WaitPolicy.Decision.KeepWaiting waiting
                                        && waiting.reconsiderAt()
                                                .map(pull.deadline()::isAfter)
                                                .orElse(false)
                                ? waiting.reconsiderAt().get()
                                : pull.deadline());
    }

    private void wake(Instant now, Instant at) {
        if (due.isEmpty() || at.isBefore(due.get())) {
            due = Optional.of(at);
            timers.startSingleTimer(
                    Tick.DUE, Tick.DUE, Duration.between(now, at).plusMillis(1));
        }
    }

    private WaitPolicy.Decision decide(Join pull, RevisionSnapshot snapshot, Instant now) {
        Optional<Platform> hint = pull.hint();
        if (hint.isPresent() && !snapshot.statuses().containsKey(hint.get())) {
            if (pull.joins()) {
                return new WaitPolicy.Decision.KeepWaiting(Optional.empty());
            }
            hint = Optional.empty();
        }
        return WaitPolicy.decide(config, hint, snapshot.statuses(), snapshot.openedAt(), now);
    }

    private Optional<Outcome> outcome(Join pull, WaitPolicy.Decision decision, Instant now) {
        // A larger index is moments away: an answer of the old one would hide a platform that is built.
        if (decision instanceof WaitPolicy.Decision.Answer && !composing) {
            return Optional.of(new Outcome.Ready(snapshot.orElseThrow()));
        }
        if (decision instanceof WaitPolicy.Decision.GiveUp gaveUp) {
            return Optional.of(new Outcome.GaveUp(build(gaveUp.platform()), gaveUp.failure()));
        }
        if (now.isBefore(pull.deadline())) {
            return Optional.empty();
        }
        String progress = snapshot.map(s -> s.progress(now)).orElse("fetching the source");
        Platform platform = pull.hint().orElse(config.defaultPlatform());
        return Optional.of(new Outcome.TimedOut(progress, Optional.of(build(platform)), queueFull.contains(platform)));
    }

    private Behavior<Message> onTick(Tick tick) {
        switch (tick) {
            case DUE -> {
                return evaluate();
            }
            case RESUBSCRIBE -> {
                if (!pulls.isEmpty()) {
                    // Also what heals a lost message: a request whose answer never came is made again.
                    requesting.clear();
                    if (view.isEmpty()) {
                        open();
                    } else {
                        subscribe();
                        pulls.forEach(this::start);
                        compose();
                    }
                }
            }
            case IDLE -> {
                if (pulls.isEmpty()) {
                    idle.run();
                }
            }
        }
        return this;
    }
}
