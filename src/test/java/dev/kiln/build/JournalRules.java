package dev.kiln.build;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What holds of every build's journal, however it came about. */
public final class JournalRules {
    private JournalRules() {}

    public static void check(List<BuildEvent> journal) {
        int request = 0;
        int attempt = 0;
        long fence = 0;
        int lost = 0;
        boolean built = false;
        boolean ended = true;
        Optional<FailureClass> failure = Optional.empty();
        boolean running = false;
        Set<Long> ends = new HashSet<>();
        for (BuildEvent event : journal) {
            assertThat(built && !(event instanceof BuildEvent.ResultDiscarded))
                    .as("nothing happens after Built but late results: %s", event)
                    .isFalse();
            if (event instanceof BuildEvent.Requested e) {
                assertThat(e.request()).as("requests are numbered without gaps").isEqualTo(++request);
                assertThat(ended).as("one request at a time").isTrue();
                ended = false;
                lost = 0;
            } else if (event instanceof BuildEvent.AttemptStarted e) {
                assertThat(e.attempt()).as("attempts are numbered without gaps").isEqualTo(++attempt);
                assertThat(running).as("one attempt at a time").isFalse();
                assertThat(e.fence()).as("fences grow").isGreaterThan(fence);
                assertThat(e.request()).isEqualTo(request);
                assertThat(ended).as("no attempt without a request").isFalse();
                fence = e.fence();
                running = true;
            } else if (event instanceof BuildEvent.AttemptFailed e) {
                current(running, e.attempt(), attempt, e.fence(), fence);
                running = false;
                lost = 0;
                assertThat(ends.add(e.fence())).isTrue();
            } else if (event instanceof BuildEvent.AttemptLost e) {
                current(running, e.attempt(), attempt, e.fence(), fence);
                running = false;
                lost += e.handedBack() ? 0 : 1;
                assertThat(lost).as("lost in a row").isLessThanOrEqualTo(BuildState.MAX_LOST_IN_A_ROW);
            } else if (event instanceof BuildEvent.Built e) {
                current(running, e.attempt(), attempt, e.fence(), fence);
                running = false;
                built = true;
                ended = true;
            } else if (event instanceof BuildEvent.Failed e) {
                assertThat(ended).as("a request ends once").isFalse();
                assertThat(e.request()).isEqualTo(request);
                running = false;
                ended = true;
                failure = Optional.of(e.failureClass());
            } else if (event instanceof BuildEvent.ResultDiscarded e) {
                assertThat(ends.add(e.fence()))
                        .as("a late result is recorded once, and never one that counted")
                        .isTrue();
            }
            if (lost == BuildState.MAX_LOST_IN_A_ROW && ended) {
                assertThat(failure).contains(FailureClass.INFRASTRUCTURE);
            }
        }
    }

    private static void current(boolean running, int attempt, int currentAttempt, long fence, long currentFence) {
        assertThat(running).as("only a running attempt ends").isTrue();
        assertThat(attempt).isEqualTo(currentAttempt);
        assertThat(fence).isEqualTo(currentFence);
    }
}
