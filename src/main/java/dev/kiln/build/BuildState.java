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

/**
 * One build, and every decision about it; without Akka, clock or disk. {@code decide…} methods say which events a command
 * leads to and what to answer, {@link #apply} is the only thing that changes the state. The life cycle is the table in
 * {@code docs/architecture.md}.
 *
 * @param request number of the last request; 0 before the first
 * @param attempt number of the last attempt, over all requests; 0 before the first
 * @param fence the highest fence an attempt was started under
 * @param failures attempts of this request that failed by infrastructure
 * @param lost attempts that were lost in a row
 * @param discarded the highest fence of which a late result was recorded
 */
public record BuildState(
        int request,
        int attempt,
        long fence,
        int failures,
        int lost,
        long discarded,
        Optional<BuildEvent.Requested> requested,
        Stage stage) {

    static final int MAX_LOST_IN_A_ROW = 10;
    private static final int MAX_MESSAGE = 500;

    public static final BuildState EMPTY = new BuildState(0, 0, 0, 0, 0, 0, Optional.empty(), new Stage.New());

    /** Where a build stands. */
    public sealed interface Stage {
        record New() implements Stage {}

        /** In the queue. */
        record Queued(Optional<Instant> notBefore) implements Stage {}

        record Running(String worker, Instant startedAt) implements Stage {}

        record Built(Descriptor manifest, Instant startedAt, Instant at) implements Stage {}

        record Failed(BuildFailure failure) implements Stage {}
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

        record Failed(FailureClass failureClass, String message) implements Result {}

        record HandedBack(String reason) implements Result {}
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
    Decision<StartAnswer> decideStart(BuildEvent.Requested granted, long fence, String worker, Instant now) {
        int r = granted.request();
        if (r < request || stage instanceof Stage.Built || (r == request && hasEnded())) {
            return new Decision<>(List.of(), new StartAnswer.Drop());
        }
        if (r == request && stage instanceof Stage.Running && fence == this.fence) {
            return new Decision<>(List.of(), new StartAnswer.Start(attempt));
        }
        if (fence <= this.fence) {
            return new Decision<>(List.of(), new StartAnswer.Superseded());
        }
        List<BuildEvent> events = new ArrayList<>();
        BuildState after = this;
        if (r > request) {
            // The crash came between the queue's Enqueued and this build's Requested: the entry carries what is needed.
            after = after.with(events, granted);
        } else if (stage instanceof Stage.Running) {
            after = after.with(events, lose(this.fence, false, "another lease took its place", now));
            if (after.lost >= MAX_LOST_IN_A_ROW) {
                after.with(events, tooManyLost(now));
                return new Decision<>(events, new StartAnswer.Drop());
            }
        } else if (stage instanceof Stage.Queued queued
                && queued.notBefore().isPresent()
                && now.isBefore(queued.notBefore().get())) {
            return new Decision<>(
                    events, new StartAnswer.NotBefore(queued.notBefore().get()));
        }
        int next = after.attempt + 1;
        events.add(new BuildEvent.AttemptStarted(next, r, fence, worker, now));
        return new Decision<>(events, new StartAnswer.Start(next));
    }

    /** An attempt reports its end. The answer: whether the report was of the current attempt. */
    Decision<Boolean> decideFinished(int attempt, long fence, Result result, BuildTerms terms, Instant now) {
        if (!isCurrent(attempt, fence)) {
            boolean alreadyRecorded = fence <= discarded || (attempt == this.attempt && fence == this.fence);
            return new Decision<>(
                    alreadyRecorded
                            ? List.of()
                            : List.of(new BuildEvent.ResultDiscarded(attempt, fence, describe(result), now)),
                    false);
        }
        List<BuildEvent> events = new ArrayList<>();
        if (result instanceof Result.Succeeded succeeded) {
            events.add(new BuildEvent.Built(attempt, fence, succeeded.manifest(), now));
        } else if (result instanceof Result.HandedBack back) {
            events.add(lose(fence, true, back.reason(), now));
        } else if (result instanceof Result.Failed failed) {
            String message = bounded(failed.message());
            boolean infrastructure = failed.failureClass() == FailureClass.INFRASTRUCTURE;
            int failuresNow = failures + 1;
            if (infrastructure && failuresNow < terms.attempts()) {
                Instant retryAt = now.plus(terms.backoffAfter(failuresNow));
                events.add(new BuildEvent.AttemptFailed(
                        attempt, fence, failed.failureClass(), message, Optional.of(retryAt), now));
            } else {
                Instant until = infrastructure
                        ? now.plus(terms.backoffAfter(failuresNow).multipliedBy(2))
                        : now.plus(terms.failureMemory());
                events.add(new BuildEvent.AttemptFailed(
                        attempt, fence, failed.failureClass(), message, Optional.empty(), now));
                events.add(new BuildEvent.Failed(request, failed.failureClass(), message, Optional.of(until), now));
            }
        }
        return new Decision<>(events, true);
    }

    /** The queue took the lease away. */
    List<BuildEvent> decideLost(long fence, String reason, Instant now) {
        if (!(stage instanceof Stage.Running) || fence != this.fence) {
            return List.of();
        }
        List<BuildEvent> events = new ArrayList<>();
        BuildState after = with(events, lose(fence, false, reason, now));
        if (after.lost >= MAX_LOST_IN_A_ROW) {
            after.with(events, tooManyLost(now));
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

    public BuildState apply(BuildEvent event) {
        if (event instanceof BuildEvent.Requested e) {
            return new BuildState(
                    e.request(), attempt, fence, 0, 0, discarded, Optional.of(e), new Stage.Queued(Optional.empty()));
        }
        if (event instanceof BuildEvent.AttemptStarted e) {
            return new BuildState(
                    request,
                    e.attempt(),
                    e.fence(),
                    failures,
                    lost,
                    discarded,
                    requested,
                    new Stage.Running(e.worker(), e.at()));
        }
        if (event instanceof BuildEvent.AttemptFailed e) {
            return new BuildState(
                    request, attempt, fence, failures + 1, 0, discarded, requested, new Stage.Queued(e.retryAt()));
        }
        if (event instanceof BuildEvent.AttemptLost e) {
            return new BuildState(
                    request,
                    attempt,
                    fence,
                    failures,
                    e.handedBack() ? lost : lost + 1,
                    discarded,
                    requested,
                    new Stage.Queued(Optional.empty()));
        }
        if (event instanceof BuildEvent.Built e) {
            Instant startedAt = stage instanceof Stage.Running running ? running.startedAt() : e.at();
            return at(new Stage.Built(e.manifest(), startedAt, e.at()));
        }
        if (event instanceof BuildEvent.Failed e) {
            return at(new Stage.Failed(new BuildFailure(e.failureClass(), e.message(), e.at(), e.until())));
        }
        if (event instanceof BuildEvent.ResultDiscarded e) {
            return new BuildState(
                    request, attempt, fence, failures, lost, Math.max(discarded, e.fence()), requested, stage);
        }
        throw new IllegalStateException("every event is one of the above");
    }

    /** What those who wait or look are shown. */
    public BuildStatus status(BuildKey key) {
        BuildStatus.Phase phase = BuildStatus.Phase.NEW;
        Optional<Instant> startedAt = Optional.empty();
        Optional<Instant> endedAt = Optional.empty();
        Optional<Instant> notBefore = Optional.empty();
        Optional<Descriptor> manifest = Optional.empty();
        Optional<BuildFailure> failure = Optional.empty();
        if (stage instanceof Stage.Queued queued) {
            phase = BuildStatus.Phase.QUEUED;
            notBefore = queued.notBefore();
        } else if (stage instanceof Stage.Running running) {
            phase = BuildStatus.Phase.RUNNING;
            startedAt = Optional.of(running.startedAt());
        } else if (stage instanceof Stage.Built built) {
            phase = BuildStatus.Phase.BUILT;
            startedAt = Optional.of(built.startedAt());
            endedAt = Optional.of(built.at());
            manifest = Optional.of(built.manifest());
        } else if (stage instanceof Stage.Failed failed) {
            phase = BuildStatus.Phase.FAILED;
            endedAt = Optional.of(failed.failure().at());
            failure = Optional.of(failed.failure());
        }
        return new BuildStatus(
                key,
                phase,
                request,
                attempt,
                requested.map(BuildEvent.Requested::at),
                startedAt,
                endedAt,
                notBefore,
                manifest,
                failure);
    }

    private BuildState at(Stage next) {
        return new BuildState(request, attempt, fence, failures, lost, discarded, requested, next);
    }

    private BuildState with(List<BuildEvent> events, BuildEvent event) {
        events.add(event);
        return apply(event);
    }

    private BuildEvent.AttemptLost lose(long fence, boolean handedBack, String reason, Instant now) {
        return new BuildEvent.AttemptLost(attempt, fence, handedBack, bounded(reason), now);
    }

    private BuildEvent.Failed tooManyLost(Instant now) {
        return new BuildEvent.Failed(
                request,
                FailureClass.INFRASTRUCTURE,
                MAX_LOST_IN_A_ROW + " workers in a row were lost while building it",
                Optional.empty(),
                now);
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

    private static String bounded(String message) {
        String line = message.replaceAll("\\p{Cntrl}+", " ").strip();
        return line.length() <= MAX_MESSAGE ? line : line.substring(0, MAX_MESSAGE);
    }
}
