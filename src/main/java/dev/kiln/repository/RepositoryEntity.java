package dev.kiln.repository;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.RecoveryCompleted;
import akka.persistence.typed.SnapshotAdapter;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.Effect;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import akka.persistence.typed.javadsl.RetentionCriteria;
import akka.persistence.typed.javadsl.SignalHandler;
import dev.kiln.blob.Links;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.repository.RepositoryCommand.Begin;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteManifest;
import dev.kiln.repository.RepositoryCommand.DeleteTag;
import dev.kiln.repository.RepositoryCommand.Drop;
import dev.kiln.repository.RepositoryCommand.FindUnneeded;
import dev.kiln.repository.RepositoryCommand.Found;
import dev.kiln.repository.RepositoryCommand.GetManifest;
import dev.kiln.repository.RepositoryCommand.GetTag;
import dev.kiln.repository.RepositoryCommand.GetUser;
import dev.kiln.repository.RepositoryCommand.ListReferrers;
import dev.kiln.repository.RepositoryCommand.ListTags;
import dev.kiln.repository.RepositoryCommand.Put;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.repository.RepositoryCommand.Referrers;
import dev.kiln.repository.RepositoryCommand.Release;
import dev.kiln.repository.RepositoryCommand.Tags;
import dev.kiln.repository.RepositoryCommand.Unneeded;
import dev.kiln.repository.RepositoryCommand.User;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.UUID;

/**
 * The actor that owns what was pushed to one repository: its manifests, tags and referrers. It is their only writer, so
 * that every push, list and delete sees those before it, on whichever node. Of the bytes it owns nothing, but it alone
 * has links of pushed content removed, and never one that a manifest here or a push under way needs.
 */
public final class RepositoryEntity extends EventSourcedBehavior<RepositoryCommand, RepositoryEvent, RepositoryState> {
    public static final EntityTypeKey<RepositoryCommand> TYPE_KEY =
            EntityTypeKey.create(RepositoryCommand.class, "Repository");

    /** Every event carries one of these, so that the catalog can be filled by several readers side by side. */
    public static final List<String> TAGS = List.of("repository-0", "repository-1", "repository-2", "repository-3");

    /** Events. */
    static final int SNAPSHOT_EVERY = 5000;

    private static final int MAX_DEFERRED = 256;
    private static final Duration RETRY = Duration.ofSeconds(10);

    /** To end, but not in the middle of a removal: the next owner would not know of it. */
    record Stop() implements RepositoryCommand.Own {}

    /** The removal of a digest's links of some kinds. */
    private record Removal(long number, Digest digest, Set<Links.Kind> kinds) {}

    /** A removal has come to an end. */
    private record Unlinked(Removal removal, Outcome outcome, String failure, Optional<ActorRef<DeleteAnswer>> replyTo)
            implements RepositoryCommand.Own {}

    /** Removals of {@link #RETRY} ago have ended, heard of or not: a full stash drops the word of it, as a recovery may. */
    private record ForgetOld() implements RepositoryCommand.Own {}

    private enum Outcome {
        GONE,
        KEPT,
        FAILED
    }

    private record RetryUnlinking() implements RepositoryCommand.Own {}

    private final ActorContext<RepositoryCommand> context;
    private final TimerScheduler<RepositoryCommand> timers;
    private final RepositoryName name;
    private final int maxManifests;
    private final Unlinker unlinker;
    private final Clock clock;

    /** This life of the entity: what an earlier one promised or began, it does not know. */
    private String incarnation = "";

    private Pins pins = new Pins();
    /** What is being removed now. It goes on while the journal fails and this recovers. */
    private final Set<Removal> removing = new HashSet<>();
    /** Those of them that were there at the last look, {@link #RETRY} ago. */
    private Set<Removal> old = Set.of();

    private long removals;
    private boolean stopping;
    /** Pushes that wait for the end of a removal. */
    private final List<Begin> deferred = new ArrayList<>();

    /** @param maxManifests how many manifests, and how many tags, the repository takes */
    public static Behavior<RepositoryCommand> create(
            RepositoryName name, int maxManifests, Unlinker unlinker, Clock clock) {
        return Behaviors.setup(context -> Behaviors.withTimers(
                timers -> new RepositoryEntity(context, timers, name, maxManifests, unlinker, clock)));
    }

    private RepositoryEntity(
            ActorContext<RepositoryCommand> context,
            TimerScheduler<RepositoryCommand> timers,
            RepositoryName name,
            int maxManifests,
            Unlinker unlinker,
            Clock clock) {
        super(
                PersistenceId.of(TYPE_KEY.name(), name.value()),
                SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(3), 0.2));
        this.context = context;
        this.timers = timers;
        this.name = name;
        this.maxManifests = maxManifests;
        this.unlinker = unlinker;
        this.clock = clock;
    }

    @Override
    public RepositoryState emptyState() {
        return new RepositoryState();
    }

    @Override
    public Set<String> tagsFor(RepositoryEvent event) {
        return Set.of(TAGS.get(Math.floorMod(name.value().hashCode(), TAGS.size())));
    }

    @Override
    public EventHandler<RepositoryState, RepositoryEvent> eventHandler() {
        return RepositoryState::apply;
    }

    /** Of a full repository some tens of megabytes: seldom enough to cost less than the pushes, and a recovery takes seconds. */
    @Override
    public RetentionCriteria retentionCriteria() {
        return RetentionCriteria.snapshotEvery(SNAPSHOT_EVERY, 2);
    }

    /** What is stored is a copy: the state goes on changing while it is written. */
    @Override
    public SnapshotAdapter<RepositoryState> snapshotAdapter() {
        return new SnapshotAdapter<>() {
            @Override
            public Object toJournal(RepositoryState state) {
                return state.snapshot();
            }

            @Override
            public RepositoryState fromJournal(Object from) {
                return RepositoryState.of((RepositorySnapshot) from);
            }
        };
    }

    /** This object outlives a failure of the journal, after which it recovers anew. */
    @Override
    public SignalHandler<RepositoryState> signalHandler() {
        return newSignalHandlerBuilder()
                .onSignal(RecoveryCompleted.instance(), state -> {
                    incarnation = UUID.randomUUID().toString();
                    pins = new Pins();
                    deferred.clear();
                    if (!removing.isEmpty()) {
                        forgetOldLater();
                    }
                    if (stopping) {
                        context.getSelf().tell(new Stop());
                    }
                    unlinkNext(state);
                })
                .build();
    }

    @Override
    public CommandHandler<RepositoryCommand, RepositoryEvent, RepositoryState> commandHandler() {
        return newCommandHandlerBuilder()
                .forAnyState()
                .onCommand(Begin.class, this::onBegin)
                .onCommand(Put.class, this::onPut)
                .onCommand(Release.class, (state, release) -> {
                    if (release.incarnation().equals(incarnation)) {
                        pins.release(release.pin(), clock.instant());
                    }
                    return Effect().none();
                })
                .onCommand(GetManifest.class, (state, get) -> {
                    get.replyTo().tell(new Found(state.manifest(get.digest())));
                    return Effect().none();
                })
                .onCommand(GetTag.class, (state, get) -> {
                    get.replyTo().tell(new Found(state.manifest(get.tag())));
                    return Effect().none();
                })
                .onCommand(GetUser.class, (state, get) -> {
                    get.replyTo().tell(new User(state.user(get.digest())));
                    return Effect().none();
                })
                .onCommand(ListTags.class, (state, list) -> {
                    list.replyTo().tell(new Tags(state.tags(list.after(), RepositoryCommand.MAX_PAGE)));
                    return Effect().none();
                })
                .onCommand(ListReferrers.class, this::onListReferrers)
                .onCommand(DeleteTag.class, this::onDeleteTag)
                .onCommand(DeleteManifest.class, this::onDeleteManifest)
                .onCommand(FindUnneeded.class, (state, find) -> {
                    find.replyTo()
                            .tell(new Unneeded(find.digests().stream()
                                    .filter(digest -> state.manifest(digest).isEmpty())
                                    .filter(digest -> need(state, digest).isEmpty())
                                    .toList()));
                    return Effect().none();
                })
                .onCommand(Drop.class, this::onDrop)
                .onCommand(Unlinked.class, this::onUnlinked)
                .onCommand(ForgetOld.class, this::onForgetOld)
                .onCommand(Stop.class, (state, stop) -> {
                    stopping = true;
                    return removing.isEmpty() ? Effect().stop() : Effect().none();
                })
                .onCommand(RetryUnlinking.class, (state, retry) -> {
                    unlinkNext(state);
                    return Effect().none();
                })
                .build();
    }

    private Effect<RepositoryEvent, RepositoryState> onBegin(RepositoryState state, Begin begin) {
        if (!isBeingRemoved(state, begin)) {
            // Who gets no answer in time sends the same question again.
            pin(state, begin);
        } else if (deferred.contains(begin)) {
            return Effect().none();
        } else if (deferred.size() < MAX_DEFERRED) {
            deferred.add(begin);
        } else {
            begin.replyTo().tell(new BeginAnswer.Busy());
        }
        return Effect().none();
    }

    private boolean isBeingRemoved(RepositoryState state, Begin begin) {
        return begin.digests().stream().anyMatch(digest -> isRemoving(digest) || state.isUnlinked(digest));
    }

    private void pin(RepositoryState state, Begin begin) {
        OptionalLong pin = pins.pin(begin.replyTo(), begin.digests(), clock.instant());
        begin.replyTo()
                .tell(
                        pin.isPresent()
                                ? new BeginAnswer.Pinned(
                                        incarnation, pin.getAsLong(), state.manifestsOf(begin.digests()))
                                : new BeginAnswer.Busy());
    }

    private Effect<RepositoryEvent, RepositoryState> onPut(RepositoryState state, Put put) {
        Instant now = clock.instant();
        if (!put.incarnation().equals(incarnation) || !pins.release(put.pin(), now)) {
            put.replyTo().tell(new PutAnswer.Again());
            return Effect().none();
        }
        if (state.holds(put.manifest(), put.tags())) {
            put.replyTo().tell(new PutAnswer.Stored());
            return Effect().none();
        }
        Optional<String> full = state.full(put.manifest(), put.tags(), maxManifests);
        if (full.isPresent()) {
            put.replyTo().tell(new PutAnswer.Full(full.get()));
            return Effect().none();
        }
        return Effect()
                .persist(new RepositoryEvent.ManifestPushed(put.manifest(), put.tags(), put.by(), now))
                .thenRun(next -> put.replyTo().tell(new PutAnswer.Stored()));
    }

    private Effect<RepositoryEvent, RepositoryState> onListReferrers(RepositoryState state, ListReferrers list) {
        RepositoryState.Referrers page =
                state.referrers(list.subject(), list.artifactType(), list.after(), RepositoryCommand.MAX_PAGE);
        list.replyTo()
                .tell(new Referrers(
                        page.manifests().stream()
                                .map(m -> new PushedManifest(m.descriptor(), List.of(), m.subject(), m.artifactType()))
                                .toList(),
                        page.more()));
        return Effect().none();
    }

    private Effect<RepositoryEvent, RepositoryState> onDeleteTag(RepositoryState state, DeleteTag delete) {
        if (state.manifest(delete.tag()).isEmpty()) {
            delete.replyTo().tell(new DeleteAnswer.Unknown());
            return Effect().none();
        }
        return Effect()
                .persist(new RepositoryEvent.TagDeleted(delete.tag(), delete.by(), clock.instant()))
                .thenRun(next -> delete.replyTo().tell(new DeleteAnswer.Deleted()));
    }

    private Effect<RepositoryEvent, RepositoryState> onDeleteManifest(RepositoryState state, DeleteManifest delete) {
        Digest digest = delete.digest();
        if (state.manifest(digest).isEmpty()) {
            delete.replyTo().tell(new DeleteAnswer.Unknown());
            return Effect().none();
        }
        Optional<String> need = need(state, digest);
        if (need.isPresent()) {
            delete.replyTo().tell(new DeleteAnswer.Refused(need.get()));
            return Effect().none();
        }
        return Effect()
                .persist(new RepositoryEvent.ManifestDeleted(digest, state.size() - 1, delete.by(), clock.instant()))
                .thenRun(next -> {
                    delete.replyTo().tell(new DeleteAnswer.Deleted());
                    unlinkNext(next);
                });
    }

    /** What still needs a digest. */
    private Optional<String> need(RepositoryState state, Digest digest) {
        return state.user(digest)
                .map(user -> "the manifest " + user + " refers to it: delete that first")
                .or(() -> pins.holds(digest, clock.instant())
                        ? Optional.of("a push that is under way refers to it: try again in some minutes")
                        : Optional.empty());
    }

    private Effect<RepositoryEvent, RepositoryState> onDrop(RepositoryState state, Drop drop) {
        Digest digest = drop.digest();
        Optional<String> need = state.manifest(digest).isPresent()
                ? Optional.of("it is a manifest: delete it as one")
                : need(state, digest);
        // The link of a manifest that was deleted is about to go by itself.
        Set<Links.Kind> kinds =
                state.isUnlinked(digest) ? Set.of(Links.Kind.BLOB) : Set.of(Links.Kind.BLOB, Links.Kind.MANIFEST);
        if (need.isPresent()) {
            drop.replyTo().tell(new DeleteAnswer.Refused(need.get()));
        } else if (isRemoving(digest, Links.Kind.BLOB)) {
            // Somebody else has deleted it at this moment.
            drop.replyTo().tell(new DeleteAnswer.Unknown());
        } else {
            unlink(digest, kinds, drop.untouchedSince(), Optional.of(drop.replyTo()));
        }
        return Effect().none();
    }

    private boolean isRemoving(Digest digest) {
        return removing.stream().anyMatch(removal -> removal.digest().equals(digest));
    }

    private boolean isRemoving(Digest digest, Links.Kind kind) {
        return removing.stream()
                .anyMatch(removal ->
                        removal.digest().equals(digest) && removal.kinds().contains(kind));
    }

    private void unlink(
            Digest digest,
            Set<Links.Kind> kinds,
            Optional<Instant> untouchedSince,
            Optional<ActorRef<DeleteAnswer>> replyTo) {
        Removal removal = new Removal(++removals, digest, kinds);
        removing.add(removal);
        forgetOldLater();
        context.pipeToSelf(unlinker.unlink(name, digest, kinds, untouchedSince), (gone, failure) -> {
            Outcome outcome = failure != null ? Outcome.FAILED : gone ? Outcome.GONE : Outcome.KEPT;
            return new Unlinked(removal, outcome, String.valueOf(failure), replyTo);
        });
    }

    /** Links of deleted manifests go one after the other. */
    private void unlinkNext(RepositoryState state) {
        state.nextUnlinked()
                .filter(digest -> !stopping && !isRemoving(digest, Links.Kind.MANIFEST))
                .ifPresent(digest -> unlink(digest, Set.of(Links.Kind.MANIFEST), Optional.empty(), Optional.empty()));
    }

    private Effect<RepositoryEvent, RepositoryState> onUnlinked(RepositoryState state, Unlinked unlinked) {
        Removal removal = unlinked.removal();
        if (unlinked.outcome() == Outcome.FAILED) {
            context.getLog().error("could not remove the link of {}: {}", removal.digest(), unlinked.failure());
        }
        unlinked.replyTo().ifPresent(replyTo -> replyTo.tell(answer(unlinked.outcome())));
        boolean known = removing.remove(removal);
        boolean last = stopping && removing.isEmpty();
        if (!known || !removal.kinds().contains(Links.Kind.MANIFEST) || !state.isUnlinked(removal.digest())) {
            resume(state);
            return last ? Effect().stop() : Effect().none();
        }
        if (unlinked.outcome() != Outcome.GONE) {
            timers.startSingleTimer(new RetryUnlinking(), RETRY);
            return last ? Effect().stop() : Effect().none();
        }
        var recorded = Effect()
                .persist(new RepositoryEvent.LinkRemoved(removal.digest(), clock.instant()))
                .thenRun((RepositoryState next) -> {
                    resume(next);
                    unlinkNext(next);
                });
        return last ? recorded.thenStop() : recorded;
    }

    private void forgetOldLater() {
        if (!timers.isTimerActive(ForgetOld.class)) {
            timers.startTimerWithFixedDelay(ForgetOld.class, new ForgetOld(), RETRY);
        }
    }

    private Effect<RepositoryEvent, RepositoryState> onForgetOld(RepositoryState state, ForgetOld forget) {
        removing.removeAll(old);
        old = Set.copyOf(removing);
        resume(state);
        unlinkNext(state);
        if (removing.isEmpty()) {
            timers.cancel(ForgetOld.class);
        }
        return stopping && removing.isEmpty() ? Effect().stop() : Effect().none();
    }

    private static DeleteAnswer answer(Outcome outcome) {
        return switch (outcome) {
            case GONE -> new DeleteAnswer.Deleted();
            case KEPT -> new DeleteAnswer.Refused("it was used a moment ago, or it is not a pushed one");
            case FAILED -> new DeleteAnswer.Failed();
        };
    }

    private void resume(RepositoryState state) {
        List<Begin> waiting = List.copyOf(deferred);
        deferred.clear();
        waiting.forEach(begin -> onBegin(state, begin));
    }
}
