package dev.kiln.push;

import static dev.kiln.push.ConformanceData.EMPTY_JSON;
import static dev.kiln.push.ConformanceData.TYPE_1;
import static dev.kiln.push.ConformanceData.TYPE_2;
import static dev.kiln.testing.PushClient.with;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.push.ConformanceData.Traits;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The cases of the distribution specification's conformance suite (its second version, with every optional feature): all
 * ways of pushing a blob, with sha256 and sha512, and for each kind of content push, list, look, pull, referrers, delete.
 */
class ConformanceIT {
    private static final int CHUNK = 1024;

    @TempDir
    private static Path directory;

    private static KilnProcess server;
    private static PushClient repo;
    private static PushClient other;

    @BeforeAll
    static void start() {
        server = KilnProcess.start(directory, """
                kiln.repositories = [{ name = "conformance/**", push = true }]
                kiln.push.sparse = true
                """);
        repo = new PushClient(server.registry(), "conformance/one");
        other = new PushClient(server.registry(), "conformance/two");
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    // ---- what is there before anything is pushed

    @Test
    void ping() {
        assertThat(repo.get("/v2/").status()).isEqualTo(200);
    }

    @Test
    void anEmptyRepositoryHasNoReferrersAndNoTags() {
        PushClient empty = new PushClient(server.registry(), "conformance/empty");

        assertThat(empty.get("tags/list").status()).isIn(200, 404);
        Answer referrers = empty.get("referrers/" + Digest.sha256(new byte[] {1}));
        assertThat(referrers.status()).isEqualTo(200);
        assertThat(referrers.header("Content-Type")).isEqualTo(MediaTypes.OCI_INDEX);
        assertThat(referrers.json().get("mediaType").asText()).isEqualTo(MediaTypes.OCI_INDEX);
        assertThat(referrers.json().get("schemaVersion").asInt()).isEqualTo(2);
        assertThat(referrers.json().get("manifests")).isEmpty();
    }

    // ---- blobs

    @ParameterizedTest
    @CsvSource({
        "post only, sha256", "post only, sha512",
        "post put, sha256", "post put, sha512",
        "chunked single, sha256", "chunked single, sha512",
        "chunked multi, sha256", "chunked multi, sha512",
        "chunked multi and put chunk, sha256", "chunked multi and put chunk, sha512",
        "chunked out of order, sha256", "chunked out of order, sha512",
        "chunked out of order and put chunk, sha256", "chunked out of order and put chunk, sha512",
        "stream, sha256", "stream, sha512",
        "mount, sha256", "mount, sha512",
        "mount anonymous, sha256", "mount anonymous, sha512",
        "mount missing, sha256", "mount missing, sha512",
        "empty, sha256", "empty, sha512",
        "empty JSON, sha256", "empty JSON, sha512"
    })
    void aBlobIsPushedPulledAndDeleted(String how, String algorithm) {
        ConformanceData data = new ConformanceData(how + algorithm, algorithm);
        byte[] blob = switch (how) {
            case "empty" -> new byte[0];
            case "empty JSON" -> "{}".getBytes(StandardCharsets.US_ASCII);
            default -> data.bytes(how.contains("multi") || how.contains("order") ? 3 * CHUNK - 5 : 512);
        };
        Digest digest = data.digest(blob);
        assertThat(repo.get("blobs/" + digest).status()).as("before").isEqualTo(404);

        Answer created = push(how, blob, digest);

        assertCreated(created, digest, blob);
        assertBlob(repo, digest, blob);
        assertDeleted(repo, "blobs/" + digest);
        if (isMounted(how)) {
            assertBlob(other, digest, blob);
            assertDeleted(other, "blobs/" + digest);
        }
    }

    private static Answer push(String how, byte[] blob, Digest digest) {
        if (how.equals("mount missing")) {
            Answer begun = repo.send("POST", "blobs/uploads/?mount=" + digest + "&from=" + other.repository());
            assertThat(begun.status()).as(begun.toString()).isEqualTo(202);
            return repo.send(
                    "PUT",
                    with(begun.header("Location"), "digest", digest.value()),
                    blob,
                    "Content-Type",
                    "application/octet-stream");
        }
        if (isMounted(how)) {
            other.push(blob, digest);
            String from = how.endsWith("anonymous") ? "" : "&from=" + other.repository();
            return repo.send("POST", "blobs/uploads/?mount=" + digest + from);
        }
        if (how.startsWith("chunked")) {
            return chunked(blob, digest, how.contains("out of order"), how.endsWith("put chunk"));
        }
        if (how.equals("stream")) {
            Answer streamed = repo.stream("PATCH", repo.upload(), blob);
            assertThat(streamed.status()).isEqualTo(202);
            return repo.send("PUT", with(streamed.header("Location"), "digest", digest.value()));
        }
        return how.equals("post only")
                ? repo.send("POST", "blobs/uploads/?digest=" + digest, blob, "Content-Type", "application/octet-stream")
                : repo.send(
                        "PUT",
                        with(repo.upload(), "digest", digest.value()),
                        blob,
                        "Content-Type",
                        "application/octet-stream");
    }

    private static boolean isMounted(String how) {
        return how.equals("mount") || how.equals("mount anonymous");
    }

    /** @param wrong whether each chunk is preceded by one that is out of order */
    private static Answer chunked(byte[] blob, Digest digest, boolean wrong, boolean putLast) {
        String location = repo.upload();
        for (int from = 0; from < blob.length; from += CHUNK) {
            int to = Math.min(from + CHUNK, blob.length);
            if (wrong) {
                int badFrom = from + CHUNK < blob.length ? from + CHUNK : 0;
                int badTo = Math.min(badFrom + CHUNK, blob.length);
                boolean put = putLast && badTo == blob.length;
                Answer refused = repo.chunk(
                        put ? "PUT" : "PATCH",
                        put ? with(location, "digest", digest.value()) : location,
                        blob,
                        badFrom,
                        badTo);
                assertThat(refused.status()).isEqualTo(416);
                Answer state = repo.get(location);
                assertThat(state.status()).isEqualTo(204);
                assertThat(state.header("Range")).isEqualTo("0-" + Math.max(0, from - 1));
                location = state.header("Location");
            }
            if (putLast && to == blob.length) {
                return repo.chunk("PUT", with(location, "digest", digest.value()), blob, from, to);
            }
            Answer taken = repo.chunk("PATCH", location, blob, from, to);
            assertThat(taken.status()).isEqualTo(202);
            assertThat(taken.header("Range")).isEqualTo("0-" + (to - 1));
            location = taken.header("Location");
        }
        return repo.send("PUT", with(location, "digest", digest.value()));
    }

    @ParameterizedTest
    @CsvSource({
        "post only, sha256", "post only, sha512",
        "post put, sha256", "post put, sha512",
        "chunked multi, sha256", "chunked multi, sha512",
        "chunked multi and put chunk, sha256", "chunked multi and put chunk, sha512",
        "stream, sha256", "stream, sha512"
    })
    void aBlobOfAnotherDigestIsRefused(String how, String algorithm) {
        ConformanceData data = new ConformanceData("bad " + how + algorithm, algorithm);
        byte[] blob = data.bytes(3 * CHUNK - 5);
        Digest wrong = data.digest(data.bytes(5));

        Answer refused = push(how, blob, wrong);

        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.code()).isEqualTo("DIGEST_INVALID");
        assertThat(repo.head("blobs/" + wrong).status()).isEqualTo(404);
        assertThat(repo.head("blobs/" + data.digest(blob)).status()).isEqualTo(404);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sha256", "sha512"})
    void anUploadMaySayTheAlgorithmOfItsDigest(String algorithm) {
        ConformanceData data = new ConformanceData("algorithm " + algorithm, algorithm);
        byte[] blob = data.bytes(3 * CHUNK - 5);
        Digest digest = data.digest(blob);
        Answer begun = repo.send("POST", "blobs/uploads/?digest-algorithm=" + algorithm);
        assertThat(begun.status()).isEqualTo(202);
        assertThat(begun.header("OCI-Chunk-Min-Length"))
                .as("chunks may be of any length")
                .isEmpty();

        Answer first = repo.chunk("PATCH", begun.header("Location"), blob, 0, 1);
        assertThat(first.status()).isEqualTo(202);
        Answer second = repo.chunk("PATCH", first.header("Location"), blob, 1, blob.length);
        assertThat(second.status()).isEqualTo(202);
        Answer created = repo.send("PUT", with(second.header("Location"), "digest", digest.value()));

        assertCreated(created, digest, blob);
        assertDeleted(repo, "blobs/" + digest);
    }

    @Test
    void uploadsGoOnBesideEachOther() {
        ConformanceData data = new ConformanceData("beside");
        byte[] one = data.bytes(2 * CHUNK);
        byte[] two = data.bytes(2 * CHUNK);
        String first = repo.upload();
        String second = repo.upload();
        assertThat(first).isNotEqualTo(second);
        for (int from = 0; from < 2 * CHUNK; from += CHUNK) {
            first = repo.chunk("PATCH", first, one, from, from + CHUNK).header("Location");
            second = repo.chunk("PATCH", second, two, from, from + CHUNK).header("Location");
        }

        Digest digestOfTwo = data.digest(two);
        assertCreated(repo.send("PUT", with(second, "digest", digestOfTwo.value())), digestOfTwo, two);
        Digest digestOfOne = data.digest(one);
        assertCreated(repo.send("PUT", with(first, "digest", digestOfOne.value())), digestOfOne, one);
    }

    @Test
    void anUploadIsCancelled() {
        String location = repo.upload();

        assertThat(repo.delete(location).status()).isEqualTo(204);
        assertThat(repo.get(location).status()).isEqualTo(404);
        assertThat(repo.delete(location).code()).isEqualTo("BLOB_UPLOAD_UNKNOWN");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sha256", "sha512"})
    void rangesOfABlobArePulled(String algorithm) {
        ConformanceData data = new ConformanceData("ranges " + algorithm, algorithm);
        byte[] blob = data.bytes(2048);
        Digest digest = repo.push(blob, data.digest(blob));

        assertRange(digest, blob, "500-1499", 500, 1500);
        assertRange(digest, blob, "500-", 500, 2048);
        assertRange(digest, blob, "-500", 1548, 2048);
        assertRange(digest, blob, "2000-5000", 2000, 2048);
        assertThat(repo.get("blobs/" + digest, "Range", "bytes=5000-10000").status())
                .isEqualTo(416);
        assertThat(repo.get("blobs/" + digest, "Range", "bytes=500-0").status()).isEqualTo(416);
        assertDeleted(repo, "blobs/" + digest);
    }

    private static void assertRange(Digest digest, byte[] blob, String range, int from, int to) {
        Answer part = repo.get("blobs/" + digest, "Range", "bytes=" + range);
        assertThat(part.status()).isEqualTo(206);
        assertThat(part.header("Content-Length")).isEqualTo(Integer.toString(to - from));
        assertThat(part.header("Content-Range")).isEqualTo("bytes " + from + "-" + (to - 1) + "/" + blob.length);
        assertThat(part.body()).isEqualTo(Arrays.copyOfRange(blob, from, to));
    }

    // ---- every kind of content

    static Stream<ConformanceData> contents() {
        List<ConformanceData> all = new ArrayList<>();
        ConformanceData data = new ConformanceData("image");
        all.add(data.tag("image", data.image(new Traits())));

        data = new ConformanceData("image-uncompressed");
        all.add(data.tag("image-uncompressed", data.image(new Traits().layers(MediaTypes.OCI_LAYER))));

        data = new ConformanceData("large-manifest");
        Traits large = new Traits();
        for (int i = 0; i < 390; i++) {
            large.annotations.put("large-annotation-" + i, "A".repeat(10_000));
        }
        all.add(data.tag("large-manifest", data.image(large)));

        data = new ConformanceData("index");
        all.add(data.tag("index", data.indexOfImages(new Traits())));

        data = new ConformanceData("nested-index");
        all.add(data.tag(
                "index-of-index",
                data.index(new Traits(), data.indexOfImages(new Traits()), data.indexOfImages(new Traits()))));

        data = new ConformanceData("empty-index");
        all.add(data.tag("index", data.index(new Traits())));

        data = new ConformanceData("artifact");
        all.add(data.tag("artifact", data.image(new Traits().artifact(TYPE_1))));

        data = new ConformanceData("artifact-index");
        all.add(data.tag("artifact-index", data.indexOfImages(new Traits().artifact(TYPE_1))));

        data = new ConformanceData("artifact-without-layers");
        Traits nothing = new Traits().artifact(TYPE_1).layers(EMPTY_JSON);
        nothing.layer = Optional.of("{}".getBytes(StandardCharsets.US_ASCII));
        all.add(data.tag("artifact-without-layers", data.image(nothing)));

        data = new ConformanceData("artifacts-with-subject");
        Digest subject = data.image(new Traits());
        data.tag("image", subject);
        data.image(new Traits().about(subject));
        data.tag(
                "tagged-artifact1",
                data.image(new Traits().artifact(TYPE_1).annotated().about(subject)));
        all.add(data.tag(
                "tagged-artifact2",
                data.image(new Traits()
                        .artifact(TYPE_2)
                        .layers("application/octet-stream")
                        .annotated()
                        .about(subject))));

        data = new ConformanceData("index-with-subject");
        subject = data.indexOfImages(new Traits());
        data.tag("index", subject);
        all.add(data.tag(
                "tagged-artifact",
                data.indexOfImages(new Traits().artifact(TYPE_1).annotated().about(subject))));

        data = new ConformanceData("missing-subject");
        Digest missing = Digest.sha256("missing content".getBytes(StandardCharsets.US_ASCII));
        all.add(data.tag(
                "tagged-artifact",
                data.image(new Traits().artifact(TYPE_1).annotated().about(missing))));

        data = new ConformanceData("data-field");
        Traits embedded = new Traits();
        embedded.data = true;
        all.add(data.tag("data-field", data.image(embedded)));

        all.add(nonDistributable());

        data = new ConformanceData("custom-fields");
        Traits custom = new Traits();
        custom.unknownMember = true;
        all.add(data.tag("custom-fields", data.indexOfImages(custom)));

        data = new ConformanceData("no-layers");
        Traits none = new Traits();
        none.layers = 0;
        all.add(data.tag("no-layers", data.image(none)));

        data = new ConformanceData("sparse");
        Digest sparse = data.image(new Traits());
        data.tag("sparse-image", sparse);
        data.blobs.remove(layer(data, sparse));
        all.add(data.tag(
                "sparse-index",
                data.index(
                        new Traits(),
                        List.of("amd64", "arm64"),
                        List.of(data.image(new Traits()), data.strangersManifest()))));

        data = new ConformanceData("sha512", "sha512");
        data.indexOfImages(new Traits());
        all.add(data);
        return all.stream();
    }

    /** A sparse push names what is not in its repository; what another one has is no nearer for that. */
    @Test
    void aManifestMakesNobodyElsesBlobReadable() {
        ConformanceData data = new ConformanceData("secret");
        Digest image = data.image(new Traits());
        Digest secret = layer(data, image);
        other.push(data.blobs.get(secret), secret);
        PushClient curious = new PushClient(server.registry(), "conformance/curious");
        assertThat(curious.putManifest("v1", MediaTypes.OCI_MANIFEST, data.manifests.get(image))
                        .status())
                .isEqualTo(201);

        assertThat(curious.get("blobs/" + secret).status()).isEqualTo(404);
        assertThat(curious.head("blobs/" + secret).status()).isEqualTo(404);
    }

    private static ConformanceData nonDistributable() {
        ConformanceData data = new ConformanceData("non-distributable-layers");
        ObjectMapper json = new ObjectMapper();
        ObjectNode manifest = json.createObjectNode().put("schemaVersion", 2).put("mediaType", MediaTypes.OCI_MANIFEST);
        byte[] config = "{\"os\":\"linux\",\"architecture\":\"amd64\"}".getBytes(StandardCharsets.US_ASCII);
        byte[] layer = data.bytes(100);
        data.blob(config);
        data.blob(layer);
        manifest.set("config", data.descriptor(MediaTypes.OCI_CONFIG, config));
        Map<String, Integer> elsewhere = Map.of(
                "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", 123_456,
                "application/vnd.oci.image.layer.nondistributable.v1.tar", 12_345);
        elsewhere.forEach((type, size) -> {
            ObjectNode descriptor = ConformanceData.descriptor(type, data.digest(data.bytes(256)), size);
            descriptor.putArray("urls").add("https://store.example.com/blobs/" + size);
            manifest.withArray("layers").add(descriptor);
        });
        manifest.withArray("layers").add(data.descriptor(MediaTypes.OCI_LAYER_GZIP, layer));
        return data.tag("non-distributable-image", data.manifest(manifest));
    }

    private static Digest layer(ConformanceData data, Digest image) {
        try {
            return new Digest(new ObjectMapper()
                    .readTree(data.manifests.get(image))
                    .at("/layers/0/digest")
                    .asText());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @MethodSource("contents")
    void contentIsPushedListedPulledAndDeleted(ConformanceData data) {
        data.blobs.forEach((digest, blob) -> repo.push(blob, digest));
        data.manifests.forEach((digest, manifest) -> assertPushed(data, digest.value(), digest));
        data.tags.forEach((tag, digest) -> assertPushed(data, tag, digest));

        assertListed(data);
        assertPulled(data);
        data.referrers.forEach(ConformanceIT::assertReferrers);
        assertAllDeleted(data);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sha256", "sha512"})
    void aManifestIsPushedByDigestWithSeveralTagsAtOnce(String algorithm) {
        ConformanceData data = new ConformanceData("tag-param-" + algorithm, algorithm);
        Digest index = data.indexOfImages(new Traits());
        data.tag(data.name, index);
        int number = 0;
        for (Digest manifest : data.manifests.keySet()) {
            data.tag(data.name + "-" + number++, manifest);
        }
        data.blobs.forEach((digest, blob) -> repo.push(blob, digest));
        data.manifests.forEach((digest, manifest) -> {
            List<String> tags = data.tags.entrySet().stream()
                    .filter(tag -> tag.getValue().equals(digest))
                    .map(Map.Entry::getKey)
                    .toList();
            Answer pushed =
                    repo.putManifest(digest + "?tag=" + String.join("&tag=", tags), mediaType(manifest), manifest);
            assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);
            assertThat(pushed.headers("OCI-Tag")).containsExactlyElementsOf(tags);
            assertThat(pushed.header("Docker-Content-Digest")).isEqualTo(digest.value());
        });

        assertListed(data);
        assertPulled(data);
        assertAllDeleted(data);
    }

    @Test
    void tenTagsAreSetAtOnce() {
        ConformanceData data = new ConformanceData("ten-tags");
        Digest index = data.index(new Traits().annotated());
        for (int i = 0; i < 10; i++) {
            data.tag("ten-" + i, index);
        }
        String parameters = String.join("&tag=", data.tags.keySet());

        Answer pushed = repo.putManifest(index + "?tag=" + parameters, MediaTypes.OCI_INDEX, data.manifests.get(index));

        assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);
        assertThat(pushed.headers("OCI-Tag")).containsExactlyElementsOf(data.tags.keySet());
        assertPulled(data);
        assertAllDeleted(data);
    }

    @Test
    void anIndexWithASubjectAndNoTypeIsListedWithoutOne() {
        ConformanceData data = new ConformanceData("untyped-index");
        Digest subject = data.image(new Traits());
        Digest index = data.indexOfImages(new Traits().annotated().about(subject));
        data.blobs.forEach((digest, blob) -> repo.push(blob, digest));
        data.manifests.forEach((digest, manifest) -> assertPushed(data, digest.value(), digest));

        assertReferrers(subject, data.referrers.get(subject));
        List<JsonNode> untyped = new ArrayList<>();
        repo.get("referrers/" + subject).json().get("manifests").forEach(entry -> {
            if (!entry.has("artifactType")) {
                untyped.add(entry);
            }
        });
        assertThat(untyped)
                .singleElement()
                .satisfies(entry -> assertThat(entry.get("digest").asText()).isEqualTo(index.value()));
        assertAllDeleted(data);
    }

    private static void assertPushed(ConformanceData data, String reference, Digest digest) {
        byte[] manifest = data.manifests.get(digest);
        Answer pushed = repo.putManifest(reference, mediaType(manifest), manifest);
        assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);
        assertThat(pushed.header("Docker-Content-Digest")).isEqualTo(digest.value());
        JsonNode subject = json(manifest).path("subject");
        assertThat(pushed.header("OCI-Subject"))
                .isEqualTo(subject.path("digest").asText(""));
        assertManifest(pushed.header("Location"), digest, manifest);
    }

    private static void assertManifest(String target, Digest digest, byte[] manifest) {
        for (String method : List.of("GET", "HEAD")) {
            Answer pulled = repo.send(
                    method,
                    target,
                    java.net.http.HttpRequest.BodyPublishers.noBody(),
                    "Accept",
                    MediaTypes.OCI_INDEX,
                    "Accept",
                    MediaTypes.OCI_MANIFEST);
            assertThat(pulled.status()).as(pulled.toString()).isEqualTo(200);
            assertThat(pulled.header("Content-Type")).isEqualTo(mediaType(manifest));
            assertThat(pulled.header("Content-Length")).isEqualTo(Integer.toString(manifest.length));
            assertThat(pulled.header("Docker-Content-Digest")).isEqualTo(digest.value());
            assertThat(pulled.body()).isEqualTo(method.equals("GET") ? manifest : new byte[0]);
        }
    }

    private static void assertListed(ConformanceData data) {
        List<String> tags = tags("tags/list");
        assertThat(tags).containsAll(data.tags.keySet()).isSorted();
        if (tags.size() >= 2) {
            int end = tags.size() / 2;
            assertThat(tags("tags/list?last=" + tags.get(end - 1))).isEqualTo(tags.subList(end, tags.size()));
            assertThat(tags("tags/list?n=1")).isEqualTo(tags.subList(0, 1));
            assertThat(repo.get("tags/list?n=1").header("Link")).contains("rel=\"next\"");
        }
        assertThat(tags("tags/list?n=0")).isEmpty();
        assertThat(repo.get("tags/list?n=0").headers("Link")).isEmpty();
    }

    private static List<String> tags(String target) {
        Answer listed = repo.get(target);
        assertThat(listed.status()).isEqualTo(200);
        List<String> tags = new ArrayList<>();
        listed.json().get("tags").forEach(tag -> tags.add(tag.asText()));
        return tags;
    }

    private static void assertPulled(ConformanceData data) {
        data.tags.forEach((tag, digest) -> assertManifest("manifests/" + tag, digest, data.manifests.get(digest)));
        data.manifests.forEach((digest, manifest) -> assertManifest("manifests/" + digest, digest, manifest));
        data.blobs.forEach((digest, blob) -> assertBlob(repo, digest, blob));
    }

    private static void assertReferrers(Digest subject, List<ObjectNode> built) {
        // Numbers of one size, as parsing makes them.
        List<JsonNode> expected =
                built.stream().map(each -> json(ConformanceData.json(each))).toList();
        Answer all = repo.get("referrers/" + subject);
        assertThat(all.status()).isEqualTo(200);
        assertThat(all.header("Content-Type")).isEqualTo(MediaTypes.OCI_INDEX);
        assertThat(all.json().get("manifests")).containsExactlyInAnyOrderElementsOf(expected);
        expected.stream()
                .filter(each -> each.has("artifactType"))
                .map(each -> each.get("artifactType").asText())
                .distinct()
                .forEach(type -> {
                    Answer some = repo.get("referrers/" + subject + "?artifactType=" + type.replace("+", "%2B"));
                    assertThat(some.header("OCI-Filters-Applied")).isEqualTo("artifactType");
                    assertThat(some.json().get("manifests"))
                            .containsExactlyInAnyOrderElementsOf(expected.stream()
                                    .filter(each ->
                                            each.path("artifactType").asText().equals(type))
                                    .toList());
                });
    }

    private static void assertAllDeleted(ConformanceData data) {
        data.tags.keySet().forEach(tag -> assertDeleted(repo, "manifests/" + tag));
        List<Digest> manifests = new ArrayList<>(data.manifests.keySet());
        java.util.Collections.reverse(manifests);
        manifests.forEach(digest -> assertDeleted(repo, "manifests/" + digest));
        data.blobs.keySet().forEach(digest -> assertDeleted(repo, "blobs/" + digest));
        data.referrers
                .keySet()
                .forEach(subject -> assertThat(
                                repo.get("referrers/" + subject).json().get("manifests"))
                        .isEmpty());
    }

    /** At once, for whoever asks next. */
    private static void assertDeleted(PushClient client, String target) {
        Answer deleted = client.delete(target);
        assertThat(deleted.status()).as(target + ": " + deleted).isEqualTo(202);
        assertThat(client.head(target).status()).as(target).isEqualTo(404);
        assertThat(client.get(target).status()).as(target).isEqualTo(404);
        assertThat(client.delete(target).status()).as(target).isEqualTo(404);
    }

    private static void assertCreated(Answer created, Digest digest, byte[] blob) {
        assertThat(created.status()).as(created.toString()).isEqualTo(201);
        assertThat(created.header("Docker-Content-Digest")).isEqualTo(digest.value());
        assertThat(repo.get(created.header("Location")).body()).isEqualTo(blob);
    }

    private static void assertBlob(PushClient client, Digest digest, byte[] blob) {
        Answer head = client.head("blobs/" + digest);
        Answer get = client.get("blobs/" + digest);
        for (Answer answer : List.of(head, get)) {
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.header("Docker-Content-Digest")).isEqualTo(digest.value());
            assertThat(answer.header("Content-Length")).isEqualTo(Integer.toString(blob.length));
        }
        assertThat(get.body()).isEqualTo(blob);
        assertThat(head.body()).isEmpty();
    }

    // ---- what is refused

    @Test
    void aManifestOfAnotherDigestIsRefused() {
        ConformanceData data = new ConformanceData("bad-digest-image");
        Digest digest = data.image(new Traits());
        data.blobs.forEach((blob, bytes) -> repo.push(bytes, blob));
        byte[] longer = Arrays.copyOf(data.manifests.get(digest), data.manifests.get(digest).length + 2);
        Arrays.fill(longer, longer.length - 2, longer.length, (byte) ' ');

        Answer refused = repo.putManifest(digest.value(), MediaTypes.OCI_MANIFEST, longer);

        assertThat(refused.status()).isEqualTo(400);
        assertThat(refused.code()).isEqualTo("DIGEST_INVALID");
        assertThat(repo.putManifest("sha256:baddigeststring", MediaTypes.OCI_MANIFEST, data.manifests.get(digest))
                        .status())
                .isEqualTo(400);
        assertThat(repo.get("manifests/sha256:baddigeststring").status()).isEqualTo(400);
        data.blobs.keySet().forEach(blob -> assertDeleted(repo, "blobs/" + blob));
    }

    @Test
    void whatIsNotThereIsA404() {
        assertThat(repo.get("manifests/" + Digest.sha256(new byte[] {9})).status())
                .isEqualTo(404);
        assertThat(repo.get("manifests/missing-tag").status()).isEqualTo(404);
    }

    private static String mediaType(byte[] manifest) {
        return json(manifest).get("mediaType").asText();
    }

    private static JsonNode json(byte[] manifest) {
        try {
            return new ObjectMapper().readTree(manifest);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
