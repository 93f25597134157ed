package dev.kiln.push;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two hundred clients push images that share layers, and every third of them indexes of images that others push too, while
 * manifests and blobs are deleted and what nothing needs is collected, as early as the server can be told to: every manifest
 * that got its 201 and was not deleted is complete, through its images down to their blobs.
 */
class ConcurrentPushesIT {
    private static final int PUSHERS = 200;
    private static final int PUSHES = 3;
    private static final int LAYERS = 20;
    private static final Blob CONFIG = new Blob(
            MediaTypes.OCI_CONFIG,
            RandomImages.utf8(
                    "{\"os\":\"linux\",\"architecture\":\"amd64\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}"));

    @TempDir
    Path directory;

    private final List<Blob> layers = IntStream.range(0, LAYERS)
            .mapToObj(i -> new Blob(MediaTypes.OCI_LAYER_GZIP, new RandomImages(i).bytes(5_000)))
            .toList();
    /** What got its answer, and was not deleted. */
    private final Set<Content> stored = ConcurrentHashMap.newKeySet();
    /** What got its answer once. */
    private final Set<Content> pushed = ConcurrentHashMap.newKeySet();

    private final AtomicInteger deleted = new AtomicInteger();

    private List<PushClient> repositories;

    /** A tagged manifest; an image has blobs, and an index has images. */
    private record Content(PushClient repository, String tag, Blob manifest, List<Blob> blobs, List<Content> images) {
        boolean isIndex() {
            return !images.isEmpty();
        }
    }

    @Test
    void whatWasPushedAndNotDeletedIsComplete() throws Exception {
        try (KilnProcess server = KilnProcess.start(directory, """
                kiln.repositories = [{ name = "**", push = true }]
                kiln.push { grace = 100ms, sweep = 100ms }
                """)) {
            repositories = List.of(
                    new PushClient(server.registry(), "team/one"),
                    new PushClient(server.registry(), "team/two"),
                    new PushClient(server.registry(), "three"));
            ExecutorService clients = Executors.newFixedThreadPool(PUSHERS);
            try {
                List<Future<?>> all = new ArrayList<>();
                for (int i = 0; i < PUSHERS; i++) {
                    Client client = new Client(i);
                    all.add(clients.submit(client::pushAndDelete));
                }
                for (Future<?> client : all) {
                    client.get(8, TimeUnit.MINUTES);
                }
            } finally {
                clients.shutdownNow();
            }
            assertThat(pushed).hasSizeGreaterThanOrEqualTo(PUSHERS * PUSHES);
            assertThat(stored).filteredOn(Content::isIndex).hasSizeGreaterThan(PUSHERS / 4);
            assertThat(deleted.get()).isGreaterThan(PUSHERS / 4);
            Set<String> seen = new HashSet<>();
            stored.forEach(content -> assertComplete(content, seen));

            whatAnIndexRefersToIsNotDeletedBeforeIt();
            pushed.stream()
                    .filter(content -> !content.isIndex())
                    .forEach(image ->
                            assertThat(patiently(() -> delete(image)).status()).isIn(202, 404));
            for (PushClient repository : repositories) {
                for (Blob layer : layers) {
                    // who asks for it keeps it for the grace time
                    Awaitility.await("what nothing needs has gone")
                            .pollDelay(Duration.ZERO)
                            .pollInterval(Duration.ofSeconds(1))
                            .atMost(Duration.ofMinutes(2))
                            .until(() ->
                                    repository.get("blobs/" + layer.digest()).status() == 404);
                }
            }
        }
    }

    private void whatAnIndexRefersToIsNotDeletedBeforeIt() {
        for (Content index : stored.stream().filter(Content::isIndex).toList()) {
            for (Content image : index.images()) {
                Answer refused = patiently(() -> delete(image));
                assertThat(refused.status()).as(refused.toString()).isEqualTo(403);
                assertThat(refused.json().at("/errors/0/message").asText()).contains("refers to it");
            }
        }
        for (Content index : pushed.stream().filter(Content::isIndex).toList()) {
            // 404 also when the answer of a request before this one was late
            assertThat(patiently(() -> delete(index)).status()).isIn(202, 404);
        }
    }

    private final class Client {
        private final boolean pushesIndexes;
        private final Random random;
        /** What it pushed, and did not delete. */
        private final List<Content> own = new ArrayList<>();

        Client(int number) {
            pushesIndexes = number % 3 == 0;
            random = new Random(number);
        }

        void pushAndDelete() {
            for (int i = 0; i < PUSHES; i++) {
                PushClient repository = some(repositories);
                Content content = pushesIndexes ? index(repository) : image(repository);
                push(content);
                own.add(content);
                if (random.nextInt(3) == 0) {
                    deleteOne();
                }
                Answer dropped = patiently(
                        () -> some(repositories).delete("blobs/" + some(layers).digest()));
                assertThat(dropped.status()).as(dropped.toString()).isIn(202, 403, 404);
            }
        }

        private <T> T some(List<T> all) {
            return all.get(random.nextInt(all.size()));
        }

        private void deleteOne() {
            Content content = own.remove(random.nextInt(own.size()));
            stored.remove(content);
            Answer answer = delete(content);
            assertThat(answer.status()).as(answer.toString()).isIn(202, 403, 503);
            if (answer.status() == 403) {
                // An index lists it, or is about to.
                assertThat(answer.code()).isEqualTo("DENIED");
                stored.add(content);
            } else if (answer.status() == 202) {
                deleted.incrementAndGet();
            }
        }

        private Content image(PushClient repository) {
            String tag = tag();
            List<Blob> blobs = new ArrayList<>(
                    random.ints(4, 0, LAYERS).distinct().mapToObj(layers::get).toList());
            Blob manifest = manifest(
                    MediaTypes.OCI_MANIFEST,
                    tag,
                    "\"config\":" + CONFIG.json("") + ",\"layers\":["
                            + String.join(
                                    ",",
                                    blobs.stream().map(blob -> blob.json("")).toList()) + "]");
            blobs.add(CONFIG);
            return new Content(repository, tag, manifest, blobs, List.of());
        }

        /** Of images of others that are there, and may be deleted at any moment, or of its own. */
        private Content index(PushClient repository) {
            List<Content> images = new ArrayList<>(stored.stream()
                    .filter(content -> content.repository() == repository && !content.isIndex())
                    .toList());
            Collections.shuffle(images, random);
            while (images.size() < 2) {
                Content image = image(repository);
                push(image);
                images.add(image);
            }
            List<Content> listed = List.copyOf(images.subList(0, 2));
            String entries = String.join(
                    ",", listed.stream().map(image -> image.manifest().json("")).toList());
            String tag = tag();
            return new Content(
                    repository,
                    tag,
                    manifest(MediaTypes.OCI_INDEX, tag, "\"manifests\":[" + entries + "]"),
                    List.of(),
                    listed);
        }

        private String tag() {
            return "t" + Long.toHexString(random.nextLong());
        }

        private Blob manifest(String mediaType, String tag, String references) {
            return new Blob(mediaType, RandomImages.utf8("""
                    {"schemaVersion":2,"mediaType":"%s",%s,"annotations":{"tag":"%s"}}""".formatted(mediaType, references, tag)));
        }

        private void push(Content content) {
            push(content, content.tag());
            pushed.add(content);
            stored.add(content);
        }

        /** As clients do: what is there is not sent; and what went before the manifest came is sent again. */
        private void push(Content content, String reference) {
            PushClient repository = content.repository();
            while (true) {
                for (Content image : content.images()) {
                    String digest = image.manifest().digest().value();
                    if (patiently(() -> repository.head("manifests/" + digest)).status() != 200) {
                        push(image, digest);
                    }
                }
                content.blobs().forEach(blob -> pushOrMount(repository, some(repositories), blob));
                Answer answer = patiently(() -> repository.putManifest(
                        reference,
                        content.manifest().mediaType(),
                        content.manifest().bytes().toArray()));
                if (answer.status() == 201) {
                    return;
                }
                assertThat(answer.status()).as(answer.toString()).isEqualTo(404);
                assertThat(answer.code()).isEqualTo("MANIFEST_BLOB_UNKNOWN");
            }
        }
    }

    private static void pushOrMount(PushClient repository, PushClient other, Blob blob) {
        if (patiently(() -> repository.head("blobs/" + blob.digest())).status() == 200) {
            return;
        }
        Answer begun = patiently(
                () -> repository.send("POST", "blobs/uploads/?mount=" + blob.digest() + "&from=" + other.repository()));
        if (begun.status() == 201) {
            return;
        }
        assertThat(begun.status()).as(begun.toString()).isEqualTo(202);
        String end = PushClient.with(
                begun.header("Location"), "digest", blob.digest().value());
        Answer pushed = patiently(
                () -> repository.send("PUT", end, blob.bytes().toArray(), "Content-Type", "application/octet-stream"));
        assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);
    }

    private static Answer delete(Content content) {
        return content.repository().delete("manifests/" + content.manifest().digest());
    }

    /** A server that is too busy for so many clients says so, and is asked again. */
    private static Answer patiently(Supplier<Answer> request) {
        for (int tries = 1; ; tries++) {
            Answer answer = request.get();
            if (answer.status() != 503 || tries == 20) {
                return answer;
            }
        }
    }

    /** @param seen what was found to be complete already */
    private static void assertComplete(Content content, Set<String> seen) {
        Answer byTag = content.repository().get("manifests/" + content.tag());
        assertThat(byTag.body())
                .as(byTag.toString())
                .isEqualTo(content.manifest().bytes().toArray());
        assertComplete(content.repository(), byTag.json(), seen);
    }

    private static void assertComplete(PushClient repository, JsonNode manifest, Set<String> seen) {
        manifest.path("manifests").forEach(entry -> {
            Answer child = assertThere(repository, "manifests/", entry);
            assertComplete(repository, child.json(), seen);
        });
        List<JsonNode> blobs = new ArrayList<>();
        manifest.path("layers").forEach(blobs::add);
        if (manifest.has("config")) {
            blobs.add(manifest.get("config"));
        }
        assertThat(manifest.path("manifests").size() + blobs.size()).isPositive();
        for (JsonNode blob : blobs) {
            if (seen.add(repository.repository() + blob.get("digest"))) {
                assertThere(repository, "blobs/", blob);
            }
        }
    }

    private static Answer assertThere(PushClient repository, String kind, JsonNode descriptor) {
        String digest = descriptor.get("digest").asText();
        Answer answer = repository.get(kind + digest);
        assertThat(answer.status())
                .as("%s of %s: %s", digest, repository.repository(), answer)
                .isEqualTo(200);
        assertThat(Digest.sha256(answer.body()).value()).isEqualTo(digest);
        return answer;
    }
}
