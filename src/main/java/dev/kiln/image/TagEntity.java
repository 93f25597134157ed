package dev.kiln.image;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.SupervisorStrategy;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import akka.persistence.typed.PersistenceId;
import akka.persistence.typed.RecoveryCompleted;
import akka.persistence.typed.javadsl.CommandHandler;
import akka.persistence.typed.javadsl.Effect;
import akka.persistence.typed.javadsl.EventHandler;
import akka.persistence.typed.javadsl.EventSourcedBehavior;
import akka.persistence.typed.javadsl.SignalHandler;
import dev.kiln.build.Cause;
import dev.kiln.image.IndexComposer.Composition;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Wire;
import dev.kiln.source.SourceArchive;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionStage;

/**
 * The actor that owns one tag. Of a ref it keeps what it means; of a revision it fixes the platform set and is the only
 * one that composes indexes, one at a time: bytes and link are published before the event that names them.
 */
public final class TagEntity extends EventSourcedBehavior<TagEntity.Command, TagEvent, TagState> {
    public static final EntityTypeKey<Command> TYPE_KEY = EntityTypeKey.create(Command.class, "Tag");

    private static final int MAX_PENDING = 1000;

    public sealed interface Command extends Wire {}

    /**
     * Git says that this ref means {@code revision}; answered when that is durable, with what git said last.
     *
     * @param at when git said so: another node may have learnt of a later meaning, which then stays
     */
    public record Observe(Revision revision, String ref, Instant at, ActorRef<Meant> replyTo) implements Command {}

    /** What the ref was last known to mean. */
    public record GetMeaning(ActorRef<Meant> replyTo) implements Command {}

    /**
     * How a revision stands.
     *
     * @param flavour the series of indexes that is asked about; empty: the common one
     * @param complete the index that the asker has and that was complete: if it still is, he is told only that
     */
    public record GetRevision(Optional<Platform> flavour, Optional<Digest> complete, ActorRef<View> replyTo)
            implements Command {}

    /** Every index of a revision. */
    public record GetIndexes(ActorRef<Indexes> replyTo) implements Command {}

    /**
     * Fixes source and platforms of a revision, unless they are fixed already.
     *
     * @param flavour as in {@link GetRevision}
     */
    public record Open(
            String source,
            SourceArchive archive,
            List<Platform> platforms,
            Cause cause,
            Optional<Platform> flavour,
            ActorRef<View> replyTo)
            implements Command {
        public Open {
            platforms = List.copyOf(platforms);
        }
    }

    /**
     * Adds a platform to an open revision's set.
     *
     * @param flavour as in {@link GetRevision}
     */
    public record Join(Platform platform, Cause cause, Optional<Platform> flavour, ActorRef<View> replyTo)
            implements Command {}

    /**
     * These are built: answer the series' index that lists at least them.
     *
     * @param flavour as in {@link GetRevision}
     * @param cause the pull that wants it; empty when nobody waits for it
     */
    public record Compose(
            Optional<Platform> flavour, List<IndexComposer.Child> built, Optional<Cause> cause, ActorRef<View> replyTo)
            implements Command {
        public Compose {
            built = List.copyOf(built);
        }
    }

    private record Published(Composition composition, Optional<Cause> cause, Optional<Descriptor> index, String failure)
            implements Command {}

    /** @param revision empty when the ref was never seen */
    public record Meant(Optional<Revision> revision) implements Wire {}

    /**
     * A revision's indexes of all series, in the order in which they were composed.
     *
     * @param platforms of the revision, flavours included; empty when it was never pulled
     */
    public record Indexes(List<Platform> platforms, List<TagEvent.IndexComposed> indexes) implements Wire {
        public Indexes {
            platforms = List.copyOf(platforms);
            indexes = List.copyOf(indexes);
        }
    }

    /**
     * A revision as it stands, as one series of its indexes sees it.
     *
     * @param opened empty when it was never pulled; then the rest is empty too
     * @param platforms what the series lists when it is complete
     * @param failure why the index could not be composed; empty when nothing failed
     * @param unchanged the asker knows it all; then the rest is empty
     */
    public record View(
            Optional<TagEvent.RevisionOpened> opened,
            List<Platform> platforms,
            Optional<TagEvent.IndexComposed> newest,
            Optional<String> failure,
            boolean unchanged)
            implements Wire {
        private static final View UNCHANGED =
                new View(Optional.empty(), List.of(), Optional.empty(), Optional.empty(), true);

        public View {
            platforms = List.copyOf(platforms);
        }
    }

    /** Puts an index into the content store, with its link to the repository, flushed; off the actor's thread. */
    @FunctionalInterface
    public interface Publisher {
        CompletionStage<Descriptor> publish(TagKey key, String index);
    }

    private final ActorContext<Command> context;
    private final TagKey key;
    private final Publisher publisher;
    private final Clock clock;

    private final Map<Platform, Descriptor> toCompose = new HashMap<>();
    private final List<Compose> pending = new ArrayList<>();
    /** What is on its way into the store; an answer about anything else is none. */
    private Optional<Composition> publishing = Optional.empty();

    public static Behavior<Command> create(TagKey key, Publisher publisher, Clock clock) {
        return Behaviors.setup(context -> new TagEntity(context, key, publisher, clock));
    }

    private TagEntity(ActorContext<Command> context, TagKey key, Publisher publisher, Clock clock) {
        super(
                PersistenceId.of(TYPE_KEY.name(), key.toString()),
                SupervisorStrategy.restartWithBackoff(Duration.ofMillis(200), Duration.ofSeconds(3), 0.2));
        this.context = context;
        this.key = key;
        this.publisher = publisher;
        this.clock = clock;
    }

    @Override
    public TagState emptyState() {
        return TagState.EMPTY;
    }

    @Override
    public EventHandler<TagState, TagEvent> eventHandler() {
        return TagState::apply;
    }

    /** This object outlives a failure of the journal, after which it recovers anew. */
    @Override
    public SignalHandler<TagState> signalHandler() {
        return newSignalHandlerBuilder()
                .onSignal(RecoveryCompleted.instance(), state -> {
                    publishing = Optional.empty();
                    answerPending(state, Optional.of("the index could not be recorded"));
                })
                .build();
    }

    @Override
    public CommandHandler<Command, TagEvent, TagState> commandHandler() {
        return newCommandHandlerBuilder()
                .forAnyState()
                .onCommand(Observe.class, this::onObserve)
                .onCommand(GetMeaning.class, (state, get) -> {
                    get.replyTo().tell(meant(state));
                    return Effect().none();
                })
                .onCommand(GetRevision.class, (state, get) -> {
                    get.replyTo()
                            .tell(
                                    isComplete(state, get.flavour(), get.complete())
                                            ? View.UNCHANGED
                                            : view(state, get.flavour(), Optional.empty()));
                    return Effect().none();
                })
                .onCommand(GetIndexes.class, (state, get) -> {
                    get.replyTo().tell(new Indexes(state.platforms(), state.indexes()));
                    return Effect().none();
                })
                .onCommand(Open.class, this::onOpen)
                .onCommand(Join.class, this::onJoin)
                .onCommand(Compose.class, this::onCompose)
                .onCommand(Published.class, this::onPublished)
                .build();
    }

    private Effect<TagEvent, TagState> onObserve(TagState state, Observe observe) {
        boolean changes = state.meaning()
                .map(m -> !observe.at().isBefore(m.at())
                        && !(m.revision().equals(observe.revision()) && m.ref().equals(observe.ref())))
                .orElse(true);
        List<TagEvent> events =
                changes ? List.of(new TagEvent.RefMeant(observe.revision(), observe.ref(), observe.at())) : List.of();
        return Effect().persist(events).thenRun(next -> observe.replyTo().tell(meant(next)));
    }

    private static Meant meant(TagState state) {
        return new Meant(state.meaning().map(TagEvent.RefMeant::revision));
    }

    private Effect<TagEvent, TagState> onOpen(TagState state, Open open) {
        List<TagEvent> events = state.opened().isPresent()
                ? List.of()
                : List.of(new TagEvent.RevisionOpened(
                        open.source(), open.archive(), open.platforms(), open.cause(), clock.instant()));
        return Effect()
                .persist(events)
                .thenRun(next -> open.replyTo().tell(view(next, open.flavour(), Optional.empty())));
    }

    private Effect<TagEvent, TagState> onJoin(TagState state, Join join) {
        List<TagEvent> events = state.opened().isEmpty() || state.platforms().contains(join.platform())
                ? List.of()
                : List.of(new TagEvent.PlatformJoined(join.platform(), join.cause(), clock.instant()));
        return Effect()
                .persist(events)
                .thenRun(next -> join.replyTo().tell(view(next, join.flavour(), Optional.empty())));
    }

    private Effect<TagEvent, TagState> onCompose(TagState state, Compose compose) {
        if (pending.size() >= MAX_PENDING) {
            compose.replyTo().tell(view(state, compose.flavour(), Optional.of("too many compositions are waiting")));
            return Effect().none();
        }
        compose.built().forEach(child -> toCompose.put(child.platform(), child.manifest()));
        pending.add(compose);
        publishNext(state);
        return Effect().none();
    }

    /** One at a time: what comes in meanwhile is merged into the next one. */
    private void publishNext(TagState state) {
        if (publishing.isPresent() || pending.isEmpty()) {
            return;
        }
        for (Compose compose : pending) {
            Optional<Composition> next =
                    key.revision().flatMap(revision -> state.compose(revision, compose.flavour(), toCompose));
            if (next.isPresent()) {
                publish(next.get(), compose.cause());
                return;
            }
        }
        answerPending(state, Optional.empty());
    }

    private void publish(Composition composition, Optional<Cause> cause) {
        publishing = Optional.of(composition);
        context.pipeToSelf(
                publisher.publish(key, IndexComposer.compose(composition)),
                (index, failure) -> new Published(
                        composition,
                        cause,
                        Optional.ofNullable(index),
                        failure == null ? "" : String.valueOf(failure.getMessage())));
    }

    private Effect<TagEvent, TagState> onPublished(TagState state, Published published) {
        if (!publishing.equals(Optional.of(published.composition()))) {
            // From before a failure of the journal: what was recorded since may list more.
            return Effect().none();
        }
        if (published.index().isEmpty()) {
            publishing = Optional.empty();
            context.getLog().error("could not publish an index of {}: {}", key, published.failure());
            answerPending(state, Optional.of("the index could not be stored"));
            return Effect().none();
        }
        return Effect()
                .persist(new TagEvent.IndexComposed(
                        published.index().get(), published.composition(), published.cause(), clock.instant()))
                .thenRun(next -> {
                    publishing = Optional.empty();
                    // Composes again at once if more was built meanwhile, else answers everybody.
                    publishNext(next);
                });
    }

    private void answerPending(TagState state, Optional<String> failure) {
        toCompose.clear();
        pending.forEach(compose -> compose.replyTo().tell(view(state, compose.flavour(), failure)));
        pending.clear();
    }

    private static View view(TagState state, Optional<Platform> flavour, Optional<String> failure) {
        return new View(
                state.opened(), Series.platforms(state.platforms(), flavour), state.newest(flavour), failure, false);
    }

    private static boolean isComplete(TagState state, Optional<Platform> flavour, Optional<Digest> index) {
        int platforms = Series.platforms(state.platforms(), flavour).size();
        return index.isPresent()
                && state.newest(flavour)
                        .filter(newest -> newest.index().digest().equals(index.get())
                                && newest.composition().children().size() == platforms)
                        .isPresent();
    }
}
