package dev.kiln.http.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.http.javadsl.model.HttpRequest;
import akka.http.javadsl.model.HttpResponse;
import dev.kiln.blob.Links;
import dev.kiln.blob.PushTerms;
import dev.kiln.blob.PushedContent;
import dev.kiln.blob.SettlingContent;
import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.UploadChunk;
import dev.kiln.blob.Uploads;
import dev.kiln.http.wire.Call;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.repository.PushedManifest;
import dev.kiln.testing.UnaskedRepositories;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read as a blob while its owner and its link say different things. */
class BlobRoutesTest {
    private static final Set<Links.Kind> BOTH = Set.of(Links.Kind.values());
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final byte[] MANIFEST = "{\"schemaVersion\":2}".getBytes(StandardCharsets.US_ASCII);
    private static final Descriptor PUSHED =
            new Descriptor(MediaTypes.OCI_MANIFEST, Digest.sha256(MANIFEST), MANIFEST.length);

    @TempDir
    Path directory;

    private final Owners owners = new Owners();
    private SharedFolder folder;
    private PushedContent content;
    private BlobRoutes blobs;

    @BeforeEach
    void open() throws IOException {
        folder = SharedFolder.open(directory, InstantSource.system());
        content = folder.pushed(new PushTerms(Duration.ofHours(1), Duration.ofHours(1), List.of()));
        blobs = blobs(SettlingContent.ofOneNode(folder.content(), Runnable::run));
    }

    private BlobRoutes blobs(SettlingContent settling) {
        Pushing pushing =
                new Pushing(owners, null, null, content, folder.content(), Runnable::run, Duration.ZERO, null);
        return new BlobRoutes(settling, Runnable::run, pushing);
    }

    @AfterEach
    void close() throws IOException {
        folder.close();
    }

    private HttpResponse get(String method, boolean pushes) {
        HttpRequest request = (method.equals("GET") ? HttpRequest.GET("/") : HttpRequest.HEAD("/"));
        return blobs.get(Call.of(request, new CompletableFuture<>()), APP, PUSHED.digest(), pushes)
                .toCompletableFuture()
                .join();
    }

    /** Its event comes first and its link goes after it: in between the owner's word counts, whatever is on disk. */
    @ParameterizedTest
    @ValueSource(strings = {"GET", "HEAD"})
    void aDeletedManifestIsNoBlobWhileItsLinkGoes(String method) throws Exception {
        content.publishManifest(APP, PUSHED, MANIFEST);
        owners.manifests.put(
                PUSHED.digest(), new PushedManifest(PUSHED, List.of(), Optional.empty(), Optional.empty()));
        HttpResponse there = get(method, true);
        assertThat(there.status().intValue()).isEqualTo(200);
        assertThat(there.getHeader("Cache-Control").orElseThrow().value()).isEqualTo("no-cache");

        owners.manifests.clear();
        assertThat(folder.content().links().find(APP, PUSHED.digest())).isPresent();
        assertUnknown(method, true);

        content.remove(APP, PUSHED.digest(), BOTH, Optional.empty(), () -> {});
        assertUnknown(method, true);
    }

    /** Its client was told that the blob is there. */
    @ParameterizedTest
    @ValueSource(strings = {"GET", "HEAD"})
    void aBlobOfTheBytesOfADeletedManifestIsReadWhileTheManifestsLinkGoesAndAfterwards(String method) throws Exception {
        content.publishManifest(APP, PUSHED, MANIFEST);
        Uploads uploads = content.uploads();
        try (UploadChunk chunk = uploads.append(APP, uploads.open(APP), 0)) {
            chunk.out().write(MANIFEST);
            chunk.finish(PUSHED.digest());
        }
        assertThat(get(method, true).status().intValue()).isEqualTo(200);

        content.remove(APP, PUSHED.digest(), Set.of(Links.Kind.MANIFEST), Optional.empty(), () -> {});
        assertThat(get(method, true).status().intValue()).isEqualTo(200);
    }

    /** Where another manifest refers to it, it is still needed. */
    @Test
    void aDeletedManifestThatAnotherRefersToIsABlob() throws Exception {
        content.publishManifest(APP, PUSHED, MANIFEST);
        owners.users.put(PUSHED.digest(), Digest.sha256(new byte[0]));
        assertThat(get("GET", true).status().intValue()).isEqualTo(200);
    }

    /** A sparse push may name anything: what another repository has is no less its own for that. */
    @Test
    void whatAManifestNamesAndOnlyAnotherRepositoryHasIsNotRead() throws Exception {
        content.publishManifest(new RepositoryName("team/other"), PUSHED, MANIFEST);
        owners.users.put(PUSHED.digest(), Digest.sha256(new byte[0]));

        assertUnknown("GET", true);
    }

    /** Through another node, which has died: nobody is left who could say that it was published. */
    @Test
    void whatAManifestNeedsIsWaitedForUntilItsLinkShows() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try {
            blobs = blobs(new SettlingContent(
                    folder.content(),
                    (repository, digest) -> CompletableFuture.completedFuture(SettlingContent.Word.ABSENT),
                    Duration.ofSeconds(20),
                    threads));
            owners.users.put(PUSHED.digest(), Digest.sha256(new byte[0]));
            CompletableFuture<HttpResponse> waiting = CompletableFuture.supplyAsync(() -> get("GET", true), threads);
            owners.asked.take();

            content.publishManifest(APP, PUSHED, MANIFEST);

            assertThat(waiting.join().status().intValue()).isEqualTo(200);
        } finally {
            threads.shutdown();
        }
    }

    @Test
    void whereNobodyMayPushNothingThatWasPushedIsRead() throws Exception {
        content.publishManifest(APP, PUSHED, MANIFEST);
        owners.manifests.put(
                PUSHED.digest(), new PushedManifest(PUSHED, List.of(), Optional.empty(), Optional.empty()));
        assertUnknown("GET", false);
    }

    private void assertUnknown(String method, boolean pushes) {
        assertThatThrownBy(() -> get(method, pushes))
                .rootCause()
                .isInstanceOf(Problem.class)
                .hasMessage("this repository has no blob of that digest");
    }

    /** What the owners of repositories say, as far as a look-up of a blob asks them. */
    private static final class Owners extends UnaskedRepositories {
        final Map<Digest, PushedManifest> manifests = new ConcurrentHashMap<>();
        final Map<Digest, Digest> users = new ConcurrentHashMap<>();
        final BlockingQueue<Digest> asked = new LinkedBlockingQueue<>();

        @Override
        public CompletionStage<Optional<PushedManifest>> manifest(RepositoryName repository, Digest digest) {
            return CompletableFuture.completedFuture(Optional.ofNullable(manifests.get(digest)));
        }

        @Override
        public CompletionStage<Optional<Digest>> user(RepositoryName repository, Digest digest) {
            asked.add(digest);
            return CompletableFuture.completedFuture(Optional.ofNullable(users.get(digest)));
        }
    }
}
