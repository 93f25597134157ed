package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import akka.NotUsed;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.blob.SettlingContent.Publishers;
import dev.kiln.blob.SettlingContent.Word;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two stores on one folder, of which one sees late what the other has written. */
class SettlingContentTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final byte[] INDEX = "{\"schemaVersion\":2}".getBytes(StandardCharsets.UTF_8);
    /** Nobody waits for its end. */
    private static final Duration LONG = Duration.ofMinutes(1);

    private static final Duration SHORT = Duration.ofMillis(300);

    @TempDir
    Path directory;

    private final ExecutorService blocking = Executors.newFixedThreadPool(2);
    private final AtomicInteger asked = new AtomicInteger();
    private final Late late = new Late();
    private SharedFolder writer;
    private SharedFolder reader;

    @BeforeEach
    void open() throws IOException {
        writer = SharedFolder.open(directory, InstantSource.system());
        reader = SharedFolder.open(directory, InstantSource.system());
    }

    @AfterEach
    void close() throws IOException {
        writer.close();
        reader.close();
        blocking.shutdownNow();
    }

    /** A view of the folder in which some things do not show yet. */
    private final class Late {
        final Set<Digest> links = ConcurrentHashMap.newKeySet();
        final Set<Digest> blobs = ConcurrentHashMap.newKeySet();
        final AtomicInteger looks = new AtomicInteger();

        ContentStore content() {
            Links all = reader.content().links();
            return new ContentStore(blobs(), new Links() {
                @Override
                public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
                    all.publish(repository, digest, link);
                }

                @Override
                public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
                    looks.incrementAndGet();
                    return links.contains(digest) ? Optional.empty() : all.find(repository, digest);
                }
            });
        }

        BlobStore blobs() {
            BlobStore all = reader.content().blobs();
            return new BlobStore() {
                @Override
                public OptionalLong size(Digest digest) throws IOException {
                    return blobs.contains(digest) ? OptionalLong.empty() : all.size(digest);
                }

                @Override
                public Source<ByteString, NotUsed> read(Digest digest, long offset, long length) {
                    return all.read(digest, offset, length);
                }

                @Override
                public InputStream open(Digest digest) throws IOException {
                    looks.incrementAndGet();
                    if (blobs.contains(digest)) {
                        throw new NoSuchFileException(digest.value());
                    }
                    return all.open(digest);
                }

                @Override
                public StagedBlob stage() throws IOException {
                    return all.stage();
                }

                @Override
                public long free() throws IOException {
                    return all.free();
                }
            };
        }
    }

    private Digest published() throws IOException {
        Descriptor index = writer.content().publishManifest(APP, "application/json", INDEX, "index");
        return index.digest();
    }

    /** As the writer's node answers. */
    private Publishers theWriter() {
        return (repository, digest) -> {
            asked.incrementAndGet();
            try {
                return CompletableFuture.completedFuture(
                        writer.hasPublished(repository, digest) ? Word.PUBLISHED : Word.ABSENT);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        };
    }

    private SettlingContent content(Publishers publishers, Duration settle) {
        return new SettlingContent(late.content(), publishers, settle, blocking);
    }

    private static <T> T join(CompletionStage<T> stage) {
        return stage.toCompletableFuture().join();
    }

    @Test
    void whatIsSeenDecidesWithoutAQuestion() throws IOException {
        Digest digest = published();
        SettlingContent content = content(theWriter(), LONG);

        assertThat(join(content.link(APP, digest))).isPresent();
        assertThat(join(content.size(digest))).isEqualTo(INDEX.length);
        assertThat(join(content.bytes(digest, 100))).isEqualTo(INDEX);
        assertThat(asked).hasValue(0);
    }

    @Test
    void aLinkOfAnotherNodeIsWaitedForUntilItShows() throws IOException {
        Digest digest = published();
        late.links.add(digest);

        var link = content(theWriter(), LONG).link(APP, digest).toCompletableFuture();
        await().until(() -> late.looks.get() > 2);
        assertThat(link).isNotDone();

        late.links.clear();
        assertThat(link.join()).isPresent();
    }

    @Test
    void aLinkThatWasLookedForBeforeItWasPublishedIsFoundAtOnce() throws IOException {
        Digest digest = Digest.sha256(INDEX);
        SettlingContent content = content(theWriter(), LONG);
        assertThat(reader.content().links().find(APP, digest))
                .as("kept for a second")
                .isEmpty();

        published();

        assertThat(join(content.link(APP, digest))).isPresent();
    }

    @Test
    void whatIsPublishedAndNeverShowsIsNoAnswer() throws IOException {
        Digest digest = published();
        late.links.add(digest);

        assertThatThrownBy(() -> join(content(theWriter(), SHORT).link(APP, digest)))
                .hasCauseInstanceOf(LateContentException.class)
                .hasMessageContaining("store.settle");
    }

    @Test
    void whatNobodyHasPublishedIsAbsentAtOnceAndAskedForOnceASecond() {
        SettlingContent content = content(theWriter(), LONG);
        for (int i = 0; i < 50; i++) {
            assertThat(join(content.link(APP, Digest.sha256(INDEX)))).isEmpty();
        }
        assertThat(asked.get()).isLessThan(50);
    }

    @Test
    void whatNobodyCanBeAskedAboutIsWaitedForAndThenAbsent() throws IOException {
        Digest digest = published();
        late.links.add(digest);
        Publishers silent = (repository, any) -> CompletableFuture.completedFuture(Word.UNKNOWN);

        assertThat(join(content(silent, SHORT).link(APP, digest))).isEmpty();

        var link = content(silent, LONG).link(APP, digest).toCompletableFuture();
        late.links.clear();
        assertThat(link.join()).isPresent();
    }

    @Test
    void bytesThatALinkNamesAreWaitedFor() throws IOException {
        Digest digest = published();
        late.blobs.add(digest);
        assertThatThrownBy(() -> join(content(theWriter(), SHORT).size(digest)))
                .hasCauseInstanceOf(LateContentException.class);

        var bytes = content(theWriter(), LONG).bytes(digest, 100).toCompletableFuture();
        await().until(() -> late.looks.get() > 1);
        assertThat(bytes).isNotDone();
        late.blobs.clear();
        assertThat(bytes.join()).isEqualTo(INDEX);
    }

    @Test
    void aNodeByItselfWaitsForNothing() throws IOException {
        Digest digest = published();
        late.links.add(digest);
        late.blobs.add(digest);
        SettlingContent content = SettlingContent.ofOneNode(late.content(), blocking);

        assertThat(join(content.link(APP, digest))).isEmpty();
        assertThatThrownBy(() -> join(content.size(digest))).hasCauseInstanceOf(NoSuchFileException.class);
    }

    @Test
    void whoOpensABlobOnAThreadOfItsOwnWaitsToo() throws Exception {
        Digest digest = published();
        late.blobs.add(digest);
        assertThatThrownBy(() -> new PatientBlobStore(late.blobs(), SHORT).open(digest))
                .isInstanceOf(NoSuchFileException.class);

        CompletableFuture<byte[]> bytes = CompletableFuture.supplyAsync(
                () -> {
                    try (InputStream in = new PatientBlobStore(late.blobs(), LONG).open(digest)) {
                        return in.readAllBytes();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                },
                blocking);
        int before = late.looks.get();
        await().until(() -> late.looks.get() > before);
        late.blobs.clear();
        assertThat(bytes.join()).isEqualTo(INDEX);
    }
}
