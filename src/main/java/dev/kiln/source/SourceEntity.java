package dev.kiln.source;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.cluster.sharding.typed.javadsl.EntityTypeKey;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.oci.Wire;
import dev.kiln.source.Sources.ArchiveAnswer;
import dev.kiln.source.Sources.TagsAnswer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one place in the cluster that asks git about a repository. Those who want to know the same thing share one answer,
 * and only a few things are looked up at a time, so that a crowd costs neither threads nor connections. Holds no state
 * that is not in git or on disk.
 */
public final class SourceEntity extends AbstractBehavior<SourceEntity.Command> {
    public static final EntityTypeKey<Command> TYPE_KEY = EntityTypeKey.create(Command.class, "Source");

    private static final Logger LOG = LoggerFactory.getLogger(SourceEntity.class);

    /** Of each pace at a time. */
    private static final int MAX_RUNNING = 2;

    private static final int MAX_WAITING = 10_000;
    private static final String TOO_MANY = "too many look-ups of this repository are waiting; pull again in a moment";

    public sealed interface Command extends Wire {}

    public record Resolve(Tag tag, ActorRef<Meaning> replyTo) implements Command {}

    public record Archive(Revision revision, ActorRef<ArchiveAnswer> replyTo) implements Command {}

    /** As {@link Sources#tags}; a node of an older version says neither, and gets the first that fit. */
    public record ListTags(String after, int limit, ActorRef<TagsAnswer> replyTo) implements Command {
        public ListTags {
            after = after == null ? "" : after;
            limit = limit <= 0 ? Sources.MAX_TAGS : Math.min(limit, Sources.MAX_TAGS);
        }
    }

    /** @param failure of what answered; null without one */
    private record Done(Question question, Object answer, Throwable failure) implements Command {}

    /** What is asked, the same for all who ask it. Runs on the git dispatcher and may block. */
    private sealed interface Question {
        /** What may need a fetch, however long that is, never holds up what does not. */
        enum Pace {
            QUICK,
            FETCHING
        }

        default Pace pace() {
            return Pace.QUICK;
        }

        Object answer(GitSource source);

        Object refusal(String reason);
    }

    private record Meant(Tag tag) implements Question {
        private static final Pattern COMMIT_ID = Pattern.compile("[0-9a-f]{7,64}");

        @Override
        public Pace pace() {
            return COMMIT_ID.matcher(tag.value()).matches() ? Pace.FETCHING : Pace.QUICK;
        }

        @Override
        public Object answer(GitSource source) {
            return source.resolve(tag);
        }

        @Override
        public Object refusal(String reason) {
            return new Meaning.Unavailable(reason);
        }
    }

    private record Archived(Revision revision) implements Question {
        @Override
        public Pace pace() {
            return Pace.FETCHING;
        }

        @Override
        public Object answer(GitSource source) {
            try {
                return new ArchiveAnswer.Archived(source.archive(revision), source.publicName());
            } catch (SourceException e) {
                return e.fault() == SourceException.Fault.REVISION
                        ? new ArchiveAnswer.Refused(e.getMessage())
                        : new ArchiveAnswer.Unavailable(e.getMessage());
            }
        }

        @Override
        public Object refusal(String reason) {
            return new ArchiveAnswer.Unavailable(reason);
        }
    }

    private record Tags(String after, int limit) implements Question {
        @Override
        public Object answer(GitSource source) {
            TagList list = source.tags();
            if (list instanceof TagList.Listed listed) {
                return new TagsAnswer.Listed(listed.page(after, limit));
            }
            return list instanceof TagList.Unavailable unavailable
                    ? new TagsAnswer.Unavailable(unavailable.reason())
                    : new TagsAnswer.RepositoryUnknown();
        }

        @Override
        public Object refusal(String reason) {
            return new TagsAnswer.Unavailable(reason);
        }
    }

    private final RepositoryName repository;
    private final GitSources sources;
    private final HostLanes lanes;

    private final Map<Question, List<ActorRef<Object>>> asked = new HashMap<>();
    private final Map<Question.Pace, Queue<Question>> waiting = new EnumMap<>(Question.Pace.class);
    private final Map<Question.Pace, Integer> running = new EnumMap<>(Question.Pace.class);
    private int askers;

    /** @param lanes for calls that block on git */
    static Behavior<Command> create(RepositoryName repository, GitSources sources, HostLanes lanes) {
        return Behaviors.setup(context -> new SourceEntity(context, repository, sources, lanes));
    }

    private SourceEntity(
            ActorContext<Command> context, RepositoryName repository, GitSources sources, HostLanes lanes) {
        super(context);
        this.repository = repository;
        this.sources = sources;
        this.lanes = lanes;
    }

    @Override
    public Receive<Command> createReceive() {
        return newReceiveBuilder()
                .onMessage(Resolve.class, resolve -> ask(new Meant(resolve.tag()), resolve.replyTo()))
                .onMessage(Archive.class, archive -> ask(new Archived(archive.revision()), archive.replyTo()))
                .onMessage(ListTags.class, list -> ask(new Tags(list.after(), list.limit()), list.replyTo()))
                .onMessage(Done.class, this::onDone)
                .build();
    }

    private Behavior<Command> ask(Question question, ActorRef<?> replyTo) {
        ActorRef<Object> asker = replyTo.unsafeUpcast();
        if (askers >= MAX_WAITING) {
            asker.tell(question.refusal(TOO_MANY));
            return this;
        }
        askers++;
        List<ActorRef<Object>> others = asked.get(question);
        if (others != null) {
            others.add(asker);
            return this;
        }
        asked.put(question, new ArrayList<>(List.of(asker)));
        waiting.computeIfAbsent(question.pace(), pace -> new ArrayDeque<>()).add(question);
        runNext(question.pace());
        return this;
    }

    private void runNext(Question.Pace pace) {
        Queue<Question> queue = waiting.getOrDefault(pace, new ArrayDeque<>());
        while (running.getOrDefault(pace, 0) < MAX_RUNNING && !queue.isEmpty()) {
            Question question = queue.remove();
            running.merge(pace, 1, Integer::sum);
            getContext()
                    .pipeToSelf(
                            CompletableFuture.supplyAsync(() -> answer(question), lane(pace)),
                            (answer, failure) -> new Done(
                                    question,
                                    failure == null
                                            ? answer
                                            : question.refusal("the source could not be asked; pull again"),
                                    failure));
        }
    }

    private Executor lane(Question.Pace pace) {
        return switch (pace) {
            case QUICK -> lanes.quick();
            case FETCHING -> lanes.fetching();
        };
    }

    private Object answer(Question question) {
        Optional<GitSource> source = sources.of(repository);
        return source.isPresent()
                ? question.answer(source.get())
                : question.refusal("the repository " + repository + " is not configured here");
    }

    private Behavior<Command> onDone(Done done) {
        if (done.failure() != null) {
            LOG.warn("{} could not be asked", repository, done.failure());
        }
        running.merge(done.question().pace(), -1, Integer::sum);
        List<ActorRef<Object>> told = asked.remove(done.question());
        askers -= told.size();
        told.forEach(asker -> asker.tell(done.answer()));
        runNext(done.question().pace());
        return this;
    }
}
