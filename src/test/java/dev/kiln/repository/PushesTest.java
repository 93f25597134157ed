package dev.kiln.repository;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.AskPattern;
import akka.japi.function.Function;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import dev.kiln.blob.Links;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.StagedBlob;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.Pushes.Outcome;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.UnaskedRepositories;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** What of a manifest's references counts as there, on a folder that shows files late. */
class PushesTest {
    private static final RepositoryName NAME = new RepositoryName("team/app");
    private static final Pusher ANN = new Pusher("test", "192.0.2.7");
    private static final byte[] CHILD = index("");

    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(EventSourcedBehaviorTestKit.config());

    @TempDir
    Path root;

    private final ExecutorService blocking = Executors.newFixedThreadPool(2);
    private SharedFolder folder;
    private PushedContent content;
    private Owner owner;

    @BeforeEach
    void open() throws IOException {
        folder = SharedFolder.open(root, Clock.systemUTC());
        content = folder.pushed(new PushTerms(Duration.ofHours(1), Duration.ofHours(1), List.of()));
        owner = new Owner(ACTORS.testKit()
                .spawn(RepositoryEntity.create(NAME, 100, new PromptUnlinker(content, blocking), Clock.systemUTC())));
    }

    @AfterEach
    void close() throws IOException {
        blocking.shutdown();
        folder.close();
    }

    private static byte[] index(String children) {
        return ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[" + children + "]}")
                .getBytes(US_ASCII);
    }

    private static Descriptor descriptor(byte[] manifest) {
        return new Descriptor(MediaTypes.OCI_INDEX, Digest.sha256(manifest), manifest.length);
    }

    private CompletionStage<Outcome> push(byte[] manifest, Duration settle) {
        return new Pushes(owner, content, folder.content(), blocking, false, settle)
                .push(
                        NAME,
                        ManifestDocument.parse(manifest, Optional.empty()),
                        Digest.sha256(manifest),
                        manifest,
                        List.of(),
                        ANN);
    }

    /** Its owner is asked for pushes and nothing else. */
    private static final class Owner extends UnaskedRepositories {
        final BlockingQueue<BeginAnswer> begun = new LinkedBlockingQueue<>();
        private final ActorRef<RepositoryCommand> entity;

        Owner(ActorRef<RepositoryCommand> entity) {
            this.entity = entity;
        }

        private <A> CompletionStage<A> ask(Function<ActorRef<A>, RepositoryCommand> command) {
            return AskPattern.ask(
                    entity, command, Duration.ofSeconds(20), ACTORS.system().scheduler());
        }

        @Override
        public CompletionStage<BeginAnswer> begin(RepositoryName repository, List<Digest> digests) {
            return this.<BeginAnswer>ask(replyTo -> new RepositoryCommand.Begin(digests, replyTo))
                    .whenComplete((answer, failure) -> begun.add(answer));
        }

        @Override
        public CompletionStage<PutAnswer> put(
                RepositoryName repository, BeginAnswer.Pinned pin, PushedManifest manifest, List<Tag> tags, Pusher by) {
            return ask(replyTo -> new RepositoryCommand.Put(pin.incarnation(), pin.pin(), manifest, tags, by, replyTo));
        }

        @Override
        public void release(RepositoryName repository, BeginAnswer.Pinned pin) {
            entity.tell(new RepositoryCommand.Release(pin.incarnation(), pin.pin()));
        }
    }

    private static String entry(byte[] manifest) {
        return "{\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"digest\":\"" + Digest.sha256(manifest)
                + "\",\"size\":" + manifest.length + "}";
    }

    /** As a push leaves it that was refused, or whose node died, between the link and the record. */
    @Test
    void aLinkToWhatWasNotRecordedIsNoManifest() throws Exception {
        content.publishManifest(NAME, descriptor(CHILD), CHILD);

        assertThat(push(index(entry(CHILD)), Duration.ZERO)
                        .toCompletableFuture()
                        .join())
                .isEqualTo(new Outcome.Missing(List.of(Digest.sha256(CHILD))));
    }

    @Test
    void aRemovalThatWasDecidedOnTooLongAgoIsNotMade() throws Exception {
        content.publishManifest(NAME, descriptor(CHILD), CHILD);
        AtomicLong time = new AtomicLong();
        Unlinker late = new PromptUnlinker(
                content,
                work -> {
                    time.addAndGet(Duration.ofSeconds(6).toNanos());
                    work.run();
                },
                time::get);

        assertThat(late.unlink(NAME, Digest.sha256(CHILD), Set.of(Links.Kind.MANIFEST), Optional.empty())
                        .toCompletableFuture())
                .isCompletedExceptionally();

        assertThat(content.use(NAME, Digest.sha256(CHILD))).isPresent();
    }

    @Test
    void whatIsRecordedWhileItsIndexWaitsIsThere() throws Exception {
        CompletableFuture<Outcome> waiting =
                push(index(entry(CHILD)), Duration.ofSeconds(20)).toCompletableFuture();
        owner.begun.take();

        assertThat(push(CHILD, Duration.ZERO).toCompletableFuture().join()).isEqualTo(new Outcome.Stored());

        assertThat(waiting.join()).isEqualTo(new Outcome.Stored());
    }

    /** As a farm's push leaves it, or a mount: the blob that was pushed is also the manifest that was built. */
    @Test
    void aBuiltManifestIsOneAlsoWhereItWasPushedAsABlob() throws Exception {
        try (StagedBlob blob = folder.content().blobs().stage()) {
            blob.out().write(CHILD);
            blob.commit();
        }
        Links.Link built = new Links.Link(Links.Kind.MANIFEST, MediaTypes.OCI_INDEX, CHILD.length, "a build");
        folder.content().links().publish(NAME, Digest.sha256(CHILD), built);
        assertThat(content.mount(NAME, NAME, Digest.sha256(CHILD))).isPresent();

        assertThat(push(index(entry(CHILD)), Duration.ZERO)
                        .toCompletableFuture()
                        .join())
                .isEqualTo(new Outcome.Stored());
    }
}
