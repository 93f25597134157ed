package dev.kiln.repository;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.AskPattern;
import akka.japi.function.Function;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.UploadChunk;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.repository.CollectionRound.Owners;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.testing.ActorSystemExtension;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * Many clients push images that share layers, and indexes of them, to two nodes on one folder, while manifests are deleted and
 * what nothing needs is collected the moment it looks unneeded: what was pushed and not deleted is complete, and nothing else
 * stays.
 */
class ConcurrentPushesTest {
    private static final Duration GRACE = Duration.ofMillis(1);
    private static final int PUSHERS = 200;
    private static final int IMAGES = 3;
    private static final int LAYERS = 25;
    private static final List<RepositoryName> REPOSITORIES =
            List.of(new RepositoryName("team/one"), new RepositoryName("team/two"), new RepositoryName("three"));
    private static final Pusher BY = new Pusher("test", "127.0.0.1");

    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(
            ConfigFactory.parseString("akka.loglevel = WARNING").withFallback(EventSourcedBehaviorTestKit.config()));

    @TempDir
    Path root;

    private final ExecutorService blocking = Executors.newFixedThreadPool(8);
    private final ExecutorService clients = Executors.newFixedThreadPool(PUSHERS);
    private final Map<RepositoryName, ActorRef<RepositoryCommand>> owners = new ConcurrentHashMap<>();

    /** What got its answer, and was not deleted. */
    private final Set<Image> stored = ConcurrentHashMap.newKeySet();

    /** What got its answer once. */
    private final Set<Image> pushed = ConcurrentHashMap.newKeySet();

    private final List<Node> nodes = new ArrayList<>();

    /** An image, or an index of {@code images}. */
    private record Image(RepositoryName repository, String name, List<Integer> layers, List<Image> images) {
        byte[] bytes() {
            return (name + " of " + needs()).getBytes(US_ASCII);
        }

        Digest manifest() {
            return Digest.sha256(bytes());
        }

        /** What the manifest refers to. */
        List<Digest> needs() {
            return Stream.concat(
                            layers.stream().map(layer -> Digest.sha256(layer(layer))),
                            images.stream().map(Image::manifest))
                    .toList();
        }
    }

    private record Node(SharedFolder folder, PushedContent pushed) {}

    @BeforeEach
    void start() throws IOException {
        PushTerms terms = new PushTerms(Duration.ofHours(1), GRACE, List.of());
        for (int i = 0; i < 2; i++) {
            SharedFolder folder = SharedFolder.open(root, Clock.systemUTC());
            nodes.add(new Node(folder, folder.pushed(terms)));
        }
        for (RepositoryName repository : REPOSITORIES) {
            Unlinker unlinker =
                    new PromptUnlinker(nodes.get(owners.size() % nodes.size()).pushed(), blocking);
            owners.put(
                    repository,
                    ACTORS.testKit().spawn(RepositoryEntity.create(repository, 100_000, unlinker, Clock.systemUTC())));
        }
        Owners ask = new Owners() {
            @Override
            public <A> CompletionStage<A> ask(RepositoryName name, Function<ActorRef<A>, RepositoryCommand> command) {
                return ConcurrentPushesTest.this.ask(name, command);
            }
        };
        for (Node node : nodes) {
            ACTORS.testKit().spawn(Collector.create(node.folder().sweep(terms), ask, blocking, Duration.ofMillis(1)));
        }
    }

    @AfterEach
    void stop() throws IOException {
        clients.shutdownNow();
        blocking.shutdown();
        for (Node node : nodes) {
            node.folder().close();
        }
    }

    private <A> CompletionStage<A> ask(RepositoryName repository, Function<ActorRef<A>, RepositoryCommand> command) {
        return AskPattern.ask(
                owners.get(repository),
                command,
                Duration.ofSeconds(60),
                ACTORS.system().scheduler());
    }

    private static byte[] layer(int i) {
        return ("layer " + i + " ").repeat(100 * (i + 1)).getBytes(US_ASCII);
    }

    /** As a client does: what is there is not sent, and what has gone meanwhile is sent again. */
    private final class Client {
        private final RepositoryName repository;
        private final Random random;
        private final int number;

        Client(int number) {
            this.number = number;
            random = new Random(number);
            repository = REPOSITORIES.get(number % REPOSITORIES.size());
        }

        private PushedContent node() {
            return nodes.get(random.nextInt(nodes.size())).pushed();
        }

        Void run() throws Exception {
            for (int i = 0; i < IMAGES; i++) {
                pushAndPerhapsDelete(i);
            }
            return null;
        }

        private void pushAndPerhapsDelete(int i) throws Exception {
            Image image = number % 3 == 0 ? index(i) : image(i);
            push(image);
            pushed.add(image);
            stored.add(image);
            Digest some = Digest.sha256(layer(random.nextInt(LAYERS)));
            this.<DeleteAnswer>ask(replyTo -> new RepositoryCommand.Drop(some, Optional.empty(), replyTo));
            if (random.nextInt(3) == 0) {
                stored.remove(image);
                DeleteAnswer answer = this.<DeleteAnswer>ask(
                        replyTo -> new RepositoryCommand.DeleteManifest(image.manifest(), BY, replyTo));
                if (answer instanceof DeleteAnswer.Refused) {
                    assertThat(image.images()).as("nothing lists an index").isEmpty();
                    stored.add(image);
                } else {
                    assertThat(answer).isInstanceOf(DeleteAnswer.Deleted.class);
                }
            }
        }

        private Image image(int i) {
            return new Image(
                    repository,
                    "image " + number + "-" + i,
                    random.ints(4, 0, LAYERS).distinct().boxed().toList(),
                    List.of());
        }

        /** Of images of others, which may be deleted at any moment; or of one of its own. */
        private Image index(int i) throws Exception {
            List<Image> images = new ArrayList<>(stored.stream()
                    .filter(image -> image.repository().equals(repository)
                            && image.images().isEmpty())
                    .toList());
            if (images.isEmpty()) {
                Image own = image(i);
                push(own);
                pushed.add(own);
                stored.add(own);
                images.add(own);
            }
            Collections.shuffle(images, random);
            return new Image(
                    repository,
                    "index " + number + "-" + i,
                    List.of(),
                    List.copyOf(images.subList(0, Math.min(2, images.size()))));
        }

        private void push(Image image) throws Exception {
            push(image, List.of(new Tag(image.name().replace(' ', '-'))));
        }

        private void push(Image image, List<Tag> tags) throws Exception {
            byte[] bytes = image.bytes();
            Descriptor manifest = new Descriptor("application/x", Digest.sha256(bytes), bytes.length);
            List<Digest> all = new ArrayList<>(image.needs());
            all.add(manifest.digest());
            while (true) {
                for (int layer : image.layers()) {
                    upload(layer(layer));
                }
                for (Image child : image.images()) {
                    if (!isPushed(child)) {
                        push(child, List.of());
                    }
                }
                BeginAnswer begun = this.<BeginAnswer>ask(replyTo -> new RepositoryCommand.Begin(all, replyTo));
                if (!(begun instanceof BeginAnswer.Pinned pinned)) {
                    continue;
                }
                if (!areThere(image, pinned.manifests())) {
                    // As Pushes does: else the manifest counts as a push under way, and cannot be deleted.
                    owners.get(repository).tell(new RepositoryCommand.Release(pinned.incarnation(), pinned.pin()));
                    continue;
                }
                node().publishManifest(repository, manifest, bytes);
                PutAnswer answer = this.<PutAnswer>ask(replyTo -> new RepositoryCommand.Put(
                        pinned.incarnation(),
                        pinned.pin(),
                        new PushedManifest(manifest, image.needs(), Optional.empty(), Optional.empty()),
                        tags,
                        BY,
                        replyTo));
                if (answer instanceof PutAnswer.Stored) {
                    return;
                }
            }
        }

        private boolean areThere(Image image, Set<Digest> manifests) throws IOException {
            for (Digest digest : image.needs()) {
                if (node().use(repository, digest).isEmpty()) {
                    return false;
                }
            }
            return image.images().stream().map(Image::manifest).allMatch(manifests::contains);
        }

        private void upload(byte[] bytes) throws IOException {
            Digest digest = Digest.sha256(bytes);
            if (node().use(repository, digest).isPresent()) {
                return;
            }
            RepositoryName other = REPOSITORIES.get(random.nextInt(REPOSITORIES.size()));
            if (node().mount(other, repository, digest).isPresent()) {
                return;
            }
            String id = node().uploads().open(repository);
            try (UploadChunk chunk = node().uploads().append(repository, id, 0)) {
                chunk.out().write(bytes, 0, 10);
                chunk.commit();
            }
            try (UploadChunk chunk = node().uploads().append(repository, id, 10)) {
                chunk.out().write(bytes, 10, bytes.length - 10);
                chunk.finish(digest);
            }
        }

        private <A> A ask(Function<ActorRef<A>, RepositoryCommand> command) {
            return ConcurrentPushesTest.this
                    .<A>ask(repository, command)
                    .toCompletableFuture()
                    .join();
        }
    }

    @Test
    void whatWasPushedAndNotDeletedIsCompleteAndNothingElseStays() throws Exception {
        List<Future<Void>> all = new ArrayList<>();
        for (int i = 0; i < PUSHERS; i++) {
            all.add(clients.submit(new Client(i)::run));
        }
        for (Future<Void> client : all) {
            client.get(5, TimeUnit.MINUTES);
        }
        assertThat(pushed).hasSizeGreaterThanOrEqualTo(PUSHERS * IMAGES);
        assertThat(stored).hasSizeBetween(PUSHERS, pushed.size() - PUSHERS / 4);
        assertThat(stored).filteredOn(image -> !image.images().isEmpty()).hasSizeGreaterThan(PUSHERS / 3);
        checkComplete();

        // One that was deleted may have been pushed again for an index.
        List<Image> there = pushed.stream().filter(this::isPushed).toList();
        assertThat(there).containsAll(stored);
        Set<String> needed = there.stream()
                .flatMap(image -> Stream.concat(Stream.of(image.manifest()), image.needs().stream()))
                .map(Digest::hex)
                .collect(Collectors.toCollection(TreeSet::new));
        // The folders change while they are walked.
        await().ignoreException(UncheckedIOException.class)
                .atMost(Duration.ofMinutes(2))
                .untilAsserted(() -> {
                    assertThat(files("pushed")).isEqualTo(needed);
                    assertThat(files("trash")).isEmpty();
                });
        checkComplete();
    }

    private void checkComplete() throws IOException {
        for (Image image : closure(stored)) {
            for (Node node : nodes) {
                List<Digest> all = new ArrayList<>(image.needs());
                all.add(image.manifest());
                assertThat(isPushed(image)).as("%s", image).isTrue();
                for (Digest digest : all) {
                    assertThat(node.folder().content().links().find(image.repository(), digest))
                            .as("%s of %s", digest, image)
                            .isPresent();
                    try (InputStream in = node.folder().content().blobs().open(digest)) {
                        assertThat(Digest.sha256(in.readAllBytes())).isEqualTo(digest);
                    }
                }
            }
        }
    }

    /** These, and the images of those that are indexes. */
    private static Set<Image> closure(Set<Image> images) {
        return images.stream()
                .flatMap(image -> Stream.concat(Stream.of(image), image.images().stream()))
                .collect(Collectors.toSet());
    }

    private boolean isPushed(Image image) {
        return this.<RepositoryCommand.Found>ask(
                        image.repository(), replyTo -> new RepositoryCommand.GetManifest(image.manifest(), replyTo))
                .toCompletableFuture()
                .join()
                .manifest()
                .isPresent();
    }

    private Set<String> files(String folder) throws IOException {
        if (!Files.exists(root.resolve(folder))) {
            return Set.of();
        }
        try (var files = Files.walk(root.resolve(folder))) {
            return files.filter(Files::isRegularFile)
                    .map(file -> file.getFileName().toString())
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }
}
