package dev.kiln.build;

import static dev.kiln.build.BuildStatus.Phase.BUILT;
import static dev.kiln.build.BuildStatus.Phase.FAILED;
import static dev.kiln.build.BuildStatus.Phase.NEW;
import static dev.kiln.build.BuildStatus.Phase.QUEUED;
import static dev.kiln.build.BuildStatus.Phase.RUNNING;

import dev.kiln.build.BuildStatus.Phase;
import java.util.List;

/**
 * The life of a build: which event leads from which phase to which. Nothing else ever happens to a build. The diagram in
 * {@code docs/build-life-cycle.md} is drawn from this table by its test.
 */
final class BuildLifeCycle {
    record Transition(Phase from, Class<? extends BuildEvent> event, Phase to) {}

    static final List<Transition> TRANSITIONS = List.of(
            new Transition(NEW, BuildEvent.Requested.class, QUEUED),
            new Transition(FAILED, BuildEvent.Requested.class, QUEUED),
            new Transition(QUEUED, BuildEvent.AttemptStarted.class, RUNNING),
            new Transition(RUNNING, BuildEvent.Built.class, BUILT),
            new Transition(RUNNING, BuildEvent.AttemptFailed.class, QUEUED),
            new Transition(RUNNING, BuildEvent.AttemptLost.class, QUEUED),
            // Cancelled, or the attempt before was the last one.
            new Transition(QUEUED, BuildEvent.Failed.class, FAILED),
            // Cancelled.
            new Transition(RUNNING, BuildEvent.Failed.class, FAILED),
            new Transition(QUEUED, BuildEvent.ResultDiscarded.class, QUEUED),
            new Transition(RUNNING, BuildEvent.ResultDiscarded.class, RUNNING),
            new Transition(BUILT, BuildEvent.ResultDiscarded.class, BUILT),
            new Transition(FAILED, BuildEvent.ResultDiscarded.class, FAILED));

    private BuildLifeCycle() {}

    /** @throws IllegalStateException when the life cycle has no such step, so that it is never persisted */
    static void check(Phase from, BuildEvent event, Phase to) {
        if (!TRANSITIONS.contains(new Transition(from, event.getClass(), to))) {
            throw new IllegalStateException("no build goes from " + from + " to " + to + " by "
                    + event.getClass().getSimpleName());
        }
    }
}
