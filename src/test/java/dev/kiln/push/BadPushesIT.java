package dev.kiln.push;

import static dev.kiln.testing.PushClient.with;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Digest;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.push.ConformanceData.Traits;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Pushes that nobody should make: each is told what is wrong with it by the specification's code, and leaves nothing. */
class BadPushesIT {
    private static final byte[] BLOB = "0123456789".repeat(10).getBytes(StandardCharsets.US_ASCII);
    private static final Digest DIGEST = Digest.sha256(BLOB);
    private static final String STRANGE = "sha256:" + "0".repeat(64);

    @TempDir
    private static Path directory;

    private static KilnProcess server;
    private static PushClient repo;

    @BeforeAll
    static void start() {
        server = KilnProcess.start(directory, """
                kiln.repositories = [{ name = "read/**", source.url = "/nowhere/{name}", platforms = ["linux/amd64"], builder = demo }
                                     { name = "**", push = true }]
                kiln.push.max-manifests = 4
                """);
        repo = new PushClient(server.registry(), "bad/pushes");
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static void assertRefused(Answer answer, int status, String code) {
        assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
        assertThat(answer.code()).isEqualTo(code);
    }

    @ParameterizedTest(name = "[{index}] {0} {1}")
    @CsvSource(delimiter = '|', textBlock = """
            POST   | /v2/UPPER/blobs/uploads/                     | 400 | NAME_INVALID
            POST   | /v2/a..b/blobs/uploads/                      | 400 | NAME_INVALID
            POST   | /v2/read/app/blobs/uploads/                  | 405 | UNSUPPORTED
            PUT    | /v2/read/app/manifests/v1                    | 405 | UNSUPPORTED
            DELETE | /v2/read/app/manifests/v1                    | 405 | UNSUPPORTED
            POST   | blobs/uploads/?digest=md5:00                 | 400 | DIGEST_INVALID
            POST   | blobs/uploads/?digest-algorithm=md5          | 400 | DIGEST_INVALID
            POST   | blobs/uploads/?mount=sha256:00               | 400 | DIGEST_INVALID
            POST   | blobs/uploads/?mount=                        | 400 | DIGEST_INVALID
            PUT    | blobs/uploads/                               | 405 | UNSUPPORTED
            PATCH  | blobs/uploads/                               | 405 | UNSUPPORTED
            GET    | blobs/uploads/                               | 405 | UNSUPPORTED
            GET    | blobs/uploads/nobody                         | 404 | BLOB_UPLOAD_UNKNOWN
            GET    | blobs/uploads/..%2f..%2fetc                  | 404 | BLOB_UPLOAD_UNKNOWN
            PATCH  | blobs/uploads/nobody                         | 404 | BLOB_UPLOAD_UNKNOWN
            PUT    | blobs/uploads/nobody?digest=STRANGE          | 404 | BLOB_UPLOAD_UNKNOWN
            PUT    | blobs/uploads/nobody                         | 400 | DIGEST_INVALID
            DELETE | blobs/uploads/nobody                         | 404 | BLOB_UPLOAD_UNKNOWN
            POST   | blobs/uploads/nobody                         | 405 | UNSUPPORTED
            PUT    | manifests/v1                                 | 400 | MANIFEST_INVALID
            PUT    | manifests/.v1                                | 400 | NAME_INVALID
            PUT    | manifests/STRANGE?tag=-x                     | 400 | NAME_INVALID
            PUT    | manifests/STRANGE                            | 400 | DIGEST_INVALID
            POST   | manifests/v1                                 | 405 | UNSUPPORTED
            PATCH  | manifests/v1                                 | 405 | UNSUPPORTED
            DELETE | manifests/v1                                 | 404 | MANIFEST_UNKNOWN
            DELETE | manifests/STRANGE                            | 404 | MANIFEST_UNKNOWN
            DELETE | blobs/STRANGE                                | 404 | BLOB_UNKNOWN
            PUT    | blobs/STRANGE                                | 405 | UNSUPPORTED
            DELETE | tags/list                                    | 405 | UNSUPPORTED
            GET    | tags/list?n=x                                | 400 | UNSUPPORTED
            GET    | referrers/sha256:x                           | 400 | DIGEST_INVALID
            GET    | referrers/STRANGE?last=x                     | 400 | DIGEST_INVALID
            PUT    | referrers/STRANGE                            | 405 | UNSUPPORTED
            DELETE | /v2/_catalog                                 | 405 | UNSUPPORTED
            """)
    void eachIsToldWhatIsWrong(String method, String target, int status, String code) {
        assertRefused(repo.send(method, target.replace("STRANGE", STRANGE)), status, code);
    }

    @Test
    void namesAreAsLongAsTheyMayBe() {
        String longest = "a".repeat(RepositoryName.MAX_LENGTH);
        assertThat(new PushClient(server.registry(), longest).push(BLOB)).isEqualTo(DIGEST);
        assertThat(new PushClient(server.registry(), longest)
                        .head("blobs/" + DIGEST)
                        .status())
                .isEqualTo(200);

        assertRefused(repo.send("POST", "/v2/" + longest + "a/blobs/uploads/"), 400, "NAME_INVALID");
        ConformanceData data = new ConformanceData("names");
        Digest index = data.index(new Traits());
        PushClient tagged = new PushClient(server.registry(), "bad/tags");
        assertThat(tagged.putManifest("t".repeat(128), MediaTypes.OCI_INDEX, data.manifests.get(index))
                        .status())
                .isEqualTo(201);
        assertRefused(
                tagged.putManifest("t".repeat(129), MediaTypes.OCI_INDEX, data.manifests.get(index)),
                400,
                "NAME_INVALID");
    }

    // ---- chunks

    @Test
    void chunksOutOfOrderOverlappingAndBeyondTheEndAreRefused() {
        String location = repo.upload();
        assertThat(repo.chunk("PATCH", location, BLOB, 0, 20).status()).isEqualTo(202);

        for (int from : new int[] {0, 10, 19, 21, 40}) {
            Answer refused = repo.chunk("PATCH", location, BLOB, from, 60);
            assertRefused(refused, 416, "BLOB_UPLOAD_INVALID");
            assertThat(refused.header("Range")).isEqualTo("0-19");
            assertThat(refused.header("Location")).isEqualTo(location);
        }
        for (String range :
                new String[] {"", "20", "20-", "-30", "30-20", "bytes", "20-x", "999999999999999999999-1"}) {
            assertRefused(repo.send("PATCH", location, BLOB, "Content-Range", range), 416, "BLOB_UPLOAD_INVALID");
        }
        assertThat(repo.get(location).header("Range")).isEqualTo("0-19");
        assertThat(repo.chunk("PATCH", location, BLOB, 20, 100).status()).isEqualTo(202);
        assertThat(repo.send("PUT", with(location, "digest", DIGEST.value())).status())
                .isEqualTo(201);
    }

    /** To a client that sends all before it reads. */
    private static Wire.Answer answerAfter(String methodAndTarget, int mebibytes, String... headers)
            throws IOException {
        try (Wire wire = new Wire(server.registry().getPort())) {
            wire.sendChunked(methodAndTarget, (long) mebibytes << 20, headers);
            return wire.read(false);
        }
    }

    @Test
    void aChunkThatIsRefusedIsRefusedAlsoWhenItIsLarge() throws Exception {
        String location = repo.upload();
        String unknown = location.substring(0, location.length() - 32) + "0".repeat(32);

        assertThat(answerAfter("PATCH " + location, 32, "Content-Range: 5-33554436")
                        .header("Range"))
                .isEqualTo("0-0");
        assertThat(answerAfter("PATCH " + location, 32, "Content-Range: 0-9").text())
                .contains("SIZE_INVALID");
        assertThat(answerAfter("PATCH " + unknown, 32).text()).contains("BLOB_UPLOAD_UNKNOWN");
        assertThat(answerAfter("PUT " + with(location, "digest", STRANGE), 32).text())
                .contains("DIGEST_INVALID");
        assertThat(repo.get(location).header("Range")).isEqualTo("0-0");
    }

    @Test
    void anUploadSaysHowFarItIsAndWhatItTakes() {
        String location = repo.upload();
        assertThat(repo.chunk("PATCH", location, BLOB, 0, 20).status()).isEqualTo(202);

        for (String method : List.of("GET", "HEAD")) {
            Answer answer = repo.send(method, location);
            assertThat(answer.status()).isEqualTo(204);
            assertThat(answer.header("Range")).isEqualTo("0-19");
            assertThat(answer.header("Location")).isEqualTo(location);
        }
        assertThat(repo.send("HEAD", location + "0").status()).isEqualTo(404);
        assertThat(repo.send("POST", location).header("Allow")).isEqualTo("GET, HEAD, PATCH, PUT, DELETE");
        for (String method : List.of("GET", "HEAD", "PUT")) {
            Answer answer = repo.send(method, "blobs/uploads/");
            assertThat(answer.status()).isEqualTo(405);
            assertThat(answer.header("Allow")).isEqualTo("POST");
        }
    }

    @Test
    void aBodyOfAnotherLengthThanItsRangeIsRefused() {
        String location = repo.upload();

        assertRefused(repo.send("PATCH", location, BLOB, "Content-Range", "0-9"), 400, "SIZE_INVALID");
        assertRefused(repo.send("PATCH", location, BLOB, "Content-Range", "0-500"), 400, "SIZE_INVALID");
        for (String range : new String[] {"0-9", "0-500"}) {
            Answer streamed = repo.send(
                    "PATCH",
                    location,
                    BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(BLOB)),
                    "Content-Range",
                    range);
            assertRefused(streamed, 400, "SIZE_INVALID");
        }
        assertThat(repo.get(location).header("Range")).isEqualTo("0-0");
        assertRefused(
                repo.send("PUT", with(location, "digest", DIGEST.value()), BLOB, "Content-Range", "0-9"),
                400,
                "SIZE_INVALID");
        assertThat(repo.head("blobs/" + Digest.sha256(Arrays.copyOf(BLOB, 10))).status())
                .isEqualTo(404);
    }

    @Test
    void ofTwoWritersInOneUploadOneGoesOn() throws Exception {
        String location = repo.upload();
        byte[] large = new byte[4 * 1024 * 1024];
        ExecutorService writers = Executors.newFixedThreadPool(2);
        try {
            Callable<Answer> writer = () -> repo.chunk("PATCH", location, large, 0, large.length);
            Future<Answer> one = writers.submit(writer);
            Future<Answer> two = writers.submit(writer);
            assertThat(new int[] {one.get().status(), two.get().status()}).contains(202);
            assertThat(java.util.List.of(one.get().status(), two.get().status()))
                    .isSubsetOf(202, 416);
        } finally {
            writers.shutdownNow();
        }
        assertThat(repo.get(location).header("Range")).isEqualTo("0-" + (large.length - 1));
        assertThat(repo.send(
                                "PUT",
                                with(location, "digest", Digest.sha256(large).value()))
                        .status())
                .isEqualTo(201);
    }

    @Test
    void anUploadBelongsToItsRepository() {
        String location = repo.upload();
        PushClient stranger = new PushClient(server.registry(), "bad/stranger");

        String elsewhere = location.replace("/bad/pushes/", "/bad/stranger/");
        assertRefused(stranger.get(elsewhere), 404, "BLOB_UPLOAD_UNKNOWN");
        assertRefused(stranger.send("PATCH", elsewhere, BLOB), 404, "BLOB_UPLOAD_UNKNOWN");
        assertRefused(
                stranger.send("PUT", with(elsewhere, "digest", DIGEST.value()), BLOB), 404, "BLOB_UPLOAD_UNKNOWN");
    }

    @Test
    void aBlobOfOneRepositoryIsNoOtherOnes() {
        byte[] secret = "only here".getBytes(StandardCharsets.US_ASCII);
        Digest digest = repo.push(secret);
        PushClient stranger = new PushClient(server.registry(), "bad/stranger");

        assertRefused(stranger.get("blobs/" + digest), 404, "BLOB_UNKNOWN");
        assertThat(stranger.head("blobs/" + digest).status()).isEqualTo(404);
        assertRefused(new PushClient(server.registry(), "bad/none").get("blobs/" + digest), 404, "BLOB_UNKNOWN");
    }

    // ---- manifests

    @Test
    void manifestsOverFourMebibytesAreRefused() throws Exception {
        byte[] large = new byte[ImageManifest.MAX_SIZE + 1];
        Arrays.fill(large, (byte) ' ');

        assertRefused(repo.putManifest("large", MediaTypes.OCI_INDEX, large), 413, "MANIFEST_INVALID");
        assertRefused(
                repo.send(
                        "PUT",
                        "manifests/large",
                        BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(large)),
                        "Content-Type",
                        MediaTypes.OCI_INDEX),
                413,
                "MANIFEST_INVALID");
        for (int mebibytes : new int[] {8, 64}) {
            assertThat(answerAfter("PUT /v2/bad/pushes/manifests/large", mebibytes)
                            .status())
                    .isEqualTo(413);
        }
        // Refused before a byte of it is sent.
        String head = "PUT /v2/bad/pushes/manifests/large HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
        assertThat(Wire.once(server.registry().getPort(), head).status()).isEqualTo(413);
    }

    @Test
    void aManifestHasAsManyTagsAtOnceAsFitAndNoMore() {
        ConformanceData data = new ConformanceData("tags");
        Digest digest = data.index(new Traits());
        PushClient tagged = new PushClient(server.registry(), "bad/many");
        String hundred = digest + "?" + "tag=t&".repeat(97) + "tag=1&tag=2&tag=3";

        assertRefused(
                tagged.putManifest(hundred + "&tag=t", MediaTypes.OCI_INDEX, data.manifests.get(digest)),
                414,
                "UNSUPPORTED");
        assertThat(tagged.get("manifests/" + digest).status()).isEqualTo(404);
        assertThat(tagged.putManifest(hundred, MediaTypes.OCI_INDEX, data.manifests.get(digest))
                        .status())
                .isEqualTo(201);
        assertThat(tagged.get("tags/list").json().get("tags").size()).isEqualTo(4);
    }

    /** The specification has that parameter beside a digest only. */
    @Test
    void aPushByTagSetsNoOtherTag() {
        ConformanceData data = new ConformanceData("tag");
        byte[] index = data.manifests.get(data.index(new Traits()));
        PushClient tagged = new PushClient(server.registry(), "bad/tag");

        Answer pushed = tagged.putManifest("v1?tag=v2", MediaTypes.OCI_INDEX, index);

        assertThat(pushed.status()).isEqualTo(201);
        assertThat(pushed.header("OCI-Tag")).isEmpty();
        assertThat(tagged.get("tags/list").json().get("tags").toString()).isEqualTo("[\"v1\"]");
    }

    @Test
    void aManifestThatRefersToWhatIsNotHereNamesIt() {
        ConformanceData data = new ConformanceData("missing");
        Digest image = data.image(new Traits());
        Digest index = data.index(new Traits(), image);
        Map.Entry<Digest, byte[]> first = data.blobs.entrySet().iterator().next();
        repo.push(first.getValue(), first.getKey());

        Answer refused = repo.putManifest("missing", MediaTypes.OCI_MANIFEST, data.manifests.get(image));

        assertRefused(refused, 404, "MANIFEST_BLOB_UNKNOWN");
        JsonNode errors = refused.json().get("errors");
        assertThat(errors.size()).as("one for each").isEqualTo(data.blobs.size() - 1);
        errors.forEach(error -> assertThat(data.blobs)
                .containsKey(new Digest(error.at("/detail/digest").asText())));
        assertRefused(
                repo.putManifest("missing", MediaTypes.OCI_INDEX, data.manifests.get(index)),
                404,
                "MANIFEST_BLOB_UNKNOWN");
        assertThat(repo.get("manifests/missing").status()).isEqualTo(404);
        assertThat(repo.get("manifests/" + image).status()).isEqualTo(404);
        assertThat(repo.get("blobs/" + image).status()).isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(ints = {33, 1000, 1_000_000})
    void deepManifestsAreRefused(int depth) {
        String manifest = "{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[],\"x\":"
                + "[".repeat(depth) + "]".repeat(depth) + "}";

        assertRefused(
                repo.putManifest("deep", MediaTypes.OCI_INDEX, manifest.getBytes(StandardCharsets.US_ASCII)),
                400,
                "MANIFEST_INVALID");
        assertThat(repo.get("manifests/deep").status()).isEqualTo(404);
    }

    /** An index cannot name itself, nor what names it, by a digest; whoever tries names what is not here. */
    @Test
    void anIndexThatNamesWhatIsToNameItIsRefused() {
        String entry = "{\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"digest\":\"%s\",\"size\":100}";
        String index =
                "{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[" + entry + "]}";
        byte[] one = index.formatted(STRANGE).getBytes(StandardCharsets.US_ASCII);
        byte[] other = index.formatted(Digest.sha256(one)).getBytes(StandardCharsets.US_ASCII);

        for (byte[] either : List.of(other, one)) {
            assertRefused(repo.putManifest("circle", MediaTypes.OCI_INDEX, either), 404, "MANIFEST_BLOB_UNKNOWN");
        }
    }

    @Test
    void whatIsDeletedAsAManifestIsNoBlobAnyMore() {
        byte[] index = ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[]}")
                .getBytes(StandardCharsets.US_ASCII);
        Digest digest = Digest.sha256(index);
        for (int i = 0; i < 20; i++) {
            assertThat(repo.putManifest("soon", MediaTypes.OCI_INDEX, index).status())
                    .isEqualTo(201);
            assertThat(repo.delete("manifests/" + digest).status()).isEqualTo(202);
            // Its link may have gone in the very moment between two looks.
            assertThat(repo.delete("blobs/" + digest).status()).isIn(404, 202);
            assertRefused(repo.get("blobs/" + digest), 404, "BLOB_UNKNOWN");
        }
    }

    @Test
    void aBlobOfTheBytesOfADeletedManifestIsThereWhenItWasTaken() {
        byte[] index = ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX
                        + "\",\"manifests\":[],\"annotations\":{\"a\":\"blob\"}}")
                .getBytes(StandardCharsets.US_ASCII);
        Digest digest = Digest.sha256(index);
        for (int i = 0; i < 20; i++) {
            assertThat(repo.putManifest("both", MediaTypes.OCI_INDEX, index).status())
                    .isEqualTo(201);
            assertThat(repo.delete("manifests/" + digest).status()).isEqualTo(202);
            assertThat(repo.push(index)).isEqualTo(digest);
            assertThat(repo.head("blobs/" + digest).status()).isEqualTo(200);
            assertThat(repo.get("blobs/" + digest).status()).isEqualTo(200);

            assertThat(repo.putManifest("both", MediaTypes.OCI_INDEX, index).status())
                    .isEqualTo(201);
            assertRefused(repo.delete("blobs/" + digest), 403, "DENIED");
            assertThat(repo.delete("manifests/" + digest).status()).isEqualTo(202);
            assertThat(repo.get("blobs/" + digest).status()).isEqualTo(200);
            assertThat(repo.delete("blobs/" + digest).status()).isEqualTo(202);
            assertRefused(repo.get("blobs/" + digest), 404, "BLOB_UNKNOWN");
        }
    }

    /** What a mirror's client says of where it thinks it is (clients.md). */
    @Test
    void aNamespaceIsTakenWithEveryRequestOfAPush() {
        String location =
                repo.send("POST", "blobs/uploads/?ns=registry.example.com").header("Location");
        Digest digest = Digest.sha256(BLOB);
        assertThat(repo.send(
                                "PUT",
                                PushClient.with(
                                        PushClient.with(location, "digest", digest.value()), "ns", "example.com"),
                                BLOB)
                        .status())
                .isEqualTo(201);
        assertThat(repo.head("blobs/" + digest + "?ns=registry.example.com").status())
                .isEqualTo(200);
    }

    @Test
    void aBlobIsNoManifestThatAnIndexMayList() {
        byte[] text = "{\"schemaVersion\":2}".getBytes(StandardCharsets.US_ASCII);
        Digest blob = repo.push(text);
        String index =
                "{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[{\"mediaType\":\""
                        + MediaTypes.OCI_MANIFEST + "\",\"digest\":\"" + blob + "\",\"size\":" + text.length + "}]}";

        assertRefused(
                repo.putManifest("liar", MediaTypes.OCI_INDEX, index.getBytes(StandardCharsets.US_ASCII)),
                404,
                "MANIFEST_BLOB_UNKNOWN");
        assertThat(repo.get("manifests/" + blob).status()).isEqualTo(404);
    }

    @Test
    void sizesMustBeTrue() {
        Digest blob = repo.push(BLOB);
        String image =
                "{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_MANIFEST + "\",\"config\":{\"mediaType\":\""
                        + MediaTypes.OCI_CONFIG + "\",\"digest\":\"" + blob + "\",\"size\":99},\"layers\":[]}";

        assertRefused(
                repo.putManifest("liar", MediaTypes.OCI_MANIFEST, image.getBytes(StandardCharsets.US_ASCII)),
                400,
                "SIZE_INVALID");
    }

    @Test
    void contentTypesAreReadWithoutTheirParameters() {
        ConformanceData data = new ConformanceData("types");
        byte[] index = data.manifests.get(data.index(new Traits()));
        PushClient types = new PushClient(server.registry(), "bad/types");

        assertThat(types.putManifest("a", MediaTypes.OCI_INDEX + "; charset=utf-8", index)
                        .status())
                .isEqualTo(201);
        assertThat(types.get("manifests/a").header("Content-Type")).isEqualTo(MediaTypes.OCI_INDEX);
        assertRefused(types.putManifest("b", MediaTypes.OCI_MANIFEST, index), 400, "MANIFEST_INVALID");
        assertRefused(types.putManifest("b", "text/plain", index), 400, "MANIFEST_INVALID");
        assertThat(types.send("PUT", "manifests/c", index).status()).isEqualTo(201);
    }

    @Test
    void whatIsReferredToIsNotDeleted() {
        ConformanceData data = new ConformanceData("needed");
        Digest image = data.image(new Traits());
        Digest index = data.index(new Traits(), image);
        PushClient needed = new PushClient(server.registry(), "bad/needed");
        data.blobs.forEach((digest, blob) -> needed.push(blob, digest));
        needed.putManifest(image.value(), MediaTypes.OCI_MANIFEST, data.manifests.get(image));
        needed.putManifest("all", MediaTypes.OCI_INDEX, data.manifests.get(index));

        for (Digest blob : data.blobs.keySet()) {
            Answer refused = needed.delete("blobs/" + blob);
            assertRefused(refused, 403, "DENIED");
            assertThat(refused.json().at("/errors/0/message").asText()).contains(image.value());
        }
        assertRefused(needed.delete("manifests/" + image), 403, "DENIED");
        assertRefused(needed.delete("blobs/" + image), 403, "DENIED");
        assertThat(needed.get("manifests/all").status()).isEqualTo(200);
    }

    /** A layer that is had elsewhere need not be here; where it is, the manifest keeps it. */
    @Test
    void aForeignLayerThatWasPushedIsNotDeletedEither() {
        PushClient foreign = new PushClient(server.registry(), "bad/foreign");
        byte[] config = "{}".getBytes(StandardCharsets.US_ASCII);
        String layer = "{\"mediaType\":\"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip\","
                + "\"digest\":\"%s\",\"size\":%d}";
        String image = "{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_MANIFEST
                + "\",\"config\":{\"mediaType\":\"" + MediaTypes.OCI_CONFIG + "\",\"digest\":\"" + foreign.push(config)
                + "\",\"size\":2},\"layers\":["
                + layer.formatted(foreign.push(BLOB), BLOB.length) + "," + layer.formatted(STRANGE, 7) + "]}";
        assertThat(foreign.putManifest("v1", MediaTypes.OCI_MANIFEST, image.getBytes(StandardCharsets.US_ASCII))
                        .status())
                .isEqualTo(201);

        assertRefused(foreign.delete("blobs/" + DIGEST), 403, "DENIED");
        assertThat(foreign.get("blobs/" + DIGEST).status()).isEqualTo(200);
    }

    @Test
    void aRepositoryTakesSoManyManifestsAndNoMore() {
        PushClient full = new PushClient(server.registry(), "bad/full");
        for (int i = 0; i < 4; i++) {
            ConformanceData data = new ConformanceData("full " + i);
            Traits traits = new Traits();
            traits.annotations.put("number", Integer.toString(i));
            assertThat(full.putManifest("t" + i, MediaTypes.OCI_INDEX, data.manifests.get(data.index(traits)))
                            .status())
                    .isEqualTo(201);
        }
        ConformanceData data = new ConformanceData("one more");
        byte[] index = data.manifests.get(data.index(new Traits()));

        assertRefused(full.putManifest("t4", MediaTypes.OCI_INDEX, index), 403, "DENIED");
        assertThat(full.get("manifests/" + Digest.sha256(index)).status()).isEqualTo(404);
        assertThat(full.delete("manifests/" + full.head("manifests/t0").header("Docker-Content-Digest"))
                        .status())
                .isEqualTo(202);
        byte[] parent = data.manifests.get(data.index(new Traits(), Digest.sha256(index)));
        assertRefused(full.putManifest("t5", MediaTypes.OCI_INDEX, parent), 404, "MANIFEST_BLOB_UNKNOWN");
        assertThat(full.putManifest("t4", MediaTypes.OCI_INDEX, index).status()).isEqualTo(201);
    }

    // ---- lists

    @Test
    void theCatalogListsWhatHasSomething() {
        ConformanceData data = new ConformanceData("catalog");
        byte[] index = data.manifests.get(data.index(new Traits()));
        for (String name : new String[] {"catalog/a", "catalog/b", "catalog/c"}) {
            new PushClient(server.registry(), name).putManifest("x", MediaTypes.OCI_INDEX, index);
        }
        PushClient c = new PushClient(server.registry(), "catalog/c");

        org.awaitility.Awaitility.await()
                .untilAsserted(() -> assertThat(names("/v2/_catalog?last=catalog/"))
                        .startsWith("catalog/a", "catalog/b", "catalog/c"));
        Answer page = repo.get("/v2/_catalog?n=1&last=catalog/a");
        assertThat(page.json().get("repositories").get(0).asText()).isEqualTo("catalog/b");
        assertThat(page.header("Link")).isEqualTo("</v2/_catalog?n=1&last=catalog%2Fb>; rel=\"next\"");
        assertThat(c.delete("manifests/" + Digest.sha256(index)).status()).isEqualTo(202);
        org.awaitility.Awaitility.await()
                .untilAsserted(() -> assertThat(names("/v2/_catalog?last=catalog/"))
                        .startsWith("catalog/a", "catalog/b")
                        .doesNotContain("catalog/c"));
    }

    private static java.util.List<String> names(String target) {
        java.util.List<String> names = new java.util.ArrayList<>();
        repo.get(target).json().get("repositories").forEach(name -> names.add(name.asText()));
        return names;
    }

    @Test
    void referrersComeInPages() {
        PushClient many = new PushClient(server.registry(), "bad/referrers");
        Digest subject = Digest.sha256(BLOB);
        for (int i = 0; i < 3; i++) {
            ConformanceData data = new ConformanceData("referrer " + i);
            Traits traits = new Traits().about(subject);
            traits.artifactType = java.util.Optional.of(ConformanceData.TYPE_1);
            traits.annotations.put("large", Integer.toString(i) + "x".repeat(200_000));
            assertThat(many.putManifest("r" + i, MediaTypes.OCI_INDEX, data.manifests.get(data.index(traits)))
                            .status())
                    .isEqualTo(201);
        }
        java.util.Set<String> seen = new java.util.HashSet<>();
        String next = "referrers/" + subject + "?artifactType=" + ConformanceData.TYPE_1;
        int pages = 0;
        while (!next.isEmpty()) {
            Answer page = many.get(next);
            assertThat(page.status()).isEqualTo(200);
            assertThat(page.body().length).isLessThanOrEqualTo(256 * 1024);
            assertThat(page.header("OCI-Filters-Applied")).isEqualTo("artifactType");
            page.json()
                    .get("manifests")
                    .forEach(each -> seen.add(each.get("digest").asText()));
            String link = page.header("Link");
            next = link.isEmpty() ? "" : link.substring(1, link.indexOf('>'));
            pages++;
        }
        assertThat(seen).hasSize(3);
        assertThat(pages).isEqualTo(3);
    }
}
