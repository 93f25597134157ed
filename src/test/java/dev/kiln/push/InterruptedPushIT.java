package dev.kiln.push;

import static dev.kiln.testing.PushClient.with;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.push.ConformanceData.Traits;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pushes that end in the middle, by the client or by the server's death: taken up or repeated, and never half there. */
class InterruptedPushIT {
    @TempDir
    private Path directory;

    private KilnProcess server;
    private PushClient repo;

    @BeforeEach
    void start() {
        server = KilnProcess.start(directory, "kiln.repositories = [{ name = \"**\", push = true }]");
        repo = new PushClient(server.registry(), "cut/off");
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private static byte[] random(int size, int seed) {
        byte[] bytes = new byte[size];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private static String latin(byte[] bytes, int length) {
        return new String(bytes, 0, length, StandardCharsets.ISO_8859_1);
    }

    /** What the server has of an upload. */
    private int acknowledged(String location) {
        Answer state = repo.get(location);
        assertThat(state.status()).isEqualTo(204);
        int last = Integer.parseInt(state.header("Range").substring(2));
        return last == 0 ? 0 : last + 1;
    }

    @Test
    void anUploadThatTheClientBreaksOffAtAnyByteIsGoneOnWith() throws Exception {
        byte[] blob = random(300_000, 1);
        Digest digest = Digest.sha256(blob);
        for (int sent : new int[] {0, 1, 2, 1000, 65_536, 65_537, 131_072, 299_999}) {
            String location = repo.upload();
            try (Wire wire = new Wire(server.registry().getPort())) {
                wire.send("PATCH " + location + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + blob.length + "\r\n\r\n"
                        + latin(blob, sent));
                wire.reset();
            }
            assertThat(repo.head("blobs/" + digest).status()).isEqualTo(404);

            int from = acknowledged(location);
            assertThat(from).isLessThanOrEqualTo(sent);
            Answer rest = repo.chunk("PATCH", location, blob, from, blob.length);
            while (rest.status() == 416) {
                // The server saw the end of the connection only now, and has kept what came.
                from = acknowledged(location);
                rest = repo.chunk("PATCH", location, blob, from, blob.length);
            }
            assertThat(rest.status()).as(rest.toString()).isEqualTo(202);
            assertThat(repo.send("PUT", with(location, "digest", digest.value()))
                            .status())
                    .isEqualTo(201);
            assertThat(repo.get("blobs/" + digest).body()).isEqualTo(blob);
            assertThat(repo.delete("blobs/" + digest).status()).isEqualTo(202);
        }
    }

    @Test
    void aLastChunkThatBreaksOffLeavesTheUploadAsItWas() throws Exception {
        byte[] blob = random(300_000, 5);
        Digest digest = Digest.sha256(blob);
        for (int sent : new int[] {0, 1, 65_536, 199_999}) {
            String location = repo.upload();
            assertThat(repo.chunk("PATCH", location, blob, 0, 60_000).status()).isEqualTo(202);
            assertThat(repo.chunk("PATCH", location, blob, 60_000, 100_000).status())
                    .isEqualTo(202);
            String put = "PUT " + with(location, "digest", digest.value());
            for (String range : new String[] {"", "Content-Range: 100000-299999\r\n"}) {
                try (Wire wire = new Wire(server.registry().getPort())) {
                    wire.send(put + " HTTP/1.1\r\nHost: x\r\n" + range + "Content-Length: 200000\r\n\r\n"
                            + latin(Arrays.copyOfRange(blob, 100_000, 300_000), sent));
                    wire.reset();
                }
                assertThat(repo.head("blobs/" + digest).status()).isEqualTo(404);
                assertThat(acknowledged(location)).isEqualTo(100_000);
            }
            assertThat(repo.chunk("PUT", with(location, "digest", digest.value()), blob, 100_000, blob.length)
                            .status())
                    .isEqualTo(201);
            assertThat(repo.get("blobs/" + digest).body()).isEqualTo(blob);
            assertThat(repo.delete("blobs/" + digest).status()).isEqualTo(202);
        }
    }

    /** As skopeo does with every request. */
    @Test
    void whoWantsTheConnectionClosedIsAnsweredAsOthersAre() throws Exception {
        byte[] blob = random(3_000_000, 4);
        String location = repo.upload();
        String head = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: " + blob.length + "\r\n\r\n";

        Wire.Answer patched =
                Wire.once(server.registry().getPort(), "PATCH " + location + head + latin(blob, blob.length));
        assertThat(patched.status()).isEqualTo(202);
        assertThat(patched.header("Range")).isEqualTo("0-" + (blob.length - 1));
        String put = with(repo.upload(), "digest", Digest.sha256(blob).value());
        assertThat(Wire.once(server.registry().getPort(), "PUT " + put + head + latin(blob, blob.length))
                        .status())
                .isEqualTo(201);
    }

    @Test
    void whatIsSentAsOneAndBreaksOffLeavesNothing() throws Exception {
        byte[] blob = random(100_000, 2);
        Digest digest = Digest.sha256(blob);
        ConformanceData data = new ConformanceData("cut");
        byte[] index = data.manifests.get(data.index(new Traits()));
        for (String head : new String[] {
            "PUT " + with(repo.upload(), "digest", digest.value()), "POST /v2/cut/off/blobs/uploads/?digest=" + digest
        }) {
            try (Wire wire = new Wire(server.registry().getPort())) {
                wire.send(head + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + blob.length + "\r\n\r\n"
                        + latin(blob, 50_000));
                wire.reset();
            }
            assertThat(repo.head("blobs/" + digest).status()).isEqualTo(404);
        }
        try (Wire wire = new Wire(server.registry().getPort())) {
            wire.send("PUT /v2/cut/off/manifests/cut HTTP/1.1\r\nHost: x\r\nContent-Type: " + MediaTypes.OCI_INDEX
                    + "\r\nContent-Length: " + index.length + "\r\n\r\n" + latin(index, index.length - 1));
            wire.reset();
        }
        assertThat(repo.get("manifests/cut").status()).isEqualTo(404);
        assertThat(repo.get("manifests/" + Digest.sha256(index)).status()).isEqualTo(404);
        assertThat(repo.push(blob)).isEqualTo(digest);
        assertThat(repo.putManifest("cut", MediaTypes.OCI_INDEX, index).status())
                .isEqualTo(201);
    }

    @Test
    void anUploadSurvivesTheServersDeathUpToTheLastAcknowledgedByte() throws Exception {
        byte[] blob = random(2_000_000, 3);
        Digest digest = Digest.sha256(blob);
        String location = repo.upload();
        assertThat(repo.chunk("PATCH", location, blob, 0, 700_000).status()).isEqualTo(202);
        assertThat(repo.chunk("PATCH", location, blob, 700_000, 800_001).status())
                .isEqualTo(202);
        try (Wire wire = new Wire(server.registry().getPort())) {
            wire.send("PATCH " + location + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
                    + latin(Arrays.copyOfRange(blob, 800_001, 1_000_000), 199_999));
            server.kill();
        }
        server.start();
        repo = new PushClient(server.registry(), "cut/off");

        int from = acknowledged(location);
        assertThat(from).isGreaterThanOrEqualTo(800_001);
        assertThat(repo.head("blobs/" + digest).status()).isEqualTo(404);
        assertThat(repo.chunk("PUT", with(location, "digest", digest.value()), blob, from, blob.length)
                        .status())
                .isEqualTo(201);
        assertThat(repo.get("blobs/" + digest).body()).isEqualTo(blob);
    }

    @Test
    void whateverIsKilledWhatWasAnsweredIsThereAndWhatIsThereIsComplete() throws Exception {
        Map<String, Digest> answered = new ConcurrentHashMap<>();
        AtomicInteger number = new AtomicInteger();
        for (int life = 0; life < 3; life++) {
            int before = answered.size();
            PushClient client = new PushClient(server.registry(), "cut/off");
            ExecutorService pushers = Executors.newFixedThreadPool(3);
            for (int i = 0; i < 3; i++) {
                Future<?> unused = pushers.submit(() -> pushUntilItFails(client, number, answered));
            }
            Awaitility.await().atMost(java.time.Duration.ofMinutes(3)).until(() -> answered.size() >= before + 5);
            server.kill();
            pushers.shutdown();
            assertThat(pushers.awaitTermination(2, TimeUnit.MINUTES)).isTrue();
            assertThat(JournalCheck.check(directory.resolve("data"))).isEmpty();
            server.start();
            repo = new PushClient(server.registry(), "cut/off");
            answered.forEach(
                    (tag, digest) -> assertThat(repo.head("manifests/" + tag).header("Docker-Content-Digest"))
                            .as(tag)
                            .isEqualTo(digest.value()));
            for (JsonNode tag : repo.get("tags/list").json().get("tags")) {
                assertComplete(tag.asText());
            }
        }
    }

    private static void pushUntilItFails(PushClient client, AtomicInteger number, Map<String, Digest> answered) {
        try {
            while (true) {
                String tag = "v" + number.incrementAndGet();
                ConformanceData data = new ConformanceData(tag);
                Digest image = data.image(new Traits());
                data.blobs.forEach((digest, blob) -> client.push(blob, digest));
                if (client.putManifest(tag, MediaTypes.OCI_MANIFEST, data.manifests.get(image))
                                .status()
                        == 201) {
                    answered.put(tag, image);
                }
            }
        } catch (UncheckedIOException | AssertionError e) {
            // the server is gone
        }
    }

    private void assertComplete(String reference) throws IOException {
        Answer manifest = repo.get("manifests/" + reference);
        assertThat(manifest.status()).as(reference).isEqualTo(200);
        assertThat(Digest.sha256(manifest.body()).value()).isEqualTo(manifest.header("Docker-Content-Digest"));
        for (String digest : manifest.json().findValuesAsText("digest")) {
            Answer blob = repo.get("blobs/" + digest);
            assertThat(blob.status()).as(reference + " needs " + digest).isEqualTo(200);
            assertThat(Digest.sha256(blob.body()).value()).isEqualTo(digest);
        }
    }
}
