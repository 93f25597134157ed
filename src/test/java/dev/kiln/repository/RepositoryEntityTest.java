package dev.kiln.repository;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.japi.Pair;
import akka.persistence.testkit.PersistenceTestKitSnapshotPlugin;
import akka.persistence.testkit.ProcessingSuccess;
import akka.persistence.testkit.ReadEvents;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import akka.persistence.testkit.javadsl.SnapshotTestKit;
import akka.serialization.SerializationExtension;
import akka.serialization.SerializerWithStringManifest;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.cbor.databind.CBORMapper;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.Links;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.GoldenJournal;
import dev.kiln.testing.SettableClock;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Who may remove what while pushes are under way, what is remembered over a restart, and in which order it is told. */
class RepositoryEntityTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(EventSourcedBehaviorTestKit.config()
            .withFallback(PersistenceTestKitSnapshotPlugin.config())
            .withFallback(ConfigFactory.parseString("akka.actor.provider = local"))
            .withFallback(ConfigFactory.parseResources("kiln-akka.conf")));

    private static final RepositoryName NAME = new RepositoryName("team/app");
    private static final Instant NOW = Instant.parse("2026-11-28T10:00:00.123456789Z");
    private static final Pusher ANN = new Pusher("docker/29", "192.0.2.7");
    private static final Digest LAYER = digest("layer");
    private static final Digest CONFIG = digest("config");
    private static final PushedManifest IMAGE = manifest("image", List.of(CONFIG, LAYER), Optional.empty());
    private static final PushedManifest INDEX = manifest("index", List.of(IMAGE.digest()), Optional.empty());
    private static final Tag LATEST = new Tag("latest");

    /** A link on its way out, until the test says what became of it. */
    private record Removal(
            Digest digest, Set<Links.Kind> kinds, Optional<Instant> untouchedSince, CompletableFuture<Boolean> gone) {}

    private final BlockingQueue<Removal> removals = new LinkedBlockingQueue<>();
    private final SettableClock clock = new SettableClock(NOW);
    private EventSourcedBehaviorTestKit<RepositoryCommand, RepositoryEvent, RepositoryState> repository;

    @BeforeEach
    void begin() {
        repository = EventSourcedBehaviorTestKit.create(
                ACTORS.system(),
                RepositoryEntity.create(NAME, 3, this::unlink, clock),
                EventSourcedBehaviorTestKit.enabledSerializationSettings().withVerifyState(false));
    }

    private CompletionStage<Boolean> unlink(
            RepositoryName name, Digest digest, Set<Links.Kind> kinds, Optional<Instant> untouchedSince) {
        CompletableFuture<Boolean> gone = new CompletableFuture<>();
        removals.add(new Removal(digest, kinds, untouchedSince, gone));
        return gone;
    }

    private Removal removal() throws InterruptedException {
        return removals.poll(20, TimeUnit.SECONDS);
    }

    private static Digest digest(String text) {
        return Digest.sha256(text.getBytes(StandardCharsets.UTF_8));
    }

    private static PushedManifest manifest(String text, List<Digest> references, Optional<Digest> subject) {
        return new PushedManifest(
                new Descriptor(MediaTypes.OCI_MANIFEST, digest(text), text.length()),
                references,
                subject,
                Optional.of("application/x." + text));
    }

    private <A> A ask(Function<ActorRef<A>, RepositoryCommand> command) {
        return repository.runCommand(command).reply();
    }

    private <A> TestProbe<A> tell(Function<ActorRef<A>, RepositoryCommand> command) {
        TestProbe<A> probe = ACTORS.testKit().createTestProbe();
        repository.runCommand(command.apply(probe.ref()));
        return probe;
    }

    private BeginAnswer.Pinned pin(Digest... digests) {
        return (BeginAnswer.Pinned) this.<BeginAnswer>ask(r -> new RepositoryCommand.Begin(List.of(digests), r));
    }

    private PutAnswer put(BeginAnswer.Pinned pin, PushedManifest manifest, Tag... tags) {
        return ask(r -> new RepositoryCommand.Put(pin.incarnation(), pin.pin(), manifest, List.of(tags), ANN, r));
    }

    private void push(PushedManifest manifest, Tag... tags) {
        assertThat(put(pin(manifest.digest()), manifest, tags)).isEqualTo(new PutAnswer.Stored());
    }

    private Optional<Digest> tagged(Tag tag) {
        return this.<RepositoryCommand.Found>ask(r -> new RepositoryCommand.GetTag(tag, r))
                .manifest()
                .map(PushedManifest::digest);
    }

    private DeleteAnswer deleteManifest(PushedManifest manifest) {
        return ask(r -> new RepositoryCommand.DeleteManifest(manifest.digest(), ANN, r));
    }

    private TestProbe<DeleteAnswer> drop(Digest digest) {
        return tell(r -> new RepositoryCommand.Drop(digest, Optional.of(NOW), r));
    }

    @Test
    void aPushIsSeenAtOnceAndAfterARestart() {
        push(IMAGE, LATEST, new Tag("v1"));

        assertThat(tagged(LATEST)).contains(IMAGE.digest());
        repository.restart();
        assertThat(tagged(new Tag("v1"))).contains(IMAGE.digest());
        assertThat(this.<RepositoryCommand.Tags>ask(r -> new RepositoryCommand.ListTags("latest", r))
                        .tags())
                .containsExactly(new Tag("v1"));
        assertThat(this.<RepositoryCommand.User>ask(r -> new RepositoryCommand.GetUser(LAYER, r))
                        .manifest())
                .contains(IMAGE.digest());
    }

    @Test
    void whatWasPushedAlreadyIsNotRecordedAgain() {
        push(IMAGE, LATEST);
        BeginAnswer.Pinned pin = pin(IMAGE.digest());

        assertThat(repository
                        .<PutAnswer>runCommand(r ->
                                new RepositoryCommand.Put(pin.incarnation(), pin.pin(), IMAGE, List.of(LATEST), ANN, r))
                        .hasNoEvents())
                .isTrue();
    }

    @Test
    void aPinOfAnEarlierLifeOrOneThatHasEndedHoldsNothing() {
        BeginAnswer.Pinned before = pin(LAYER);
        repository.restart();
        assertThat(put(before, IMAGE)).isEqualTo(new PutAnswer.Again());

        BeginAnswer.Pinned old = pin(LAYER);
        clock.advance(Pins.LIFE);
        assertThat(put(old, IMAGE)).isEqualTo(new PutAnswer.Again());
    }

    @Test
    void nothingIsDroppedThatAPushOrAManifestNeeds() throws Exception {
        BeginAnswer.Pinned pin = pin(CONFIG, LAYER, IMAGE.digest());
        assertThat(drop(LAYER).receiveMessage()).isInstanceOf(DeleteAnswer.Refused.class);

        put(pin, IMAGE);
        assertThat(((DeleteAnswer.Refused) drop(LAYER).receiveMessage()).message())
                .contains(IMAGE.digest().value());
        assertThat(drop(IMAGE.digest()).receiveMessage()).isInstanceOf(DeleteAnswer.Refused.class);
        assertThat(removals).isEmpty();

        TestProbe<DeleteAnswer> stranger = drop(digest("stranger"));
        Removal removal = removal();
        assertThat(drop(digest("stranger")).receiveMessage())
                .as("it is gone, or about to be")
                .isEqualTo(new DeleteAnswer.Unknown());
        assertThat(removal.untouchedSince()).contains(NOW);
        removal.gone().complete(true);
        assertThat(stranger.receiveMessage()).isEqualTo(new DeleteAnswer.Deleted());
    }

    @Test
    void aPushWaitsForTheEndOfARemovalOfWhatItNeeds() throws Exception {
        TestProbe<DeleteAnswer> dropped = drop(LAYER);
        TestProbe<BeginAnswer> begun = tell(r -> new RepositoryCommand.Begin(List.of(LAYER), r));
        begun.expectNoMessage();
        assertThat(pin(CONFIG)).as("others do not wait").isNotNull();

        removal().gone().completeExceptionally(new IOException("the disk is on fire"));

        assertThat(dropped.receiveMessage()).isEqualTo(new DeleteAnswer.Failed());
        assertThat(begun.receiveMessage()).isInstanceOf(BeginAnswer.Pinned.class);
    }

    @Test
    void aDeletedManifestTakesItsTagsAndThenItsLink() throws Exception {
        push(IMAGE, LATEST);
        assertThat(deleteManifest(IMAGE)).isEqualTo(new DeleteAnswer.Deleted());

        assertThat(tagged(LATEST)).isEmpty();
        assertThat(deleteManifest(IMAGE)).isEqualTo(new DeleteAnswer.Unknown());
        Removal removal = removal();
        assertThat(removal.digest()).isEqualTo(IMAGE.digest());
        TestProbe<BeginAnswer> again = tell(r -> new RepositoryCommand.Begin(List.of(IMAGE.digest()), r));
        again.expectNoMessage();

        removal.gone().complete(true);
        again.expectMessageClass(BeginAnswer.Pinned.class);
        assertThat(repository.getState().unlinked()).isEmpty();
    }

    /** The same bytes were pushed as a blob too. */
    @Test
    void aBlobIsDroppedByItselfWhileTheLinkOfItsManifestGoes() throws Exception {
        push(IMAGE);
        deleteManifest(IMAGE);
        Removal manifest = removal();
        assertThat(manifest.kinds()).containsExactly(Links.Kind.MANIFEST);
        TestProbe<DeleteAnswer> dropped = drop(IMAGE.digest());
        Removal blob = removal();
        assertThat(blob.kinds()).containsExactly(Links.Kind.BLOB);

        blob.gone().complete(true);
        assertThat(dropped.receiveMessage()).isEqualTo(new DeleteAnswer.Deleted());
        assertThat(repository.getState().unlinked()).containsExactly(IMAGE.digest());
        TestProbe<BeginAnswer> again = tell(r -> new RepositoryCommand.Begin(List.of(IMAGE.digest()), r));
        again.expectNoMessage();

        manifest.gone().complete(true);
        again.expectMessageClass(BeginAnswer.Pinned.class);
        assertThat(repository.getState().unlinked()).isEmpty();
    }

    @Test
    void aLinkThatWasNotRemovedIsRemovedAfterARestart() throws Exception {
        push(IMAGE);
        deleteManifest(IMAGE);
        removal();
        repository.restart();

        removal().gone().complete(true);
        TestProbe<BeginAnswer> begun = tell(r -> new RepositoryCommand.Begin(List.of(IMAGE.digest()), r));
        begun.expectMessageClass(BeginAnswer.Pinned.class);
        repository.restart();
        pin(LAYER);
        assertThat(removals).isEmpty();
    }

    @Test
    void aLinkThatWasUsedMeanwhileIsLookedAtAgain() throws Exception {
        push(IMAGE);
        deleteManifest(IMAGE);

        removal().gone().complete(false);

        assertThat(removal().digest()).isEqualTo(IMAGE.digest());
        assertThat(repository.getState().unlinked()).containsExactly(IMAGE.digest());
    }

    @Test
    void aRemovalIsNotForgottenWhenTheJournalFails() throws Exception {
        TestProbe<DeleteAnswer> dropped = drop(LAYER);
        String before = pin(CONFIG).incarnation();
        repository.persistenceTestKit().failNextPersisted(RepositoryEntity.TYPE_KEY.name() + "|" + NAME);
        BeginAnswer.Pinned pin = pin(IMAGE.digest());
        this.<PutAnswer>tell(r -> new RepositoryCommand.Put(pin.incarnation(), pin.pin(), IMAGE, List.of(), ANN, r));
        TestProbe<BeginAnswer> recovered = tell(r -> new RepositoryCommand.Begin(List.of(CONFIG), r));
        assertThat(recovered
                        .expectMessageClass(BeginAnswer.Pinned.class, Duration.ofSeconds(20))
                        .incarnation())
                .isNotEqualTo(before);

        TestProbe<BeginAnswer> begun = tell(r -> new RepositoryCommand.Begin(List.of(LAYER), r));
        begun.expectNoMessage();
        removal().gone().complete(true);

        begun.expectMessageClass(BeginAnswer.Pinned.class);
        assertThat(dropped.receiveMessage()).isEqualTo(new DeleteAnswer.Deleted());
    }

    /** The next one would not know of it. */
    @Test
    void anOwnerEndsWhenNothingIsBeingRemoved() throws Exception {
        ActorRef<RepositoryCommand> owner =
                ACTORS.testKit().spawn(RepositoryEntity.create(new RepositoryName("moved"), 3, this::unlink, clock));
        TestProbe<DeleteAnswer> dropped = ACTORS.testKit().createTestProbe();
        owner.tell(new RepositoryCommand.Drop(LAYER, Optional.empty(), dropped.ref()));
        Removal removal = removal();

        owner.tell(new RepositoryEntity.Stop());

        TestProbe<BeginAnswer> begun = ACTORS.testKit().createTestProbe();
        owner.tell(new RepositoryCommand.Begin(List.of(CONFIG), begun.ref()));
        begun.expectMessageClass(BeginAnswer.Pinned.class);
        removal.gone().complete(true);
        dropped.expectTerminated(owner, Duration.ofSeconds(20));
        assertThat(dropped.receiveMessage()).isEqualTo(new DeleteAnswer.Deleted());
    }

    @Test
    void aManifestThatAnIndexListsStaysUntilTheIndexIsDeleted() throws Exception {
        push(IMAGE);
        push(INDEX);
        assertThat(((DeleteAnswer.Refused) deleteManifest(IMAGE)).message())
                .contains(INDEX.digest().value());

        assertThat(deleteManifest(INDEX)).isEqualTo(new DeleteAnswer.Deleted());
        removal().gone().complete(true);
        assertThat(deleteManifest(IMAGE)).isEqualTo(new DeleteAnswer.Deleted());
    }

    @Test
    void aTagIsDeletedByItself() {
        push(IMAGE, LATEST);

        assertThat(this.<DeleteAnswer>ask(r -> new RepositoryCommand.DeleteTag(LATEST, ANN, r)))
                .isEqualTo(new DeleteAnswer.Deleted());
        assertThat(this.<DeleteAnswer>ask(r -> new RepositoryCommand.DeleteTag(LATEST, ANN, r)))
                .isEqualTo(new DeleteAnswer.Unknown());
        assertThat(this.<RepositoryCommand.Found>ask(r -> new RepositoryCommand.GetManifest(IMAGE.digest(), r))
                        .manifest())
                .contains(IMAGE);
    }

    @Test
    void referrersAreListedByTypeAndStayWhenTheirSubjectGoes() throws Exception {
        PushedManifest signature = manifest("signature", List.of(), Optional.of(IMAGE.digest()));
        PushedManifest bill = manifest("bill", List.of(), Optional.of(IMAGE.digest()));
        push(IMAGE);
        push(signature);
        push(bill);
        deleteManifest(IMAGE);
        removal().gone().complete(true);

        assertThat(referrers(Optional.empty())).containsExactlyInAnyOrder(signature.digest(), bill.digest());
        assertThat(referrers(Optional.of("application/x.bill"))).containsExactly(bill.digest());

        deleteManifest(bill);
        assertThat(referrers(Optional.empty())).containsExactly(signature.digest());
    }

    private List<Digest> referrers(Optional<String> type) {
        return this.<RepositoryCommand.Referrers>ask(
                        r -> new RepositoryCommand.ListReferrers(IMAGE.digest(), type, Optional.empty(), r))
                .manifests()
                .stream()
                .map(PushedManifest::digest)
                .toList();
    }

    @Test
    void manifestsAndTagsAreBounded() {
        push(IMAGE, LATEST, new Tag("b"));
        push(INDEX);
        assertThat(put(pin(), IMAGE, new Tag("c"), new Tag("d"))).isInstanceOf(PutAnswer.Full.class);
        push(manifest("third", List.of(), Optional.empty()));
        assertThat(put(pin(), manifest("fourth", List.of(), Optional.empty()))).isInstanceOf(PutAnswer.Full.class);
        push(IMAGE, LATEST, new Tag("c"));
    }

    @Test
    void whatManifestsReferToIsBounded() throws Exception {
        PushedManifest many = manifest("many", digests(0, 50), Optional.empty());
        push(many, LATEST);
        push(manifest("some", digests(0, 10), Optional.empty()));
        push(many, new Tag("again"));

        PutAnswer full = put(pin(), manifest("more", digests(60, 61), Optional.empty()));

        assertThat(((PutAnswer.Full) full).message()).contains("refer to 60 things");
        push(manifest("none", List.of(), Optional.empty()));
        deleteManifest(many);
        removal().gone().complete(true);
        push(manifest("more", digests(60, 61), Optional.empty()));
    }

    private static List<Digest> digests(int from, int to) {
        return IntStream.range(from, to).mapToObj(i -> digest("blob " + i)).toList();
    }

    @Test
    void imagesThatShareLayersShareTheirDigests() {
        RepositoryState state = new RepositoryState();
        for (String image : List.of("one", "two")) {
            PushedManifest manifest = manifest(image, digests(0, 1), Optional.empty());
            state.apply(new RepositoryEvent.ManifestPushed(manifest, List.of(), ANN, NOW));
        }

        List<Digest> shared = Stream.of("one", "two")
                .map(image ->
                        state.manifest(digest(image)).orElseThrow().references().get(0))
                .toList();
        assertThat(shared.get(0)).isSameAs(shared.get(1));
    }

    @Test
    void pinsAreBounded() {
        BeginAnswer last = null;
        for (int i = 0; i <= 1000; i++) {
            last = ask(r -> new RepositoryCommand.Begin(List.of(LAYER), r));
        }
        assertThat(last).isEqualTo(new BeginAnswer.Busy());
        clock.advance(Pins.LIFE);
        assertThat(pin(LAYER)).isNotNull();
    }

    /** Who has no answer yet asks once more, with the same message. */
    @Test
    void aPushThatBeginsAgainHasOnePin() throws Exception {
        TestProbe<DeleteAnswer> dropped = drop(CONFIG);
        TestProbe<BeginAnswer> waiting = ACTORS.testKit().createTestProbe();
        TestProbe<BeginAnswer> push = ACTORS.testKit().createTestProbe();
        for (int i = 0; i < 2; i++) {
            repository.runCommand(new RepositoryCommand.Begin(List.of(CONFIG), waiting.ref()));
        }
        long pin = 0;
        for (int i = 0; i <= 1000; i++) {
            repository.runCommand(new RepositoryCommand.Begin(List.of(LAYER), push.ref()));
            long now = push.expectMessageClass(BeginAnswer.Pinned.class).pin();
            assertThat(now).isEqualTo(i == 0 ? now : pin);
            pin = now;
        }
        removal().gone().complete(true);
        assertThat(dropped.receiveMessage()).isEqualTo(new DeleteAnswer.Deleted());
        waiting.expectMessageClass(BeginAnswer.Pinned.class);
        waiting.expectNoMessage();

        repository.runCommand(new RepositoryCommand.Release(incarnation(), pin));
        assertThat(drop(LAYER)).isNotNull();
        assertThat(removal().digest()).isEqualTo(LAYER);
    }

    private String incarnation() {
        return pin(digest("any")).incarnation();
    }

    /** A copy is stored, since the state changes while that is written; and a recovery reads what came after it alone. */
    @Test
    void aLongLifeIsNotGoneThroughAgain() throws Exception {
        String id = "Repository|" + NAME;
        List<Object> life = new ArrayList<>();
        for (int i = 0; i < RepositoryEntity.SNAPSHOT_EVERY - 3; i++) {
            life.add(new RepositoryEvent.TagDeleted(new Tag("t" + i), ANN, NOW));
        }
        repository.persistenceTestKit().persistForRecovery(id, life);
        repository.restart();
        PushedManifest signature = manifest("signature", List.of(CONFIG), Optional.of(INDEX.digest()));
        push(IMAGE, LATEST);
        push(signature);
        deleteManifest(signature);
        removal();
        SnapshotTestKit snapshots = SnapshotTestKit.create(ACTORS.system());
        Awaitility.await().until(() -> !snapshots.persistedInStorage(id).isEmpty());
        push(INDEX, new Tag("after"));
        assertThat(snapshots.persistedInStorage(id))
                .extracting(Pair::second)
                .containsExactly(new RepositorySnapshot(
                        List.of(IMAGE), Map.of("latest", IMAGE.digest()), List.of(signature.digest())));
        AtomicInteger read = new AtomicInteger();
        repository.persistenceTestKit().withPolicy((persistenceId, operation) -> {
            if (operation instanceof ReadEvents events) {
                read.addAndGet(events.batch().size());
            }
            return ProcessingSuccess.getInstance();
        });

        repository.restart();

        assertThat(read).hasValueLessThan(10);
        repository.persistenceTestKit().resetPolicy();
        assertThat(tagged(LATEST)).contains(IMAGE.digest());
        assertThat(tagged(new Tag("after"))).contains(INDEX.digest());
        assertThat(removal().digest()).as("what was under way goes on").isEqualTo(signature.digest());
        assertThat(((DeleteAnswer.Refused) deleteManifest(IMAGE)).message())
                .contains(INDEX.digest().value());
    }

    /** While a cluster goes from one version to the next. */
    @Test
    void aPinOfANodeThatKnowsNothingOfItsManifestsIsRead() throws IOException {
        BeginAnswer.Pinned pin = new BeginAnswer.Pinned("life", 7, Set.of(LAYER));
        SerializerWithStringManifest serializer = (SerializerWithStringManifest)
                SerializationExtension.get(ACTORS.system()).serializerFor(BeginAnswer.Pinned.class);
        CBORMapper cbor = new CBORMapper();
        ObjectNode older = (ObjectNode) cbor.readTree(serializer.toBinary(pin));
        assertThat(older.remove("manifests")).isNotNull();

        assertThat(serializer.fromBinary(cbor.writeValueAsBytes(older), serializer.manifest(pin)))
                .isEqualTo(new BeginAnswer.Pinned("life", 7, Set.of()));
    }

    @Test
    void theSnapshotKeepsItsForm() throws IOException {
        PushedManifest signature = manifest("signature", List.of(CONFIG), Optional.of(IMAGE.digest()));
        new GoldenJournal<>(ACTORS.system(), RepositorySnapshot.class, "repository")
                .keepsItsForm(
                        new RepositorySnapshot(
                                List.of(signature), Map.of("latest", signature.digest()), List.of(IMAGE.digest())),
                        "snapshot.v1");
    }

    static Stream<JsonSubTypes.Type> events() {
        return GoldenJournal.types(RepositoryEvent.class);
    }

    @ParameterizedTest
    @MethodSource("events")
    void eventsKeepTheirForm(JsonSubTypes.Type type) throws IOException {
        new GoldenJournal<>(ACTORS.system(), RepositoryEvent.class, "repository")
                .keepsItsForm(
                        List.of(
                                new RepositoryEvent.ManifestPushed(
                                        manifest("signature", List.of(CONFIG), Optional.of(IMAGE.digest())),
                                        List.of(LATEST),
                                        ANN,
                                        NOW),
                                new RepositoryEvent.ManifestDeleted(IMAGE.digest(), 4, ANN, NOW),
                                new RepositoryEvent.TagDeleted(LATEST, ANN, NOW),
                                new RepositoryEvent.LinkRemoved(IMAGE.digest(), NOW)),
                        type);
    }
}
