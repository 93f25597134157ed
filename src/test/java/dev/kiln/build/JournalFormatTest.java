package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.KEY;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static org.assertj.core.api.Assertions.assertThat;

import akka.serialization.Serialization;
import akka.serialization.SerializationExtension;
import akka.serialization.SerializerWithStringManifest;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.ActorSystemExtension;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
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
    private static final ObjectMapper JSON = new ObjectMapper();

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
            new QueueEvent.Enqueued(KEY, 1, CAUSE, INPUT, NOW),
            new QueueEvent.Granted(KEY, 1, 7, "node-1", "b3c1", NOW),
            new QueueEvent.Returned(KEY, 7, "its attempt ended", Optional.of(NOW.plusSeconds(5)), NOW),
            new QueueEvent.Removed(KEY, 1, NOW));

    static Stream<JsonSubTypes.Type> buildEvents() {
        return types(BuildEvent.class);
    }

    static Stream<JsonSubTypes.Type> queueEvents() {
        return types(QueueEvent.class);
    }

    private static Stream<JsonSubTypes.Type> types(Class<?> family) {
        List<JsonSubTypes.Type> named =
                List.of(family.getAnnotation(JsonSubTypes.class).value());
        assertThat(named.stream().map(JsonSubTypes.Type::value))
                .as("every event has a name")
                .containsExactlyInAnyOrder(family.getPermittedSubclasses());
        return named.stream();
    }

    @ParameterizedTest
    @MethodSource("buildEvents")
    void buildEventsKeepTheirForm(JsonSubTypes.Type type) throws IOException {
        keepsItsForm(BuildEvent.class, BUILD, "build", type);
    }

    @ParameterizedTest
    @MethodSource("queueEvents")
    void queueEventsKeepTheirForm(JsonSubTypes.Type type) throws IOException {
        keepsItsForm(QueueEvent.class, QUEUE, "queue", type);
    }

    @Test
    void storedEventsAreApplied() throws IOException {
        BuildState build = BuildState.EMPTY;
        for (BuildEvent event : BUILD) {
            build = build.apply(read(BuildEvent.class, write(event)));
        }
        assertThat(build.status(KEY).manifest()).contains(MANIFEST);
        QueueState queue = QueueState.EMPTY;
        for (QueueEvent event : QUEUE) {
            queue = queue.apply(read(QueueEvent.class, write(event)));
        }
        assertThat(queue).isEqualTo(new QueueState(7, List.of()));
    }

    private static <E> void keepsItsForm(
            Class<E> family, List<? extends E> today, String directory, JsonSubTypes.Type type) throws IOException {
        E event = today.stream()
                .filter(type.value()::isInstance)
                .findFirst()
                .orElseThrow(() -> new AssertionError("add a " + type.name() + " to the events of this test"));
        byte[] written = write(event);
        byte[] sample;
        String name = "/journal/" + directory + "/" + type.name() + ".v1.json";
        try (InputStream in = JournalFormatTest.class.getResourceAsStream(name)) {
            assertThat(in)
                    .as("the sample " + name + ", for " + new String(written, StandardCharsets.UTF_8))
                    .isNotNull();
            sample = in.readAllBytes();
        }

        assertThat(read(family, sample)).isEqualTo(event);
        assertHolds(JSON.readTree(written), JSON.readTree(sample), type.name());
    }

    /** {@code today} may say more than the sample, never less and nothing else. */
    private static void assertHolds(JsonNode today, JsonNode sample, String where) {
        if (!sample.isObject()) {
            assertThat(today).as(where).isEqualTo(sample);
            return;
        }
        for (Iterator<String> names = sample.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            assertThat(today.has(name)).as(where + "." + name).isTrue();
            assertHolds(today.get(name), sample.get(name), where + "." + name);
        }
    }

    private static byte[] write(Object event) throws IOException {
        Serialization serialization = SerializationExtension.get(ACTORS.system());
        SerializerWithStringManifest serializer =
                (SerializerWithStringManifest) serialization.serializerFor(event.getClass());
        assertThat(serializer.manifest(event)).as("no class name is stored").isEmpty();
        return serializer.toBinary(event);
    }

    private static <E> E read(Class<E> family, byte[] stored) throws IOException {
        Serialization serialization = SerializationExtension.get(ACTORS.system());
        SerializerWithStringManifest serializer = (SerializerWithStringManifest) serialization.serializerFor(family);
        return family.cast(serializer.fromBinary(stored, ""));
    }
}
