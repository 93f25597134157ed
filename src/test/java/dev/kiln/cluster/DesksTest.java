package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.blob.BuildLogs;
import dev.kiln.blob.Links;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.SettlingContent.Word;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.UploadChunk;
import dev.kiln.blob.Uploads;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What two nodes of a cluster tell each other about the folder that they share. */
class DesksTest {
    private static final Set<Links.Kind> BOTH = Set.of(Links.Kind.values());
    private static final Duration SOON = Duration.ofMinutes(1);
    private static final Duration SETTLE = Duration.ofMillis(500);
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Digest UNKNOWN = Digest.sha256(new byte[] {1});
    private static final BuildKey BUILD = BuildKey.of("team/app@" + "a".repeat(40) + "@linux/arm64/v8");

    @TempDir
    Path directory;

    @TempDir
    Path elsewhere;

    private final ExecutorService blocking = Executors.newFixedThreadPool(4);
    private final List<Node> nodes = new ArrayList<>();
    private Node writer;
    private Node reader;

    private final class Node implements AutoCloseable {
        final SharedFolder folder;
        final ActorSystem<Void> system = ActorSystem.create(Behaviors.empty(), "kiln", config());
        final Cluster cluster = Cluster.get(system);
        final PublicationDesk publications;
        final BuildLogs logs;

        Node(Path directory) throws IOException {
            folder = SharedFolder.open(directory, InstantSource.system());
            publications = PublicationDesk.open(system, folder, SETTLE, blocking);
            logs = ClusterLogs.open(system, folder.logs());
            nodes.add(this);
        }

        void join(Node other) {
            cluster.manager().tell(Join.create(other.cluster.selfMember().address()));
        }

        @Override
        public void close() throws IOException {
            system.terminate();
            system.getWhenTerminated().toCompletableFuture().join();
            folder.close();
        }
    }

    private static Config config() {
        Config server = ConfigFactory.parseResources("kiln-akka.conf");
        return ConfigFactory.parseString("""
                        akka {
                          loglevel = WARNING
                          actor.provider = cluster
                          remote.artery.canonical { hostname = "127.0.0.1", port = 0 }
                          cluster { roles = [registry, builder], jmx.enabled = off }
                          coordinated-shutdown.exit-jvm = off
                        }
                        """)
                .withFallback(server.withOnlyPath("akka.actor.serializers"))
                .withFallback(server.withOnlyPath("akka.actor.serialization-bindings"))
                .withFallback(server.withOnlyPath("akka.actor.serialization-identifiers"))
                .withFallback(server.withOnlyPath("akka.serialization"))
                .withFallback(ConfigFactory.load());
    }

    @BeforeEach
    void start() throws IOException {
        writer = new Node(directory);
        // Another folder, which is as late as can be: it never shows what the writer writes.
        reader = new Node(elsewhere);
        writer.join(writer);
        reader.join(writer);
        nodes.forEach(node ->
                await().atMost(SOON).until(() -> node.cluster.selfMember().status() == MemberStatus.up()));
    }

    @AfterEach
    void stop() throws IOException {
        for (Node node : nodes) {
            node.close();
        }
        blocking.shutdownNow();
    }

    private static <T> T join(CompletionStage<T> stage) {
        return stage.toCompletableFuture()
                .orTimeout(SOON.toSeconds(), TimeUnit.SECONDS)
                .join();
    }

    private Word ask(Digest digest) {
        return join(reader.publications.ask(APP, digest));
    }

    @Test
    void aNodeTellsWhatItHasPublishedLately() throws IOException {
        await().atMost(SOON).until(() -> ask(UNKNOWN) == Word.ABSENT);

        Digest digest = writer.folder
                .content()
                .publishManifest(APP, "application/json", "{}".getBytes(StandardCharsets.UTF_8), "index")
                .digest();

        assertThat(ask(digest)).isEqualTo(Word.PUBLISHED);
        assertThat(join(reader.publications.ask(new RepositoryName("team/other"), digest)))
                .isEqualTo(Word.ABSENT);
    }

    @Test
    void aNodeTellsWhatClientsHavePushedToItLately() throws IOException {
        await().atMost(SOON).until(() -> ask(UNKNOWN) == Word.ABSENT);
        PushTerms terms = new PushTerms(Duration.ofHours(1), Duration.ofHours(1), List.of());
        Uploads uploads = writer.folder.pushed(terms).uploads();
        byte[] bytes = "blob".getBytes(StandardCharsets.UTF_8);
        Digest digest = Digest.sha256(bytes);
        String id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id, 0)) {
            chunk.out().write(bytes);
            chunk.finish(digest);
        }

        assertThat(ask(digest)).isEqualTo(Word.PUBLISHED);

        writer.folder.pushed(terms).remove(APP, digest, BOTH, Optional.empty(), () -> {});
        assertThat(ask(digest)).as("what is removed").isEqualTo(Word.ABSENT);
    }

    @Test
    void whatANodeThatIsLostHasPublishedIsUnknownForAWhile() throws IOException {
        await().atMost(SOON).until(() -> ask(UNKNOWN) == Word.ABSENT);

        writer.system.terminate();
        await().atMost(SOON).until(() -> ask(UNKNOWN) == Word.UNKNOWN);
        await().atMost(SOON).until(() -> ask(UNKNOWN) == Word.ABSENT);
    }

    @Test
    void aLogThatGrowsOnAnotherNodeIsFollowedToItsEnd() throws Exception {
        StringBuilder written = new StringBuilder();
        List<ByteString> seen = new CopyOnWriteArrayList<>();
        CompletableFuture<ByteString> whole;
        try (OutputStream log = writer.folder.logs().create(BUILD, 1)) {
            write(log, written, "begin\n");
            await("the writer answers").atMost(SOON).until(() -> join(reader.logs.isGrowingElsewhere(BUILD, 1)));
            assertThat(join(reader.logs.isGrowingElsewhere(BUILD, 2))).isFalse();
            whole = reader.logs
                    .read(BUILD, 1, 2, true)
                    .wireTap(seen::add)
                    .runWith(Sink.fold(ByteString.emptyByteString(), ByteString::concat), reader.system)
                    .toCompletableFuture();
            for (int i = 0; i < 5; i++) {
                await("it is seen while it grows")
                        .atMost(SOON)
                        .until(() -> seen.stream().mapToInt(ByteString::size).sum() == written.length() - 2);
                write(log, written, "line " + i + "\n");
            }
            write(log, written, "0123456789".repeat(20_000));
        }
        assertThat(join(whole).utf8String()).isEqualTo(written.substring(2));
        assertThat(seen.size()).isGreaterThan(2);
    }

    @Test
    void aLogThatGrowsOnAnotherNodeIsReadToItsPresentEnd() throws Exception {
        StringBuilder written = new StringBuilder();
        try (OutputStream log = writer.folder.logs().create(BUILD, 1)) {
            write(log, written, "0123456789".repeat(20_000));
            await("the writer answers").atMost(SOON).until(() -> join(reader.logs.isGrowingElsewhere(BUILD, 1)));

            ByteString whole = join(reader.logs
                    .read(BUILD, 1, 5, false)
                    .runWith(Sink.fold(ByteString.emptyByteString(), ByteString::concat), reader.system));

            assertThat(whole.utf8String()).isEqualTo(written.substring(5));
        }
    }

    @Test
    void aLogThatNobodyWritesEndsAtItsPresentEnd() throws Exception {
        try (OutputStream log = reader.folder.logs().create(BUILD, 3)) {
            write(log, new StringBuilder(), "all");
        }
        ByteString whole = join(reader.logs
                .read(BUILD, 3, 0, true)
                .runWith(Sink.fold(ByteString.emptyByteString(), ByteString::concat), reader.system));
        assertThat(whole.utf8String()).isEqualTo("all");
    }

    private static void write(OutputStream log, StringBuilder written, String text) throws IOException {
        log.write(text.getBytes(StandardCharsets.UTF_8));
        written.append(text);
    }
}
