package dev.kiln.image;

import static dev.kiln.testing.PullBench.AMD;
import static dev.kiln.testing.PullBench.APP;
import static dev.kiln.testing.PullBench.ARM;
import static dev.kiln.testing.PullBench.served;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.blob.ContentStore;
import dev.kiln.blob.Links;
import dev.kiln.blob.SharedFolder;
import dev.kiln.client.Hint;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageForm;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.PullBench;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What a client that knows Docker's media types only gets, over real entities, queue and store. */
@Timeout(60)
class DockerTypedImagesTest {
    private static final RepositoryConfig HINTED = PullBench.repository(new AnswerWhen.Hinted(), Start.ALL);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String DIGEST = "sha256:" + "a".repeat(64);

    @TempDir
    Path directory;

    @Test
    void aListAndItsManifestsCanBePulledByDigestForEver() throws Exception {
        PullAnswer.Served list;
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            Images images = images(bench);
            list = served(answer(images, ImageForm.DOCKER_LIST));

            assertThat(list.descriptor().mediaType()).isEqualTo(MediaTypes.DOCKER_LIST);
            assertThat(Digest.sha256(list.bytes().toArray()))
                    .isEqualTo(list.descriptor().digest());
            assertThat(served(answer(images, ImageForm.DOCKER_LIST))).isEqualTo(list);
            assertThat(served(answer(images, ImageForm.INDEX)).descriptor().mediaType())
                    .isEqualTo(MediaTypes.OCI_INDEX);
            assertThat(served(answer(images(bench), ImageForm.DOCKER_LIST)))
                    .as("of a node that never saw it")
                    .isEqualTo(list);
        }
        try (SharedFolder restarted = SharedFolder.open(directory, java.time.Clock.systemUTC())) {
            assertStored(restarted.content(), list.descriptor().digest(), MediaTypes.DOCKER_LIST);
            JsonNode manifests = JSON.readTree(list.bytes().toArray()).path("manifests");
            assertThat(manifests).hasSize(2);
            for (JsonNode child : manifests) {
                Digest digest = new Digest(child.path("digest").asText());
                byte[] bytes = assertStored(restarted.content(), digest, MediaTypes.DOCKER_MANIFEST);
                assertThat(Digest.sha256(bytes)).isEqualTo(digest);
                assertThat(child.path("size").asInt()).isEqualTo(bytes.length);
                assertThat(ImageManifest.parse(bytes).mediaType()).isEqualTo(MediaTypes.DOCKER_MANIFEST);
            }
        }
    }

    @Test
    void nothingIsAnsweredBeforeItsLinkIsThere() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            HeldLinks links = new HeldLinks(bench.content().links());
            Images images = new DockerTypedImages(
                    bench.images(HINTED), new ContentStore(bench.content().blobs(), links), bench.blocking());

            CompletableFuture<PullAnswer> first =
                    images.pull(pull(ImageForm.DOCKER_LIST)).toCompletableFuture();
            CompletableFuture<PullAnswer> second =
                    images.pull(pull(ImageForm.DOCKER_LIST)).toCompletableFuture();
            assertThat(links.reached.await(20, TimeUnit.SECONDS)).isTrue();
            assertThat(first).isNotDone();
            assertThat(second).isNotDone();
            links.release.countDown();

            PullAnswer.Served list = served(first.get(20, TimeUnit.SECONDS));
            assertThat(served(second.get(20, TimeUnit.SECONDS))).isEqualTo(list);
            assertThat(links.published)
                    .as("each once, the list after what it lists")
                    .containsExactly(MediaTypes.DOCKER_MANIFEST, MediaTypes.DOCKER_MANIFEST, MediaTypes.DOCKER_LIST);
        }
    }

    @Test
    void twoNodesAtOnceGiveTheSame() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            List<CompletableFuture<PullAnswer>> answers = new ArrayList<>();
            for (int node = 0; node < 4; node++) {
                answers.add(images(bench).pull(pull(ImageForm.DOCKER_LIST)).toCompletableFuture());
            }
            PullAnswer first = answers.get(0).get(30, TimeUnit.SECONDS);
            for (CompletableFuture<PullAnswer> answer : answers) {
                assertThat(answer.get(30, TimeUnit.SECONDS)).isEqualTo(first);
            }
        }
    }

    @Test
    void aPartialListSaysWhatIsMissing() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            Images images = images(bench);
            PullAnswer.Served list =
                    served(get(images.pull(PullBench.pull("main", hint(AMD), Optional.empty(), ImageForm.DOCKER_LIST))
                            .toCompletableFuture()));
            assertThat(JSON.readTree(list.bytes().toArray()).path("manifests")).hasSize(1);
            assertThat(list.missing()).containsExactly(ARM);
            assertThat(get(images.pull(PullBench.pull("main", hint(AMD), Optional.empty(), ImageForm.DOCKER_LIST))
                            .toCompletableFuture()))
                    .as("the same object, by which its answer is remembered")
                    .isSameAs(list);
        }
    }

    @Test
    void whoTakesNoListGetsTheHintedPlatformsManifestOrTheDefaultOnes() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            Images images = images(bench);
            PullAnswer.Served list = served(answer(images, ImageForm.DOCKER_LIST));
            JsonNode children = JSON.readTree(list.bytes().toArray()).path("manifests");

            for (Optional<Platform> hinted : List.of(Optional.<Platform>empty(), Optional.of(AMD), Optional.of(ARM))) {
                Optional<Hint> hint = hinted.flatMap(DockerTypedImagesTest::hint);
                PullAnswer.Served manifest = served(
                        get(images.pull(PullBench.pull("main", hint, Optional.empty(), ImageForm.DOCKER_MANIFEST))
                                .toCompletableFuture()));
                assertThat(manifest.descriptor().digest().value())
                        .isEqualTo(children.get(hinted.equals(Optional.of(ARM)) ? 1 : 0)
                                .path("digest")
                                .asText());
                assertThat(manifest.descriptor().mediaType()).isEqualTo(MediaTypes.DOCKER_MANIFEST);
            }
        }
    }

    @Test
    void whatIsDockersAlreadyKeepsItsDigest() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            String own = manifest(MediaTypes.DOCKER_MANIFEST, MediaTypes.DOCKER_CONFIG, MediaTypes.DOCKER_LAYER_GZIP);
            bench.succeeds(AMD, MediaTypes.DOCKER_MANIFEST, own);
            bench.succeeds(ARM);
            Images images = images(bench);
            JsonNode children = JSON.readTree(served(answer(images, ImageForm.DOCKER_LIST))
                            .bytes()
                            .toArray())
                    .path("manifests");
            JsonNode listed = JSON.readTree(
                            served(answer(images, ImageForm.INDEX)).bytes().toArray())
                    .path("manifests");
            assertThat(children.get(0).path("digest")).isEqualTo(listed.get(0).path("digest"));
            assertThat(children.get(1).path("digest"))
                    .isNotEqualTo(listed.get(1).path("digest"));
            assertThat(children.get(1).path("mediaType").asText()).isEqualTo(MediaTypes.DOCKER_MANIFEST);
            assertThat(served(answer(images, ImageForm.DOCKER_MANIFEST)).bytes().utf8String())
                    .isEqualTo(own);
        }
    }

    @Test
    void aLayerForWhichDockerHasNoTypeIsToldAndHindersNobodyElse() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(
                    AMD,
                    MediaTypes.OCI_MANIFEST,
                    manifest(MediaTypes.OCI_MANIFEST, MediaTypes.OCI_CONFIG, MediaTypes.OCI_LAYER_ZSTD));
            bench.succeeds(ARM);
            Images images = images(bench);
            String reason = "Docker has no type for a layer of " + MediaTypes.OCI_LAYER_ZSTD;
            String remedy = "; use a client that takes OCI media types";
            assertThat(answer(images, ImageForm.DOCKER_MANIFEST))
                    .isEqualTo(new PullAnswer.BuildFailed(reason + remedy, Optional.empty()));
            PullAnswer.Served others = served(answer(images, ImageForm.DOCKER_LIST));
            assertThat(JSON.readTree(others.bytes().toArray()).path("manifests").findValuesAsText("architecture"))
                    .containsExactly("arm64");
            assertThat(others.missing()).containsExactly(AMD);
            assertThat(served(answer(images, ImageForm.DOCKER_LIST))).isSameAs(others);
            for (Pull pull : List.of(
                    PullBench.pull("main", hint(AMD), Optional.empty(), ImageForm.DOCKER_LIST),
                    PullBench.pull(
                            "main",
                            Optional.empty(),
                            Optional.empty(),
                            ImageForm.DOCKER_LIST,
                            PullBench.PLAN.forWholeIndex()))) {
                assertThat(get(images.pull(pull).toCompletableFuture()))
                        .isEqualTo(new PullAnswer.BuildFailed("linux/amd64: " + reason + remedy, Optional.empty()));
            }
            assertThat(served(
                            get(images.pull(PullBench.pull("main", hint(ARM), Optional.empty(), ImageForm.DOCKER_LIST))
                                    .toCompletableFuture())))
                    .isSameAs(others);
            assertThat(served(answer(images, ImageForm.INDEX)).descriptor().mediaType())
                    .isEqualTo(MediaTypes.OCI_INDEX);
        }
    }

    private static Images images(PullBench bench) {
        return new DockerTypedImages(bench.images(HINTED), bench.content(), bench.blocking());
    }

    private static Optional<Hint> hint(Platform platform) {
        return Optional.of(new Hint(platform, true, "?platform="));
    }

    private static Pull pull(ImageForm form) {
        return PullBench.pull("main", Optional.empty(), Optional.empty(), form);
    }

    private static PullAnswer answer(Images images, ImageForm form) throws Exception {
        return get(images.pull(pull(form)).toCompletableFuture());
    }

    private static PullAnswer get(CompletableFuture<PullAnswer> answer) throws Exception {
        return answer.get(30, TimeUnit.SECONDS);
    }

    private static String manifest(String mediaType, String config, String layer) {
        return "{\"schemaVersion\":2,\"mediaType\":\"" + mediaType + "\",\"config\":{\"mediaType\":\"" + config
                + "\",\"digest\":\"" + DIGEST + "\",\"size\":1},\"layers\":[{\"mediaType\":\"" + layer
                + "\",\"digest\":\"" + DIGEST + "\",\"size\":1}]}";
    }

    private static byte[] assertStored(ContentStore store, Digest digest, String mediaType) throws IOException {
        assertThat(store.links().find(APP, digest)).hasValueSatisfying(link -> {
            assertThat(link.kind()).isEqualTo(Links.Kind.MANIFEST);
            assertThat(link.mediaType()).isEqualTo(mediaType);
            assertThat(link.origin()).startsWith("docker:sha256:");
        });
        try (var in = store.blobs().open(digest)) {
            return in.readAllBytes();
        }
    }

    /** Holds the link of a list back until it is released. */
    private static final class HeldLinks implements Links {
        final CountDownLatch reached = new CountDownLatch(1);
        final CountDownLatch release = new CountDownLatch(1);
        final List<String> published = new ArrayList<>();
        private final Links links;

        HeldLinks(Links links) {
            this.links = links;
        }

        @Override
        public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
            if (link.mediaType().equals(MediaTypes.DOCKER_LIST)) {
                reached.countDown();
                try {
                    release.await();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
            links.publish(repository, digest, link);
            synchronized (published) {
                published.add(link.mediaType());
            }
        }

        @Override
        public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
            return links.find(repository, digest);
        }
    }
}
