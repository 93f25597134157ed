package dev.kiln.push;

import static org.assertj.core.api.Assertions.assertThat;

import akka.util.ByteString;
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
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Two hundred clients push images that share layers while manifests are deleted and what nothing needs is collected, as
 * early as the server can be told to: every manifest that got its 201 and was not deleted is complete.
 */
class ConcurrentPushesIT {
    private static final int PUSHERS = 200;
    private static final int IMAGES = 3;
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
    private final Set<Image> stored = ConcurrentHashMap.newKeySet();

    private List<PushClient> repositories;

    private record Image(PushClient repository, String tag, Digest manifest, List<Blob> blobs) {}

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
                    Random random = new Random(i);
                    all.add(clients.submit(() -> pushAndDelete(random)));
                }
                for (Future<?> client : all) {
                    client.get(8, TimeUnit.MINUTES);
                }
            } finally {
                clients.shutdownNow();
            }
            assertThat(stored).hasSizeBetween(PUSHERS, PUSHERS * IMAGES - PUSHERS / 2);
            stored.forEach(ConcurrentPushesIT::assertComplete);

            stored.forEach(ConcurrentPushesIT::delete);
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

    private void pushAndDelete(Random random) {
        for (int i = 0; i < IMAGES; i++) {
            Image image = push(random);
            if (random.nextInt(3) == 0) {
                stored.remove(image);
                delete(image);
            }
        }
    }

    /** As clients do: what is there is not sent; and what went before the manifest came is sent again. */
    private Image push(Random random) {
        PushClient repository = repositories.get(random.nextInt(repositories.size()));
        PushClient other = repositories.get(random.nextInt(repositories.size()));
        String tag = "t" + Long.toHexString(random.nextLong());
        List<Blob> blobs = new ArrayList<>(
                random.ints(4, 0, LAYERS).distinct().mapToObj(layers::get).toList());
        ByteString manifest = RandomImages.utf8("""
                {"schemaVersion":2,"mediaType":"%s","config":%s,"layers":[%s],"annotations":{"tag":"%s"}}""".formatted(
                MediaTypes.OCI_MANIFEST,
                CONFIG.json(""),
                String.join(",", blobs.stream().map(blob -> blob.json("")).toList()),
                tag));
        blobs.add(CONFIG);
        while (true) {
            blobs.forEach(blob -> pushOrMount(repository, other, blob));
            Answer answer = patiently(() -> repository.putManifest(tag, MediaTypes.OCI_MANIFEST, manifest.toArray()));
            if (answer.status() == 201) {
                Image image = new Image(repository, tag, Digest.sha256(manifest.toArray()), blobs);
                stored.add(image);
                return image;
            }
            assertThat(answer.code()).as(answer.toString()).isEqualTo("MANIFEST_BLOB_UNKNOWN");
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

    private static void delete(Image image) {
        Answer deleted = patiently(() -> image.repository().delete("manifests/" + image.manifest()));
        // 404: the answer of a request before this one was late
        assertThat(deleted.status()).as(deleted.toString()).isIn(202, 404);
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

    private static void assertComplete(Image image) {
        Answer byTag = image.repository().get("manifests/" + image.tag());
        assertThat(byTag.header("Docker-Content-Digest"))
                .as(byTag.toString())
                .isEqualTo(image.manifest().value());
        for (Blob blob : image.blobs()) {
            Answer answer = image.repository().get("blobs/" + blob.digest());
            assertThat(answer.status()).as("%s of %s: %s", blob, image, answer).isEqualTo(200);
            assertThat(Digest.sha256(answer.body())).isEqualTo(blob.digest());
        }
    }
}
