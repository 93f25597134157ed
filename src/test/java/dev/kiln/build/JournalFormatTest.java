package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.KEY;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonSubTypes;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.GoldenJournal;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Events as the journal holds them, for ever: every sample under {@code journal/} is read by today's code, and today's
 * code writes what the sample holds. A sample is never changed; a new form of an event gets a new one.
 */
class JournalFormatTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(Samples.serialization());

    /** One of each, in an order in which they can happen to a build. */
    static final List<BuildEvent> BUILD = List.of(
            new BuildEvent.Requested(1, CAUSE, INPUT, NOW),
            new BuildEvent.AttemptStarted(1, 1, 7, "node-1", NOW),
            new BuildEvent.AttemptLost(1, 7, false, "nothing was heard of the worker node-1 in time", NOW),
            new BuildEvent.ResultDiscarded(1, 7, "a result, " + MANIFEST.digest(), NOW),
            new BuildEvent.AttemptStarted(2, 1, 8, "node-2", NOW),
            new BuildEvent.AttemptFailed(
                    2, 8, FailureClass.INFRASTRUCTURE, "exit 75", Optional.of(NOW.plusSeconds(5)), NOW),
            new BuildEvent.Failed(1, FailureClass.CANCELLED, "cancelled by ann", Optional.empty(), NOW),
            new BuildEvent.Requested(2, CAUSE, INPUT, NOW),
            new BuildEvent.AttemptStarted(3, 2, 9, "node-2", NOW),
            new BuildEvent.Built(3, 9, MANIFEST, NOW));

    static final List<QueueEvent> QUEUE = List.of(
            new QueueEvent.Enqueued(KEY, 1, CAUSE, INPUT, NOW, Optional.empty()),
            new QueueEvent.Granted(KEY, 1, 7, "node-1", "b3c1", NOW),
            new QueueEvent.Returned(KEY, 7, "its attempt ended", Optional.of(NOW.plusSeconds(5)), NOW),
            new QueueEvent.Removed(KEY, 1, NOW),
            new QueueEvent.Drained("node-1", "ann", NOW),
            new QueueEvent.Undrained("node-1", "ann", NOW));

    static Stream<JsonSubTypes.Type> buildEvents() {
        return GoldenJournal.types(BuildEvent.class);
    }

    static Stream<JsonSubTypes.Type> queueEvents() {
        return GoldenJournal.types(QueueEvent.class);
    }

    @ParameterizedTest
    @MethodSource("buildEvents")
    void buildEventsKeepTheirForm(JsonSubTypes.Type type) throws IOException {
        journal(BuildEvent.class, "build").keepsItsForm(BUILD, type);
    }

    @ParameterizedTest
    @MethodSource("queueEvents")
    void queueEventsKeepTheirForm(JsonSubTypes.Type type) throws IOException {
        journal(QueueEvent.class, "queue").keepsItsForm(QUEUE, type);
    }

    @Test
    void storedEventsAreApplied() throws IOException {
        GoldenJournal<BuildEvent> builds = journal(BuildEvent.class, "build");
        GoldenJournal<QueueEvent> queues = journal(QueueEvent.class, "queue");
        BuildState build = BuildState.EMPTY;
        for (BuildEvent event : BUILD) {
            build = build.apply(builds.read(builds.write(event)));
        }
        assertThat(build.status(KEY).manifest()).contains(MANIFEST);
        QueueState queue = QueueState.EMPTY;
        for (QueueEvent event : QUEUE) {
            queue = queue.apply(queues.read(queues.write(event)));
        }
        assertThat(queue).isEqualTo(QueueState.stored(7, List.of(), Map.of(), Set.of()));
    }

    private static <E> GoldenJournal<E> journal(Class<E> family, String directory) {
        return new GoldenJournal<>(ACTORS.system(), family, directory);
    }
}
