package dev.kiln.build;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Wire;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * One build, and every decision about it; without Akka, clock or disk. {@code decide…} methods say which events a command
 * leads to and what to answer, {@link #apply} is the only thing that changes the state. The life cycle is the table in
 * {@link BuildLifeCycle}.
 *
 * @param request number of the last request; 0 before the first
 * @param attempt number of the last attempt, over all requests; 0 before the first
 * @param fence the highest fence an attempt was started under
 * @param failures attempts of this request that failed by infrastructure
 * @param lost attempts that were lost in a row
 * @param unheard fences of attempts that ended without their worker's own word, which may still come late; the newest
 *     {@value #MAX_UNHEARD}
 */
public record BuildState(
        int request,
        int attempt,
        long fence,
        int failures,
        int lost,
        List<Long> unheard,
        Optional<BuildEvent.Requested> requested,
        Stage stage) {

    static final int MAX_LOST_IN_A_ROW = 10;
    static final int MAX_UNHEARD = 20;
    private static final int MAX_MESSAGE = 500;
    private static final Pattern UNPRINTABLE = Pattern.compile("[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]+");

    public static final BuildState EMPTY = new BuildState(0, 0, 0, 0, 0, List.of(), Optional.empty(), new Stage.New());

    public BuildState {
        unheard = List.copyOf(unheard);
    }

    /** Where a build stands. */
    public sealed interface Stage {
        BuildStatus.Phase phase();

        record New() implements Stage {
            @Override
            public BuildStatus.Phase phase() {
                return BuildStatus.Phase.NEW;
            }
        }

        /** In the queue. */
        record Queued(Optional<Instant> notBefore) implements Stage {
            @Override
            public BuildStatus.Phase phase() {
                return BuildStatus.Phase.QUEUED;
            }
        }

        record Running(String worker, Instant startedAt) implements Stage {
            @Override
            public BuildStatus.Phase phase() {
                return BuildStatus.Phase.RUNNING;
            }
        }

        record Built(Descriptor manifest, Instant startedAt, Instant at) implements Stage {
            @Override
            public BuildStatus.Phase phase() {
                return BuildStatus.Phase.BUILT;
            }
        }

        record Failed(BuildFailure failure) implements Stage {
            @Override
            public BuildStatus.Phase phase() {
                return BuildStatus.Phase.FAILED;
            }
        }
    }

    /** What a worker that holds a lease is told. */
    public sealed interface StartAnswer extends Wire {
        /** Run it as attempt {@code attempt}. */
        record Start(int attempt) implements StartAnswer {}

        /** Give the lease back; the next may be granted at {@code time}. */
        record NotBefore(Instant time) implements StartAnswer {}

        /** This request has ended: the entry can leave the queue. */
        record Drop() implements StartAnswer {}

        /** This lease is not the newest one; give it back. */
        record Superseded() implements StartAnswer {}
    }

    /** The end of an attempt, in the worker's words. */
    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "t")
    @JsonSubTypes({
        @JsonSubTypes.Type(value = Result.Succeeded.class, name = "succeeded"),
        @JsonSubTypes.Type(value = Result.Failed.class, name = "failed"),
        @JsonSubTypes.Type(value = Result.HandedBack.class, name = "handed-back")
    })
    public sealed interface Result {
        record Succeeded(Descriptor manifest) implements Result {}

        /** @param message what a stranger's output may have said: bounded before it travels, not only before it is stored */
        record Failed(FailureClass failureClass, String message) implements Result {
            public Failed {
                message = bounded(message);
            }
        }

        record HandedBack(String reason) implements Result {
            public HandedBack {
                reason = bounded(reason);
            }
        }
    }

    /** What follows from a command: events to persist, in order, and an answer. */
    public record Decision<A>(List<BuildEvent> events, A answer) {
        public Decision {
            events = List.copyOf(events);
        }
    }

    /** Whether a request now would lead to a new one, rather than join or be told the end of the last one. */
    public boolean wantsRequest(Instant now) {
        return stage instanceof Stage.New
                || (stage instanceof Stage.Failed failed
                        && failed.failure()
                                .until()
                                .map(until -> !now.isBefore(until))
                                .orElse(false));
    }

    /** A worker holds lease {@code fence} on request {@code granted}. */
    Decision<StartAnswer> decideStart(
            BuildEvent.Requested granted, long fence, String worker, BuildTerms terms, Instant now) {
        int r = granted.request();
        if (r < request || stage instanceof Stage.Built || (r == request && hasEnded())) {
            return new Decision<>(List.of(), new StartAnswer.Drop());
        }
        if (stage instanceof Stage.Running && fence == this.fence) {
            return new Decision<>(List.of(), new StartAnswer.Start(attempt));
        }
        if (fence <= this.fence) {
            return new Decision<>(List.of(), new StartAnswer.Superseded());
        }
        List<BuildEvent> events = new ArrayList<>();
        BuildState after = this;
        if (stage instanceof Stage.Queued queued) {
            Optional<Instant> later = queued.notBefore().filter(now::isBefore);
            if (later.isPresent()) {
                return new Decision<>(List.of(), new StartAnswer.NotBefore(later.get()));
            }
        } else if (stage instanceof Stage.Running) {
            after = after.lose(events, "another lease took its place", terms, now);
            if (after.hasEnded()) {
                return new Decision<>(events, new StartAnswer.Drop());
            }
        } else {
            // The crash came between the queue's Enqueued and this build's Requested: the entry carries what is needed.
            after = after.with(events, granted);
        }
        int next = after.attempt + 1;
        after.with(events, new BuildEvent.AttemptStarted(next, after.request, fence, worker, now));
        return new Decision<>(events, new StartAnswer.Start(next));
    }

    /** An attempt reports its end. The answer: whether the report counts, now or when it came first. */
    Decision<Boolean> decideFinished(int attempt, long fence, Result result, BuildTerms terms, Instant now) {
        if (!isCurrent(attempt, fence)) {
            boolean late = unheard.contains(fence);
            boolean counted = stage instanceof Stage.Built || !(result instanceof Result.Succeeded);
            boolean repeated = attempt == this.attempt && fence == this.fence && !late && counted;
            List<BuildEvent> events =
                    late ? List.of(new BuildEvent.ResultDiscarded(attempt, fence, describe(result), now)) : List.of();
            return new Decision<>(events, repeated);
        }
        List<BuildEvent> events = new ArrayList<>();
        if (result instanceof Result.Succeeded succeeded) {
            events.add(new BuildEvent.Built(attempt, fence, succeeded.manifest(), now));
        } else if (result instanceof Result.HandedBack back) {
            events.add(new BuildEvent.AttemptLost(attempt, fence, true, back.reason(), now));
        } else if (result instanceof Result.Failed failed) {
            String message = failed.message();
            boolean infrastructure = failed.failureClass() == FailureClass.INFRASTRUCTURE;
            int failuresNow = failures + 1;
            if (infrastructure && failuresNow < terms.attempts()) {
                Instant retryAt = now.plus(terms.backoffAfter(failuresNow));
                events.add(new BuildEvent.AttemptFailed(
                        attempt, fence, failed.failureClass(), message, Optional.of(retryAt), now));
            } else {
                Instant until =
                        infrastructure ? terms.forgottenAfter(failuresNow, now) : now.plus(terms.failureMemory());
                events.add(new BuildEvent.AttemptFailed(
                        attempt, fence, failed.failureClass(), message, Optional.empty(), now));
                events.add(new BuildEvent.Failed(request, failed.failureClass(), message, Optional.of(until), now));
            }
        }
        return new Decision<>(events, true);
    }

    /** The queue took the lease away. */
    List<BuildEvent> decideLost(long fence, String reason, BuildTerms terms, Instant now) {
        List<BuildEvent> events = new ArrayList<>();
        if (stage instanceof Stage.Running && fence == this.fence) {
            lose(events, reason, terms, now);
        }
        return events;
    }

    /** An operator ends it; no events when there is nothing to end. */
    List<BuildEvent> decideCancel(String by, Instant now) {
        return stage instanceof Stage.Queued || stage instanceof Stage.Running
                ? List.of(new BuildEvent.Failed(
                        request, FailureClass.CANCELLED, bounded("cancelled by " + by), Optional.empty(), now))
                : List.of();
    }

    /** Whether this attempt is the one that may run now. */
    boolean isCurrent(int attempt, long fence) {
        return stage instanceof Stage.Running && attempt == this.attempt && fence == this.fence;
    }

    /** Whether the last request has its end. */
    boolean hasEnded() {
        return stage instanceof Stage.Built || stage instanceof Stage.Failed;
    }

    /** @throws IllegalStateException when {@link BuildLifeCycle} has no such step from here */
    public BuildState apply(BuildEvent event) {
        BuildState after = after(event);
        BuildLifeCycle.check(phase(), event, after.phase());
        return after;
    }

    private BuildState after(BuildEvent event) {
        if (event instanceof BuildEvent.Requested e) {
            return new BuildState(
                    e.request(), attempt, fence, 0, 0, unheard, Optional.of(e), new Stage.Queued(Optional.empty()));
        }
        if (event instanceof BuildEvent.AttemptStarted e) {
            Stage running = new Stage.Running(e.worker(), e.at());
            return new BuildState(request, e.attempt(), e.fence(), failures, lost, unheard, requested, running);
        }
        if (event instanceof BuildEvent.AttemptFailed e) {
            Stage queued = new Stage.Queued(e.retryAt());
            return new BuildState(request, attempt, fence, failures + 1, 0, unheard, requested, queued);
        }
        if (event instanceof BuildEvent.AttemptLost e) {
            Stage queued = new Stage.Queued(Optional.empty());
            return e.handedBack()
                    ? at(queued, unheard)
                    : new BuildState(request, attempt, fence, failures, lost + 1, withUnheard(), requested, queued);
        }
        if (event instanceof BuildEvent.Built e) {
            Instant startedAt = stage instanceof Stage.Running running ? running.startedAt() : e.at();
            return at(new Stage.Built(e.manifest(), startedAt, e.at()), unheard);
        }
        if (event instanceof BuildEvent.Failed e) {
            Stage failed = new Stage.Failed(new BuildFailure(e.failureClass(), e.message(), e.at(), e.until()));
            return at(failed, stage instanceof Stage.Running ? withUnheard() : unheard);
        }
        if (event instanceof BuildEvent.ResultDiscarded e) {
            return at(
                    stage, unheard.stream().filter(other -> other != e.fence()).toList());
        }
        throw new IllegalStateException("every event is one of the above");
    }

    public BuildStatus.Phase phase() {
        return stage.phase();
    }

    /** What those who wait or look are shown. */
    public BuildStatus status(BuildKey key) {
        Optional<Instant> startedAt = Optional.empty();
        Optional<Instant> endedAt = Optional.empty();
        Optional<Instant> notBefore = Optional.empty();
        Optional<Descriptor> manifest = Optional.empty();
        Optional<BuildFailure> failure = Optional.empty();
        if (stage instanceof Stage.Queued queued) {
            notBefore = queued.notBefore();
        } else if (stage instanceof Stage.Running running) {
            startedAt = Optional.of(running.startedAt());
        } else if (stage instanceof Stage.Built built) {
            startedAt = Optional.of(built.startedAt());
            endedAt = Optional.of(built.at());
            manifest = Optional.of(built.manifest());
        } else if (stage instanceof Stage.Failed failed) {
            endedAt = Optional.of(failed.failure().at());
            failure = Optional.of(failed.failure());
        }
        return new BuildStatus(
                key,
                phase(),
                request,
                attempt,
                requested.map(BuildEvent.Requested::at),
                startedAt,
                endedAt,
                notBefore,
                manifest,
                failure);
    }

    private BuildState at(Stage next, List<Long> nextUnheard) {
        return new BuildState(request, attempt, fence, failures, lost, nextUnheard, requested, next);
    }

    private List<Long> withUnheard() {
        return Stream.concat(unheard.stream().skip(Math.max(0, unheard.size() - MAX_UNHEARD + 1)), Stream.of(fence))
                .toList();
    }

    private BuildState with(List<BuildEvent> events, BuildEvent event) {
        events.add(event);
        return apply(event);
    }

    /** Adds the loss of the running attempt, and the end of the request when it was one too many. */
    private BuildState lose(List<BuildEvent> events, String reason, BuildTerms terms, Instant now) {
        BuildState after = with(events, new BuildEvent.AttemptLost(attempt, fence, false, bounded(reason), now));
        return after.lost < MAX_LOST_IN_A_ROW
                ? after
                : after.with(
                        events,
                        new BuildEvent.Failed(
                                request,
                                FailureClass.INFRASTRUCTURE,
                                MAX_LOST_IN_A_ROW + " workers in a row were lost while building it",
                                Optional.of(terms.forgottenAfter(terms.attempts(), now)),
                                now));
    }

    private static String describe(Result result) {
        if (result instanceof Result.Succeeded succeeded) {
            return "a result, " + succeeded.manifest().digest();
        }
        if (result instanceof Result.Failed failed) {
            return bounded("a failure, " + failed.failureClass() + ": " + failed.message());
        }
        return "handed back";
    }

    /** One line of valid text: half a surrogate pair would make the event impossible to store, again and again. */
    private static String bounded(String message) {
        String line = UNPRINTABLE.matcher(message).replaceAll(" ").strip();
        if (line.length() <= MAX_MESSAGE) {
            return line;
        }
        return line.substring(
                0, Character.isHighSurrogate(line.charAt(MAX_MESSAGE - 1)) ? MAX_MESSAGE - 1 : MAX_MESSAGE);
    }
}
