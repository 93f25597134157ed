package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.typesafe.config.ConfigFactory;
import dev.kiln.build.Cause;
import dev.kiln.image.IndexComposer.Child;
import dev.kiln.image.IndexComposer.Composition;
import dev.kiln.image.TagEntity.Compose;
import dev.kiln.image.TagEntity.Meant;
import dev.kiln.image.TagEntity.View;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.source.SourceArchive;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.GoldenJournal;
import dev.kiln.testing.SettableClock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is recorded and published of a tag, and in which order; what an index lists is {@link TagStateTest}'s. */
class TagEntityTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(EventSourcedBehaviorTestKit.config()
            .withFallback(ConfigFactory.parseString("akka.actor.provider = local"))
            .withFallback(ConfigFactory.parseResources("kiln-akka.conf")));

    private static final Platform AMD = Platform.of("linux/amd64");
    private static final Platform ARM = Platform.of("linux/arm64");
    private static final Platform SSE = Platform.of("linux/amd64+sse4");
    private static final Optional<Platform> COMMON = Optional.empty();
    private static final Revision REVISION = new Revision("0123456789".repeat(4));
    private static final Instant NOW = Instant.parse("2026-11-23T10:00:00.123456789Z");
    private static final TagKey KEY = TagKey.of("team/app:" + REVISION);
    private static final String SOURCE = "https://git.example.com/team/app.git";
    private static final SourceArchive ARCHIVE = new SourceArchive(digest("source"), 10_240, 1_700_000_000L);
    private static final Cause CAUSE = new Cause("containers/5.30.0", "192.0.2.7", "linux/arm64/v8 by query", "main");

    /** What is on its way into the store, until the test lets it arrive. */
    private record Publication(String index, CompletableFuture<Descriptor> arrived) {
        void arrive() {
            byte[] bytes = index.getBytes(StandardCharsets.UTF_8);
            arrived.complete(new Descriptor(MediaTypes.OCI_INDEX, Digest.sha256(bytes), bytes.length));
        }
    }

    private final BlockingQueue<Publication> publications = new LinkedBlockingQueue<>();
    private final SettableClock clock = new SettableClock(NOW);
    private EventSourcedBehaviorTestKit<TagEntity.Command, TagEvent, TagState> tag;

    @BeforeEach
    void begin() {
        tag = EventSourcedBehaviorTestKit.create(
                ACTORS.system(),
                TagEntity.create(KEY, this::publish, clock),
                EventSourcedBehaviorTestKit.enabledSerializationSettings().withVerifyState(false));
    }

    @AfterEach
    void end() {
        tag.persistenceTestKit().resetPolicy();
        tag.clear();
    }

    private CompletionStage<Descriptor> publish(TagKey key, String index) {
        Publication publication = new Publication(index, new CompletableFuture<>());
        publications.add(publication);
        return publication.arrived();
    }

    @Test
    void aRefIsRecordedWhenItChangesAndNotOtherwise() {
        Revision other = new Revision("f".repeat(40));
        assertThat(observe(REVISION, NOW)).contains(REVISION);
        assertThat(observe(REVISION, NOW.plusSeconds(10))).contains(REVISION);
        assertThat(observe(other, NOW.plusSeconds(20))).contains(other);
        assertThat(observe(REVISION, NOW.plusSeconds(30))).contains(REVISION);

        assertThat(journal())
                .containsExactly(
                        new TagEvent.RefMeant(REVISION, "refs/heads/main", NOW),
                        new TagEvent.RefMeant(other, "refs/heads/main", NOW.plusSeconds(20)),
                        new TagEvent.RefMeant(REVISION, "refs/heads/main", NOW.plusSeconds(30)));
    }

    @Test
    void whatANodeKnewOfLongAgoDoesNotTakeALaterMeaningBack() {
        Revision old = new Revision("f".repeat(40));
        observe(REVISION, NOW);

        assertThat(observe(old, NOW.minusSeconds(60))).contains(REVISION);
        assertThat(journal()).hasSize(1);
    }

    @Test
    void aRevisionIsOpenedOnce() {
        View first = open(List.of(AMD));
        View second = open(List.of(AMD, ARM));

        assertThat(second).isEqualTo(first);
        assertThat(first.platforms()).containsExactly(AMD);
        assertThat(journal()).hasSize(1);
    }

    @Test
    void aPlatformJoinsOnceAndOnlyAnOpenRevision() {
        assertThat(join(ARM).platforms()).isEmpty();
        open(List.of(AMD));
        assertThat(join(ARM).platforms()).containsExactly(AMD, ARM);
        assertThat(join(ARM).platforms()).containsExactly(AMD, ARM);
        assertThat(journal()).hasSize(2);
    }

    @Test
    void bytesAreInTheStoreBeforeTheJournalNamesThem() throws Exception {
        open(List.of(AMD, ARM));
        TestProbe<View> puller = compose(AMD);
        Publication publication = next();
        assertThat(journal()).hasSize(1);
        puller.expectNoMessage(Duration.ZERO);

        publication.arrive();

        View view = puller.receiveMessage();
        assertThat(view.failure()).isEmpty();
        assertThat(listed(view)).containsExactly(AMD);
        TagEvent.IndexComposed composed = (TagEvent.IndexComposed) journal().get(1);
        assertThat(composed.index().digest())
                .isEqualTo(Digest.sha256(publication.index().getBytes(StandardCharsets.UTF_8)));
        assertThat(IndexComposer.compose(composed.composition())).isEqualTo(publication.index());
    }

    @Test
    void whatComesInMeanwhileIsOneCompositionAndNothingIsComposedTwice() throws Exception {
        open(List.of(AMD, ARM));
        TestProbe<View> first = compose(AMD);
        Publication partial = next();
        TestProbe<View> second = compose(ARM);
        TestProbe<View> third = compose(AMD);
        assertThat(publications).isEmpty();

        partial.arrive();
        next().arrive();

        for (TestProbe<View> puller : List.of(first, second, third)) {
            assertThat(listed(puller.receiveMessage())).containsExactly(AMD, ARM);
        }
        assertThat(listed(compose(ARM).receiveMessage())).containsExactly(AMD, ARM);
        assertThat(publications).isEmpty();
        assertThat(journal()).hasSize(3);
    }

    @Test
    void aStoreThatFailsIsToldAndTriedAgainByTheNext() throws Exception {
        open(List.of(AMD));
        TestProbe<View> puller = compose(AMD);
        next().arrived().completeExceptionally(new IOException("No space left on device"));
        assertThat(puller.receiveMessage().failure()).isPresent();
        assertThat(journal()).hasSize(1);

        TestProbe<View> again = compose(AMD);
        next().arrive();
        assertThat(listed(again.receiveMessage())).containsExactly(AMD);
    }

    @Test
    void afterAFailureOfTheJournalNobodyWaitsForeverAndComposingGoesOn() throws Exception {
        open(List.of(AMD));
        TestProbe<View> puller = compose(AMD);
        tag.persistenceTestKit().failNextPersisted(TagEntity.TYPE_KEY.name() + "|" + KEY);
        next().arrive();
        assertThat(puller.receiveMessage().failure()).isPresent();

        TestProbe<View> again = compose(AMD);
        next().arrive();
        assertThat(listed(again.receiveMessage())).containsExactly(AMD);
        assertThat(journal()).hasSize(2);
    }

    @Test
    void whoHasTheCompleteIndexIsToldOnlyThatForAsLongAsItIs() throws Exception {
        open(List.of(AMD, ARM));
        TestProbe<View> half = compose(AMD);
        next().arrive();
        Digest partial = index(half.receiveMessage());
        assertThat(revision(Optional.of(partial)).unchanged())
                .as("of a partial one")
                .isFalse();
        TestProbe<View> all = compose(ARM);
        next().arrive();
        Digest complete = index(all.receiveMessage());

        assertThat(revision(Optional.of(complete)).unchanged()).isTrue();
        assertThat(revision(Optional.of(partial)).newest()).isPresent();
        assertThat(revision(Optional.empty()).newest()).isPresent();

        join(Platform.of("linux/s390x"));
        View grown = revision(Optional.of(complete));
        assertThat(grown.unchanged()).isFalse();
        assertThat(grown.platforms()).hasSize(3);
    }

    private View revision(Optional<Digest> complete) {
        return tag.runCommand((ActorRef<View> replyTo) -> new TagEntity.GetRevision(COMMON, complete, replyTo))
                .reply();
    }

    private static Digest index(View view) {
        return view.newest().orElseThrow().index().digest();
    }

    @Test
    void whatWasPublishedBeforeAFailureOfTheJournalNeverShrinksAnIndex() throws Exception {
        open(List.of(AMD, ARM));
        TestProbe<View> before = compose(AMD);
        Publication lost = next();
        tag.persistenceTestKit().failNextPersisted(TagEntity.TYPE_KEY.name() + "|" + KEY);
        TestProbe<View> joiner = ACTORS.testKit().createTestProbe();
        send(new TagEntity.Join(Platform.of("linux/s390x"), CAUSE, COMMON, joiner.ref()));
        assertThat(before.receiveMessage().failure()).isPresent();

        TestProbe<View> after = compose(AMD, ARM);
        Publication complete = next();
        lost.arrive();
        complete.arrive();

        assertThat(listed(after.receiveMessage())).containsExactly(AMD, ARM);
        assertThat(journal()).hasSize(2);
    }

    @Test
    void inEveryStageARestartChangesNothing() throws Exception {
        observe(REVISION, NOW);
        restartsUnchanged();
        open(List.of(AMD));
        restartsUnchanged();
        join(ARM);
        restartsUnchanged();
        for (Platform platform : List.of(AMD, ARM)) {
            TestProbe<View> puller = compose(platform);
            next().arrive();
            puller.receiveMessage();
            restartsUnchanged();
        }
    }

    private void restartsUnchanged() {
        TagState before = tag.getState();
        assertThat(tag.restart().state()).isEqualTo(before);
    }

    static Stream<JsonSubTypes.Type> events() {
        return GoldenJournal.types(TagEvent.class);
    }

    @ParameterizedTest
    @MethodSource("events")
    void eventsKeepTheirForm(JsonSubTypes.Type type) throws IOException {
        List<TagEvent> today = List.of(
                new TagEvent.RefMeant(REVISION, "refs/heads/main", NOW),
                new TagEvent.RevisionOpened(SOURCE, ARCHIVE, List.of(AMD), CAUSE, NOW),
                new TagEvent.PlatformJoined(ARM, CAUSE, NOW),
                new TagEvent.IndexComposed(
                        new Descriptor(MediaTypes.OCI_INDEX, digest("index"), 512),
                        new Composition(
                                1,
                                REVISION,
                                Optional.of(SOURCE),
                                COMMON,
                                List.of(new Child(AMD, manifest(AMD))),
                                List.of(ARM)),
                        Optional.empty(),
                        NOW));
        new GoldenJournal<>(ACTORS.system(), TagEvent.class, "tag").keepsItsForm(today, type);
    }

    @Test
    void theIndexOfAFlavourKeepsItsForm() throws IOException {
        TagEvent today = new TagEvent.IndexComposed(
                new Descriptor(MediaTypes.OCI_INDEX, digest("index"), 512),
                new Composition(
                        1,
                        REVISION,
                        Optional.of(SOURCE),
                        Optional.of(SSE),
                        List.of(new Child(SSE, manifest(SSE))),
                        List.of(ARM)),
                Optional.of(CAUSE),
                NOW);
        new GoldenJournal<>(ACTORS.system(), TagEvent.class, "tag").keepsItsForm(today, "index-composed.v2");
    }

    @Test
    void aFlavourIsComposedIntoASeriesOfItsOwnForThePullThatAskedForIt() throws Exception {
        open(List.of(AMD, ARM, SSE));
        TestProbe<View> everybody = compose(AMD, ARM);
        TestProbe<View> asked = ACTORS.testKit().createTestProbe();
        send(new Compose(Optional.of(SSE), List.of(new Child(SSE, manifest(SSE))), Optional.of(CAUSE), asked.ref()));
        next().arrive();
        next().arrive();

        View common = everybody.receiveMessage();
        View flavour = asked.receiveMessage();
        assertThat(listed(common)).containsExactly(AMD, ARM);
        assertThat(common.platforms()).containsExactly(AMD, ARM);
        assertThat(listed(flavour)).containsExactly(SSE, ARM);
        assertThat(flavour.newest().orElseThrow().cause()).contains(CAUSE);
        assertThat(tag.<TagEntity.Indexes>runCommand(TagEntity.GetIndexes::new).reply())
                .isEqualTo(new TagEntity.Indexes(
                        List.of(AMD, ARM, SSE),
                        List.of(common.newest().orElseThrow(), flavour.newest().orElseThrow())));
        restartsUnchanged();
    }

    private Optional<Revision> observe(Revision revision, Instant at) {
        return tag.runCommand(
                        (ActorRef<Meant> replyTo) -> new TagEntity.Observe(revision, "refs/heads/main", at, replyTo))
                .reply()
                .revision();
    }

    private View open(List<Platform> platforms) {
        return tag.runCommand((ActorRef<View> replyTo) ->
                        new TagEntity.Open(SOURCE, ARCHIVE, platforms, CAUSE, COMMON, replyTo))
                .reply();
    }

    private View join(Platform platform) {
        return tag.runCommand((ActorRef<View> replyTo) -> new TagEntity.Join(platform, CAUSE, COMMON, replyTo))
                .reply();
    }

    private TestProbe<View> compose(Platform... built) {
        TestProbe<View> puller = ACTORS.testKit().createTestProbe();
        send(new Compose(
                COMMON, Stream.of(built).map(p -> new Child(p, manifest(p))).toList(), Optional.empty(), puller.ref()));
        return puller;
    }

    private void send(TagEntity.Command command) {
        tag.runCommand(command);
    }

    private Publication next() throws InterruptedException {
        Publication publication = publications.poll(10, TimeUnit.SECONDS);
        assertThat(publication).as("something is published").isNotNull();
        return publication;
    }

    private List<TagEvent> journal() {
        return tag.persistenceTestKit().persistedInStorage(TagEntity.TYPE_KEY.name() + "|" + KEY).stream()
                .map(TagEvent.class::cast)
                .toList();
    }

    private static List<Platform> listed(View view) {
        return RevisionSnapshot.children(view).stream().map(Child::platform).toList();
    }

    private static Descriptor manifest(Platform platform) {
        return new Descriptor(MediaTypes.OCI_MANIFEST, digest(platform.toString()), 5);
    }

    private static Digest digest(String of) {
        return Digest.sha256(of.getBytes(StandardCharsets.UTF_8));
    }
}
