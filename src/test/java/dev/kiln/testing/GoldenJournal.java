package dev.kiln.testing;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorSystem;
import akka.serialization.SerializationExtension;
import akka.serialization.SerializerWithStringManifest;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Stream;

/**
 * The samples under {@code journal/}, as events are stored for ever: today's code reads each, and writes what it holds. A
 * sample is never changed; a new form of an event gets a new one.
 */
public final class GoldenJournal<E> {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final ActorSystem<?> system;
    private final Class<E> family;
    private final String directory;

    /**
     * @param system with the bindings under which {@code family} is stored
     * @param directory under {@code journal/}
     */
    public GoldenJournal(ActorSystem<?> system, Class<E> family, String directory) {
        this.system = system;
        this.family = family;
        this.directory = directory;
    }

    /** All kinds of events of a family; each must have a name. */
    public static Stream<JsonSubTypes.Type> types(Class<?> family) {
        List<JsonSubTypes.Type> named =
                List.of(family.getAnnotation(JsonSubTypes.class).value());
        assertThat(named.stream().map(JsonSubTypes.Type::value))
                .as("every event has a name")
                .containsExactlyInAnyOrder(family.getPermittedSubclasses());
        return named.stream();
    }

    /** @param today events, among them one of {@code type}, which is what the sample says */
    public void keepsItsForm(List<? extends E> today, JsonSubTypes.Type type) throws IOException {
        E event = today.stream()
                .filter(type.value()::isInstance)
                .findFirst()
                .orElseThrow(() -> new AssertionError("add a " + type.name() + " to the events of this test"));
        keepsItsForm(event, type.name() + ".v1");
    }

    /** @param sampleName its name without the ending */
    public void keepsItsForm(E event, String sampleName) throws IOException {
        byte[] written = write(event);
        byte[] sample;
        String name = "/journal/" + directory + "/" + sampleName + ".json";
        try (InputStream in = GoldenJournal.class.getResourceAsStream(name)) {
            assertThat(in)
                    .as("the sample " + name + ", for " + new String(written, StandardCharsets.UTF_8))
                    .isNotNull();
            sample = in.readAllBytes();
        }

        assertThat(read(sample)).isEqualTo(event);
        assertThat(read(JSON.writeValueAsBytes(LaterVersion.of(JSON.readTree(sample), event.getClass()))))
                .as("what a later version adds is passed over")
                .isEqualTo(event);
        assertHolds(JSON.readTree(written), JSON.readTree(sample), sampleName);
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

    public byte[] write(E event) throws IOException {
        SerializerWithStringManifest serializer = (SerializerWithStringManifest)
                SerializationExtension.get(system).serializerFor(event.getClass());
        assertThat(serializer.manifest(event)).as("no class name is stored").isEmpty();
        return serializer.toBinary(event);
    }

    public E read(byte[] stored) throws IOException {
        SerializerWithStringManifest serializer = (SerializerWithStringManifest)
                SerializationExtension.get(system).serializerFor(family);
        return family.cast(serializer.fromBinary(stored, ""));
    }
}
