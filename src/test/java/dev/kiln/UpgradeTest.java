package dev.kiln;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
import akka.serialization.Serialization;
import akka.serialization.SerializationExtension;
import akka.serialization.SerializerWithStringManifest;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.oci.Wire;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.LaterVersion;
import dev.kiln.testing.Specimens;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.net.URI;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Nodes of two versions in one cluster, while it is upgraded: every message is read when it says more than this version
 * knows, and when it leaves out what may be missing.
 */
class UpgradeTest {
    private static final CBORMapper CBOR = new CBORMapper();

    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(serialization());

    private static Config serialization() {
        Config server = ConfigFactory.parseResources("kiln-akka.conf");
        return Stream.of("actor.serializers", "actor.serialization-identifiers", "actor.serialization-bindings")
                .map(path -> server.withOnlyPath("akka." + path))
                .reduce(server.withOnlyPath("akka.serialization.jackson"), Config::withFallback);
    }

    /** Private ones never leave their actor. */
    static List<Class<?>> messages() {
        Path main = Path.of(URI.create(
                Wire.class.getProtectionDomain().getCodeSource().getLocation().toString()));
        return new ClassFileImporter()
                .importPath(main).stream()
                        .filter(type -> type.isAssignableTo(Wire.class))
                        .filter(type ->
                                !type.isInterface() && !type.getModifiers().contains(JavaModifier.PRIVATE))
                        .sorted(Comparator.comparing(JavaClass::getName))
                        .<Class<?>>map(JavaClass::reflect)
                        .toList();
    }

    @Test
    void messagesAreFound() {
        assertThat(messages()).hasSizeGreaterThan(60).allMatch(Class::isRecord);
    }

    @ParameterizedTest
    @MethodSource("messages")
    void whatALaterVersionAddsIsPassedOver(Class<?> type) throws IOException {
        Object message = specimen(type);
        JsonNode written = LaterVersion.of(CBOR.readTree(write(message)), type);

        assertSame(read(CBOR.writeValueAsBytes(written), message), message);
    }

    @ParameterizedTest
    @MethodSource("messages")
    void whatMayBeMissingMayBeLeftOut(Class<?> type) throws IOException {
        Object message = specimen(type);
        for (RecordComponent component : type.getRecordComponents()) {
            if (component.getType() == Optional.class) {
                ObjectNode written = (ObjectNode) CBOR.readTree(write(message));
                written.remove(component.getName());
                Object read = read(CBOR.writeValueAsBytes(written), message);

                assertThat(value(read, component)).as(component.toString()).isEqualTo(Optional.empty());
            }
        }
    }

    private static Object specimen(Class<?> type) {
        return new Specimens()
                .with(ActorRef.class, ACTORS.testKit().createTestProbe().ref())
                .of(type);
    }

    private static byte[] write(Object message) {
        return SerializationExtension.get(ACTORS.system()).serialize(message).get();
    }

    private static Object read(byte[] bytes, Object like) throws IOException {
        Serialization serialization = SerializationExtension.get(ACTORS.system());
        SerializerWithStringManifest serializer =
                (SerializerWithStringManifest) serialization.serializerFor(like.getClass());
        return serialization
                .deserialize(bytes, serializer.identifier(), serializer.manifest(like))
                .get();
    }

    private static void assertSame(Object read, Object sent) {
        assertThat(read).usingRecursiveComparison().isEqualTo(sent);
        assertThat(read).hasSameClassAs(sent);
    }

    private static Object value(Object record, RecordComponent component) {
        try {
            component.getAccessor().setAccessible(true);
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
