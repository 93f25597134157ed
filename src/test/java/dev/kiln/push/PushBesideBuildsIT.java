package dev.kiln.push;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation;
import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.push.ConformanceData.Traits;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pushes and builds in one repository, and signatures of what was built. */
class PushBesideBuildsIT {
    private static final String BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
    private static final String SBOM = "application/spdx+json";
    private static final String FOR_AMD64 = "?platform=linux/amd64";

    @TempDir
    private Path directory;

    private Installation kiln;
    private PushClient push;

    @BeforeEach
    void prepare() {
        kiln = Installation.in(directory);
    }

    @AfterEach
    void end() {
        kiln.close();
    }

    private void start(Builds builds) {
        kiln.start(builds, """
                kiln.repository-defaults.push = true
                kiln.repositories += { name = "lost/app", source.url = "http://127.0.0.1:1/lost.git", platforms = ["linux/amd64"], builder = make }
                """);
        push = new PushClient(kiln.server.registry(), Installation.REPOSITORY);
    }

    private static void assertRefused(Answer answer, int status, String code, String why) {
        assertThat(answer.status()).as(answer.toString()).isEqualTo(status);
        assertThat(answer.code()).isEqualTo(code);
        assertThat(answer.json().at("/errors/0/message").asText()).contains(why);
    }

    /** A small index, a different one for each text. */
    private static byte[] index(String text) {
        ConformanceData data = new ConformanceData(text);
        Traits traits = new Traits();
        traits.annotations.put("text", text);
        return data.manifests.get(data.index(traits));
    }

    private Answer tag(String tag, byte[] index) {
        return push.putManifest(tag, MediaTypes.OCI_INDEX, index);
    }

    @Test
    void theSourceAlwaysWins() {
        String revision = kiln.branch("main");
        start(Builds.QUICK);
        PullClient.Answer built = PullClient.join(kiln.client.pull("main?platform=all"));
        assertThat(built.status()).as(built.text()).isEqualTo(200);

        byte[] index = index("pushed");
        assertRefused(tag("main", index), 403, "DENIED", "comes from the source");
        assertRefused(tag("main_linux-arm64", index), 403, "DENIED", "comes from the source");
        assertRefused(tag(revision, index), 403, "DENIED", "looks like a commit id");
        assertRefused(tag(revision.substring(0, 7), index), 403, "DENIED", "looks like a commit id");
        assertRefused(tag("deadbeef", index), 403, "DENIED", "looks like a commit id");
        assertRefused(tag("deadbeef_linux-arm64", index), 403, "DENIED", "looks like a commit id");
        assertRefused(push.delete("manifests/main"), 403, "DENIED", "comes from the source");
        for (Digest digest :
                List.of(built.digest(), built.children().values().iterator().next())) {
            assertRefused(push.delete("manifests/" + digest), 403, "DENIED", "was built here");
            assertRefused(push.delete("blobs/" + digest), 403, "DENIED", "was built here");
        }
        assertThat(push.get("manifests/main" + FOR_AMD64, "Accept", MediaTypes.OCI_INDEX)
                        .header("Docker-Content-Digest"))
                .isEqualTo(built.digest().value());

        // A name of its own lives beside them, and is answered as it was pushed, whoever asks.
        assertThat(tag("nightly", index).status()).isEqualTo(201);
        assertThat(push.get("manifests/nightly?platform=linux/amd64", "Accept", MediaTypes.DOCKER_MANIFEST)
                        .body())
                .isEqualTo(index);
        assertThat(push.get("tags/list").json().get("tags"))
                .extracting(t -> t.asText())
                .containsExactly("main", "nightly");
        // A copy of what was built, under another name, shares its bytes and cannot be deleted by them.
        byte[] copy =
                PullClient.join(kiln.client.pull(built.digest().value())).body().toArray();
        assertThat(tag("copy", copy).status()).isEqualTo(201);
        assertRefused(push.delete("manifests/" + built.digest()), 403, "DENIED", "was built here");
        assertThat(push.delete("manifests/copy").status()).isEqualTo(202);
        assertThat(push.get("manifests/" + built.digest()).status()).isEqualTo(200);
    }

    @Test
    void whatTheSourceHasLaterShadowsThePushedAndSaysSo() {
        String first = kiln.branch("main");
        start(Builds.QUICK);
        byte[] index = index("v1");
        Digest pushed = Digest.sha256(index);
        assertThat(tag("v1", index).status()).isEqualTo(201);
        assertThat(push.get("manifests/v1").body()).isEqualTo(index);

        kiln.origin.ref("refs/tags/v1", first);

        Awaitility.await()
                .atMost(Installation.SOON)
                .untilAsserted(() -> assertThat(PullClient.join(kiln.client.pull("v1" + FOR_AMD64))
                                .digest())
                        .isNotEqualTo(pushed));
        assertThat(push.get("manifests/" + pushed).body())
                .as("by digest it stays")
                .isEqualTo(index);
        Answer list = push.get("tags/list");
        assertThat(list.header("X-Kiln-Shadowed-Tags")).isEqualTo("v1");
        assertThat(list.header("Warning")).contains("v1");
        assertThat(list.json().get("tags")).extracting(t -> t.asText()).containsExactly("main", "v1");
        assertRefused(tag("v1", index("other")), 403, "DENIED", "comes from the source");
        assertThat(push.delete("manifests/v1").status())
                .as("the shadowed one may go")
                .isEqualTo(202);
        assertThat(push.get("tags/list").header("X-Kiln-Shadowed-Tags")).isEmpty();
        assertThat(push.delete("manifests/" + pushed).status()).isEqualTo(202);
        assertThat(push.get("manifests/" + pushed).status()).isEqualTo(404);
    }

    @Test
    void withGitOutOfReachNoNameIsFree() {
        start(Builds.QUICK);
        PushClient lost = new PushClient(kiln.server.registry(), "lost/app");

        assertRefused(lost.putManifest("v1", MediaTypes.OCI_INDEX, index("lost")), 503, "UNAVAILABLE", "v1");
        assertThat(lost.get("manifests/v1").status()).isEqualTo(503);
        // What can never be the source's needs no git.
        byte[] index = index("signature");
        String fallback = "sha256-" + "0".repeat(64);
        assertThat(lost.putManifest(fallback, MediaTypes.OCI_INDEX, index).status())
                .isEqualTo(201);
        assertThat(lost.get("manifests/" + fallback).body()).isEqualTo(index);
        assertThat(lost.putManifest(Digest.sha256(index).value(), MediaTypes.OCI_INDEX, index)
                        .status())
                .isEqualTo(201);
    }

    /** What git said last is no proof that a name is still free. */
    @Test
    void withGitGoneNoNameIsFreeThatItDidNotName() throws IOException {
        kiln.branch("main");
        start(Builds.QUICK);
        PullClient.Answer built = PullClient.join(kiln.client.pull("main" + FOR_AMD64));
        assertThat(built.status()).as(built.text()).isEqualTo(200);
        assertThat(tag("before", index("before")).status()).isEqualTo(201);

        Files.move(kiln.origin.directory(), directory.resolve("gone"));

        // Another name each time: one that was taken while the list of names was fresh enough stays taken.
        AtomicInteger number = new AtomicInteger();
        Awaitility.await()
                .atMost(Installation.SOON)
                .untilAsserted(() -> assertRefused(
                        tag("after" + number.incrementAndGet(), index("after")), 503, "UNAVAILABLE", "after" + number));
        assertRefused(tag("main", index("after")), 403, "DENIED", "comes from the source");
        assertThat(push.get("manifests/main" + FOR_AMD64).status()).isEqualTo(200);
        assertThat(push.get("manifests/before").status())
                .as("the source may have it by now")
                .isEqualTo(503);
        byte[] before = index("before");
        assertThat(push.get("manifests/" + Digest.sha256(before)).body()).isEqualTo(before);
    }

    // ---- signing: the requests of cosign and notation, one after the other (docs/clients.md)

    @Test
    void aComposedIndexIsSignedAndVerifiedAlsoWhenItsTagHasGrown() {
        String revision = kiln.branch("main");
        start(Builds.gated(Installation.ARM64));
        PullClient.Answer partial = PullClient.join(kiln.client.pull("main" + FOR_AMD64));
        assertThat(partial.children()).containsOnlyKeys(Installation.AMD64);
        Digest signed = partial.digest();

        Digest signature = cosign("main" + FOR_AMD64, signed, partial.body().size());
        Digest sbom = attach(signed, partial.body().size());
        Digest notation = notation(signed, partial.body().size());
        assertSigned(signed, signature, sbom, notation);

        kiln.open(revision, Installation.ARM64);
        PullClient.Answer complete = PullClient.join(kiln.client.pull("main?platform=linux/arm64/v8"));
        assertThat(complete.digest()).isNotEqualTo(signed);
        assertSigned(signed, signature, sbom, notation);
        assertThat(push.get("manifests/" + signed).status()).isEqualTo(200);
        assertThat(push.get("referrers/" + complete.digest()).json().get("manifests"))
                .isEmpty();
        Digest ofComplete = cosign("main", complete.digest(), complete.body().size());
        assertThat(referrers(complete.digest(), BUNDLE)).containsExactly(ofComplete.value());
        assertThat(listed(complete.digest())).containsExactly(ofComplete.value());

        kiln.server.kill();
        kiln.start(Builds.QUICK, "kiln.repository-defaults.push = true");
        push = new PushClient(kiln.server.registry(), Installation.REPOSITORY);
        assertSigned(signed, signature, sbom, notation);
    }

    /** {@code cosign sign} of what a tag means, with a bundle as a referrer. */
    private Digest cosign(String tag, Digest index, int size) {
        assertThat(push.get("/v2/").status()).isEqualTo(200);
        assertThat(Digest.sha256(push.get("manifests/" + tag).body())).isEqualTo(index);
        assertThat(push.head("manifests/" + index).status()).isEqualTo(200);
        byte[] empty = "{}".getBytes(StandardCharsets.US_ASCII);
        byte[] bundle = ("{\"signature of\":\"" + index + "\"}").getBytes(StandardCharsets.US_ASCII);
        for (byte[] blob : List.of(empty, bundle)) {
            uploadIfMissing(blob);
        }
        byte[] manifest = artifact(BUNDLE, bundle, empty, index, size);
        Digest digest = Digest.sha256(manifest);
        Answer put = push.putManifest(digest.value(), MediaTypes.OCI_MANIFEST, manifest);
        assertThat(put.status()).as(put.toString()).isEqualTo(201);
        assertThat(put.header("OCI-Subject")).isEqualTo(index.value());
        assertThat(push.get("referrers/" + index).status())
                .as("so no fallback tag is needed")
                .isEqualTo(200);
        list(index, BUNDLE, manifest);
        return digest;
    }

    private void uploadIfMissing(byte[] blob) {
        Digest digest = Digest.sha256(blob);
        if (push.head("blobs/" + digest).status() == 200) {
            return;
        }
        Answer patched = push.stream("PATCH", push.upload(), blob);
        assertThat(patched.status()).isEqualTo(202);
        assertThat(push.send("PUT", PushClient.with(patched.header("Location"), "digest", digest.value()))
                        .status())
                .isEqualTo(201);
    }

    private static byte[] artifact(String type, byte[] layer, byte[] config, Digest subject, int size) {
        return ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_MANIFEST + "\",\"artifactType\":\"" + type
                        + "\",\"config\":{\"mediaType\":\"" + ConformanceData.EMPTY_JSON + "\",\"digest\":\""
                        + Digest.sha256(config) + "\",\"size\":" + config.length + "},\"layers\":[{\"mediaType\":\""
                        + type
                        + "\",\"digest\":\"" + Digest.sha256(layer) + "\",\"size\":" + layer.length
                        + "}],\"subject\":{\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"digest\":\"" + subject
                        + "\",\"size\":" + size + "},\"annotations\":{\"made.by\":\"test\"}}")
                .getBytes(StandardCharsets.US_ASCII);
    }

    /** {@code cosign attach}, as older versions do it: by a tag made of the digest, and the fallback tag for a list. */
    private Digest attach(Digest index, int size) {
        String fallback = "sha256-" + index.hex();
        byte[] empty = "{}".getBytes(StandardCharsets.US_ASCII);
        byte[] bill = ("{\"bill of\":\"" + index + "\"}").getBytes(StandardCharsets.US_ASCII);
        uploadIfMissing(empty);
        uploadIfMissing(bill);
        byte[] manifest = artifact(SBOM, bill, empty, index, size);
        assertThat(push.putManifest(fallback + ".sbom", MediaTypes.OCI_MANIFEST, manifest)
                        .status())
                .isEqualTo(201);
        list(index, SBOM, manifest);
        return Digest.sha256(manifest);
    }

    /** As a client does that knows nothing of the referrers API: puts one more into the list that the fallback tag means. */
    private void list(Digest subject, String type, byte[] manifest) {
        Answer before = push.get("manifests/sha256-" + subject.hex());
        StringBuilder entries = new StringBuilder();
        if (before.status() == 200) {
            before.json()
                    .get("manifests")
                    .forEach(entry -> entries.append(entry).append(','));
        } else {
            assertThat(before.code()).as("at once, and no build").isEqualTo("MANIFEST_UNKNOWN");
        }
        byte[] list = ("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.OCI_INDEX + "\",\"manifests\":[" + entries
                        + "{\"mediaType\":\"" + MediaTypes.OCI_MANIFEST + "\",\"artifactType\":\"" + type
                        + "\",\"digest\":\""
                        + Digest.sha256(manifest) + "\",\"size\":" + manifest.length + "}]}")
                .getBytes(StandardCharsets.US_ASCII);
        assertThat(push.putManifest("sha256-" + subject.hex(), MediaTypes.OCI_INDEX, list)
                        .status())
                .isEqualTo(201);
    }

    private List<String> listed(Digest subject) {
        return push.get("manifests/sha256-" + subject.hex()).json().findValuesAsText("digest");
    }

    /** {@code notation sign}: HEAD of the tag, then blob and manifest, then its own list. */
    private Digest notation(Digest index, int size) {
        assertThat(push.head("manifests/main" + FOR_AMD64).header("Docker-Content-Digest"))
                .isEqualTo(index.value());
        String type = "application/vnd.cncf.notary.signature";
        byte[] config = "{}".getBytes(StandardCharsets.US_ASCII);
        byte[] envelope = ("{\"envelope of\":\"" + index + "\"}").getBytes(StandardCharsets.US_ASCII);
        uploadIfMissing(config);
        uploadIfMissing(envelope);
        byte[] manifest = artifact(type, envelope, config, index, size);
        assertThat(push.putManifest(Digest.sha256(manifest).value(), MediaTypes.OCI_MANIFEST, manifest)
                        .status())
                .isEqualTo(201);
        assertThat(referrers(index, type))
                .containsExactly(Digest.sha256(manifest).value());
        list(index, type, manifest);
        return Digest.sha256(manifest);
    }

    /** {@code cosign verify} of both kinds, and {@code notation list}. */
    private void assertSigned(Digest index, Digest signature, Digest sbom, Digest notation) {
        assertThat(referrers(index, BUNDLE)).containsExactly(signature.value());
        assertThat(referrers(index, SBOM)).containsExactly(sbom.value());
        Answer all = push.get("referrers/" + index);
        assertThat(all.json().get("manifests")).hasSize(3);
        all.json().get("manifests").forEach(each -> {
            assertThat(each.at("/annotations/made.by").asText()).isEqualTo("test");
            Answer manifest = push.get("manifests/" + each.get("digest").asText());
            assertThat(manifest.body()).hasSize(each.get("size").asInt());
            String layer = manifest.json().at("/layers/0/digest").asText();
            assertThat(new String(push.get("blobs/" + layer).body(), StandardCharsets.US_ASCII))
                    .contains(index.value());
        });
        String fallback = "sha256-" + index.hex();
        assertThat(listed(index)).containsExactly(signature.value(), sbom.value(), notation.value());
        assertThat(push.head("manifests/" + fallback + ".sbom").header("Docker-Content-Digest"))
                .isEqualTo(sbom.value());
        for (String nothing : List.of(".sig", ".att")) {
            Answer none = push.get("manifests/" + fallback + nothing);
            assertThat(none.status()).as(none.toString()).isEqualTo(404);
            assertThat(none.code()).isEqualTo("MANIFEST_UNKNOWN");
        }
    }

    private List<String> referrers(Digest subject, String type) {
        Answer list = push.get("referrers/" + subject + "?artifactType=" + type.replace("+", "%2B"));
        assertThat(list.status()).isEqualTo(200);
        return list.json().findValuesAsText("digest");
    }
}
