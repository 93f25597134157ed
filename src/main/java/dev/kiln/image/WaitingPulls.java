package dev.kiln.image;

import dev.kiln.build.BuildEta;
import dev.kiln.build.BuildTimes;
import dev.kiln.build.Cause;
import dev.kiln.client.Hint;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.image.RevisionWaiter.Join;
import dev.kiln.image.WaitPolicy.Decision;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
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
import java.util.function.Supplier;

/**
 * The pulls that wait for one revision on this node. Answers each when the policy says so or its hop ends. Without clock
 * or timer; not thread-safe.
 */
final class WaitingPulls {
    private static final int MAX = 10_000;
    /** A client that goes on waiting is back sooner. */
    private static final Duration BETWEEN_HOPS = Duration.ofSeconds(5);

    private final TagKey key;
    private final RepositoryConfig config;
    private final Supplier<Map<Platform, BuildTimes>> usual;
    private final List<Join> pulls = new ArrayList<>();
    /** For each platform the pull whose hop ended last before it was built: between two hops a client still waits. */
    private final Map<Platform, Hopped> hopping = new HashMap<>();

    private record Hopped(Cause cause, Instant at) {}

    private Optional<RevisionSnapshot> snapshot = Optional.empty();
    private Optional<Instant> moreUntil = Optional.empty();
    private Set<Platform> queueFull = Set.of();

    /** @param usual how long builds take, as far as it is known by now */
    WaitingPulls(TagKey key, RepositoryConfig config, Supplier<Map<Platform, BuildTimes>> usual) {
        this.key = key;
        this.config = config;
        this.usual = usual;
    }

    boolean isEmpty() {
        return pulls.isEmpty();
    }

    void forEach(Consumer<Join> action) {
        pulls.forEach(action);
    }

    /** Who is to be named for an index that lists {@code built} now: rather one who asked for one of these. */
    Optional<Cause> cause(Set<Platform> built, Instant now) {
        return pulls.stream()
                .filter(pull -> pull.wish()
                        .hint()
                        .map(Hint::platform)
                        .filter(built::contains)
                        .isPresent())
                .findFirst()
                .map(Join::cause)
                .or(() -> built.stream()
                        .map(hopping::get)
                        .filter(hopped ->
                                hopped != null && now.isBefore(hopped.at().plus(BETWEEN_HOPS)))
                        .map(Hopped::cause)
                        .findFirst())
                .or(() -> first().map(Join::cause));
    }

    Optional<Join> first() {
        return pulls.stream().findFirst();
    }

    /**
     * Keeps a pull that cannot be answered yet.
     *
     * @return when time alone will change something for it; empty when it was answered
     */
    Optional<Instant> add(Join pull, Instant now) {
        if (pulls.size() >= MAX) {
            pull.outcome()
                    .completeExceptionally(new Problem(
                            ProblemCode.UNAVAILABLE,
                            "too many pulls of this image are waiting; try again in a moment"));
            return Optional.empty();
        }
        Optional<Instant> due = settle(pull, now, new HashMap<>());
        if (due.isPresent()) {
            pulls.add(pull);
        }
        return due;
    }

    /**
     * From now on this is what is known.
     *
     * @param more until when an index that lists more is about to come: a pull that asks for no platform in particular is
     *     not given one that is out of date already
     */
    void see(RevisionSnapshot latest, Optional<Instant> more) {
        snapshot = Optional.of(latest);
        moreUntil = more;
    }

    /** @param platforms whose builds found no place in the queue */
    void seeQueueFull(Set<Platform> platforms) {
        queueFull = Set.copyOf(platforms);
    }

    /**
     * Answers every pull that need not wait any longer.
     *
     * @return when time alone will change something for the others
     */
    Optional<Instant> answer(Instant now) {
        Optional<Instant> next = Optional.empty();
        Map<Question, Decision> decided = new HashMap<>();
        for (Iterator<Join> each = pulls.iterator(); each.hasNext(); ) {
            Optional<Instant> due = settle(each.next(), now, decided);
            if (due.isEmpty()) {
                each.remove();
            } else if (next.isEmpty() || due.get().isBefore(next.get())) {
                next = due;
            }
        }
        return next;
    }

    /** Forgets a pull whose client has gone. */
    void leave(CompletableFuture<Outcome> outcome) {
        if (pulls.removeIf(pull -> pull.outcome() == outcome)) {
            // Nobody reads it: a status below 500 keeps it out of the log.
            outcome.completeExceptionally(new Problem(ProblemCode.UNAVAILABLE, 408, "the client has gone"));
        }
    }

    void refuseAll(String message) {
        pulls.forEach(pull -> pull.outcome().complete(new Outcome.Refused(message)));
        pulls.clear();
    }

    void failAll(Problem problem) {
        pulls.forEach(pull -> pull.outcome().completeExceptionally(problem));
        pulls.clear();
    }

    /** All that one pull's decision differs from another's by. */
    private record Question(Optional<Platform> platform, boolean wholeIndex) {}

    /** @param decided what was decided already at this time */
    private Optional<Instant> settle(Join pull, Instant now, Map<Question, Decision> decided) {
        Decision decision = snapshot.map(s -> decide(pull, s, now, decided)).orElse(new Decision.KeepWaiting());
        Optional<Outcome> outcome = outcome(pull, decision, now);
        if (outcome.isPresent()) {
            pull.outcome().complete(outcome.get());
            if (outcome.get() instanceof Outcome.TimedOut timedOut) {
                timedOut.build().ifPresent(build -> hopping.put(build.platform(), new Hopped(pull.cause(), now)));
            }
            return Optional.empty();
        }
        Optional<Instant> reconsiderAt =
                decision instanceof Decision.KeepWaiting waiting ? waiting.reconsiderAt() : Optional.empty();
        return Optional.of(reconsiderAt.filter(pull.deadline()::isAfter).orElse(pull.deadline()));
    }

    private Decision decide(Join pull, RevisionSnapshot known, Instant now, Map<Question, Decision> decided) {
        if (pull.wish().joining(config, known.statuses().keySet()).isPresent()) {
            return new Decision.KeepWaiting();
        }
        Question asked =
                new Question(known.platform(config, pull.wish()), pull.wish().wholeIndex());
        return decided.computeIfAbsent(asked, question -> {
            Decision decision = WaitPolicy.decide(
                    pull.wish().policy(config), question.platform(), known.statuses(), known.openedAt(), now);
            boolean outOfDate = question.platform().isEmpty()
                    && !known.complete()
                    && moreUntil.filter(now::isBefore).isPresent();
            return decision instanceof Decision.Answer && outOfDate ? new Decision.KeepWaiting(moreUntil) : decision;
        });
    }

    private Optional<Outcome> outcome(Join pull, Decision decision, Instant now) {
        if (decision instanceof Decision.Answer) {
            return Optional.of(new Outcome.Ready(snapshot.orElseThrow()));
        }
        if (decision instanceof Decision.GiveUp gaveUp) {
            return Optional.of(new Outcome.GaveUp(build(gaveUp.platform()), gaveUp.failure()));
        }
        if (now.isBefore(pull.deadline())) {
            return Optional.empty();
        }
        if (snapshot.isEmpty()) {
            return Optional.of(
                    new Outcome.TimedOut("fetching the source", Optional.empty(), false, false, Optional.empty()));
        }
        RevisionSnapshot known = snapshot.get();
        Platform platform = blamed(pull, known, now);
        Map<Platform, BuildTimes> times = usual.get();
        return Optional.of(new Outcome.TimedOut(
                ProgressLine.of(known.statuses(), platform, times, now),
                Optional.of(build(platform)),
                queueFull.contains(platform),
                known.index().isPresent(),
                Optional.ofNullable(known.statuses().get(platform))
                        .flatMap(status -> BuildEta.of(status, Optional.ofNullable(times.get(platform)), now))
                        .flatMap(BuildEta::left)));
    }

    /** What the final answer is about: of what the pull waits for, rather what has a place in the queue. */
    private Platform blamed(Join pull, RevisionSnapshot known, Instant now) {
        List<Platform> unsettled = WaitPolicy.unsettled(
                pull.wish().policy(config), known.platform(config, pull.wish()), known.statuses(), now);
        return unsettled.stream()
                .filter(platform -> !queueFull.contains(platform))
                .findFirst()
                .or(() -> unsettled.stream().findFirst())
                .orElseGet(() -> WaitPolicy.defaultPlatform(
                        config, List.copyOf(known.statuses().keySet())));
    }

    /** The platforms that some pull waits for. */
    Set<Platform> awaited(Instant now) {
        Set<Platform> awaited = new HashSet<>();
        snapshot.ifPresent(known -> {
            Set<Question> asked = new HashSet<>();
            for (Join pull : pulls) {
                Question question = new Question(
                        known.platform(config, pull.wish()), pull.wish().wholeIndex());
                if (asked.add(question)) {
                    awaited.addAll(WaitPolicy.unsettled(
                            pull.wish().policy(config), question.platform(), known.statuses(), now));
                }
            }
        });
        return awaited;
    }

    private BuildKey build(Platform platform) {
        return new BuildKey(key.repository(), key.revision().orElseThrow(), platform);
    }
}
