package dev.kiln.source;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
import akka.serialization.SerializationExtension;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.oci.Tag;
import dev.kiln.oci.Wire;
import dev.kiln.source.Sources.TagsAnswer;
import dev.kiln.testing.ActorSystemExtension;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What of tags travels between nodes, there and back through its serialisation. */
class WireTest {
    private static final String LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    private static final Config SERVER = ConfigFactory.parseResources("kiln-akka.conf");

    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(Stream.of(
                    "actor.serializers",
                    "actor.serialization-identifiers",
                    "actor.serialization-bindings",
                    "serialization.jackson")
            .map(path -> SERVER.withOnlyPath("akka." + path))
            .reduce(ConfigFactory.parseString("akka.actor.provider = local"), Config::withFallback));

    @Test
    void everyMessageComesBackEqual() {
        ActorRef<TagsAnswer> asker =
                ACTORS.testKit().<TagsAnswer>createTestProbe().ref();
        List<Wire> messages = List.of(
                new SourceEntity.ListTags("v1", 100, asker),
                new TagsAnswer.Listed(List.of(new Tag("v1"), new Tag("v2"))),
                new TagsAnswer.RepositoryUnknown(),
                new TagsAnswer.Unavailable("git does not answer"));

        messages.forEach(message -> ACTORS.testKit().serializationTestKit().verifySerialization(message, true));
    }

    @Test
    void theLongestListOfTagsFitsIntoOneMessage() {
        Random random = new Random(1);
        List<Tag> tags = IntStream.range(0, Sources.MAX_TAGS)
                .mapToObj(i -> new Tag(random.ints(128, 0, LETTERS.length())
                        .map(LETTERS::charAt)
                        .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                        .toString()))
                .toList();
        long largest = SERVER.getBytes("akka.remote.artery.advanced.maximum-frame-size");

        byte[] bytes = SerializationExtension.get(ACTORS.system())
                .serialize(new TagsAnswer.Listed(tags))
                .get();
        assertThat(bytes.length).isLessThan((int) largest / 4 * 3);
    }
}
