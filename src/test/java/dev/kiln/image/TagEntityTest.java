package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import akka.persistence.testkit.javadsl.PersistenceTestKit;
import com.typesafe.config.ConfigFactory;
import dev.kiln.build.Cause;
import dev.kiln.image.IndexComposer.Child;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.source.SourceArchive;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.SettableClock;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** When a tag's owner publishes, what it tells whom, and what a failing store or journal leaves behind. */
class TagEntityTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(
            EventSourcedBehaviorTestKit.config().withFallback(ConfigFactory.parseString("""
                    akka.actor.serialization-bindings {
                      "dev.kiln.image.TagEvent" = jackson-json
                      "dev.kiln.oci.Wire" = jackson-cbor
                    }
                    """)));

    private static final Platform AMD = Platform.of("linux/amd64");
    private static final Platform ARM = Platform.of("linux/arm64");
    private static final TagKey KEY = TagKey.of("team/app:0123456789abcdef0123456789abcdef01234567");
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    private record Publication(String index, CompletableFuture<Descriptor> end) {
        void succeed() {
            byte[] bytes = index.getBytes(StandardCharsets.UTF_8);
            end.complete(new Descriptor(MediaTypes.OCI_INDEX, Digest.sha256(bytes), bytes.length));
        }
    }

    private final List<Publication> published = new ArrayList<>();
    private final PersistenceTestKit journal = PersistenceTestKit.create(ACTORS.system());
    private ActorRef<TagEntity.Command> tag;

    @BeforeEach
    void begin() {
        journal.clearAll();
        journal.resetPolicy();
        Behavior<TagEntity.Command> behavior = TagEntity.create(
                KEY,
                (key, index) -> {
                    CompletableFuture<Descriptor> end = new CompletableFuture<>();
                    synchronized (published) {
                        published.add(new Publication(index, end));
                    }
                    return end;
                },
                new SettableClock(NOW));
        tag = ACTORS.testKit().spawn(behavior);
        ask(replyTo -> new TagEntity.Open(
                        "https://git.example.com/a.git",
                        new SourceArchive(Digest.sha256(new byte[0]), 0, 0),
                        List.of(AMD, ARM),
                        new Cause("", "", "", "main"),
                        replyTo))
                .receiveMessage();
    }

    private TestProbe<TagEntity.View> ask(Function<ActorRef<TagEntity.View>, TagEntity.Command> command) {
        TestProbe<TagEntity.View> probe = ACTORS.testKit().createTestProbe();
        tag.tell(command.apply(probe.ref()));
        return probe;
    }

    private TestProbe<TagEntity.View> compose(Platform platform) {
        byte[] manifest = platform.toString().getBytes(StandardCharsets.UTF_8);
        Descriptor descriptor = new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256(manifest), manifest.length);
        return ask(replyTo -> new TagEntity.Compose(List.of(new Child(platform, descriptor)), replyTo));
    }

    private Publication publication(int number) {
        Awaitility.await().until(() -> {
            synchronized (published) {
                return published.size() > number;
            }
        });
        synchronized (published) {
            return published.get(number);
        }
    }

    private static List<Platform> listed(TagEntity.View view) {
        return view.newest().stream()
                .flatMap(n -> n.composition().children().stream())
                .map(Child::platform)
                .toList();
    }

    @Test
    void anIndexIsAnsweredWhenItIsPublishedAndStored() {
        TestProbe<TagEntity.View> first = compose(AMD);
        Publication amd = publication(0);
        TestProbe<TagEntity.View> second = compose(ARM);
        first.expectNoMessage(Duration.ZERO);
        assertThat(listed(ask(TagEntity.GetRevision::new).receiveMessage())).isEmpty();

        amd.succeed();
        publication(1).succeed();
        assertThat(listed(first.receiveMessage())).containsExactly(AMD, ARM);
        assertThat(listed(second.receiveMessage())).containsExactly(AMD, ARM);
    }

    @Test
    void aStoreThatFailsIsToldAndTheNextOneWhoAsksTriesAgain() {
        TestProbe<TagEntity.View> first = compose(AMD);
        publication(0).end().completeExceptionally(new IllegalStateException("disk"));
        assertThat(first.receiveMessage().failure()).isPresent();

        TestProbe<TagEntity.View> second = compose(AMD);
        publication(1).succeed();
        assertThat(listed(second.receiveMessage())).containsExactly(AMD);
    }

    @Test
    void aJournalThatFailsAtAnIndexStopsNoIndexAfterIt() {
        TestProbe<TagEntity.View> first = compose(AMD);
        journal.failNextPersisted("Tag|" + KEY);
        publication(0).succeed();
        assertThat(first.receiveMessage(Duration.ofSeconds(20)).failure()).isPresent();

        TestProbe<TagEntity.View> second = compose(AMD);
        publication(1).succeed();
        assertThat(listed(second.receiveMessage())).containsExactly(AMD);
    }

    @Test
    void aPublicationFromBeforeAJournalsFailureDoesNotShrinkWhatCameAfter() {
        compose(AMD);
        Publication old = publication(0);
        journal.failNextPersisted("Tag|" + KEY);
        tag.tell(new TagEntity.Join(
                Platform.of("linux/s390x"),
                new Cause("", "", "", "main"),
                ACTORS.testKit().<TagEntity.View>createTestProbe().ref()));
        // Answered again when it has recovered.
        ask(TagEntity.GetRevision::new).receiveMessage(Duration.ofSeconds(20));
        TestProbe<TagEntity.View> both = ask(replyTo -> new TagEntity.Compose(
                List.of(
                        new Child(AMD, new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256(new byte[] {1}), 1)),
                        new Child(ARM, new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256(new byte[] {2}), 1))),
                replyTo));
        Publication complete = publication(1);
        complete.succeed();
        assertThat(listed(both.receiveMessage())).containsExactly(AMD, ARM);

        old.succeed();
        assertThat(listed(ask(TagEntity.GetRevision::new).receiveMessage())).containsExactly(AMD, ARM);
    }
}
