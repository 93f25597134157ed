package dev.kiln.cluster;

import static dev.kiln.testing.PushClient.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import akka.util.ByteString;
import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.testing.PushClient;
import dev.kiln.testing.PushClient.Answer;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import dev.kiln.testing.RandomImages.Image;
import dev.kiln.testing.Wire;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Pushes whose requests each go to another node, as a load balancer sends them, while one of the nodes dies. */
class PushAcrossNodesIT extends ClusterIntegration {
    private static final String PLAIN = "kiln.repositories += { name = plain, push = true }\n";

    private Node dying;
    private List<PushClient> nodes;

    @BeforeEach
    void startThree() {
        Node one = cluster.registry("one", PLAIN);
        dying = cluster.registry("two", PLAIN);
        Node three = cluster.registry("three", PLAIN);
        cluster.startAll();
        nodes = Stream.of(one, dying, three)
                .map(node -> new PushClient(node.url(), "plain"))
                .toList();
    }

    private PushClient node(int number) {
        return nodes.get(number);
    }

    @Test
    void anUploadGoesOnAtAnotherNodeFromTheLastAcknowledgedByteWhenItsNodeIsKilled() throws Exception {
        byte[] blob = new byte[3_000_000];
        new Random(5).nextBytes(blob);
        Digest digest = Digest.sha256(blob);
        String location = node(0).upload();
        assertThat(node(1).chunk("PATCH", location, blob, 0, 1_000_000).status())
                .isEqualTo(202);
        try (Wire wire = new Wire(dying.url().getPort())) {
            String rest = new String(blob, 1_000_000, 1_500_000, StandardCharsets.ISO_8859_1);
            wire.send("PUT " + with(location, "digest", digest.value()) + " HTTP/1.1\r\nHost: x\r\nContent-Length: "
                    + 2_000_000 + "\r\n\r\n" + rest);
            dying.kill();
        }
        for (PushClient node : List.of(node(0), node(2))) {
            assertThat(node.get(location).header("Range")).isEqualTo("0-999999");
            // The repository's owner may have been on that node.
            await("the cluster answers")
                    .atMost(ClusterProcesses.SOON)
                    .until(() -> node.head("blobs/" + digest).status() != 503);
            assertThat(node.head("blobs/" + digest).status()).isEqualTo(404);
        }

        assertThat(node(2).chunk("PATCH", location, blob, 1_000_000, 2_000_000).status())
                .isEqualTo(202);
        assertThat(node(0).chunk("PUT", with(location, "digest", digest.value()), blob, 2_000_000, blob.length)
                        .status())
                .isEqualTo(201);
        assertThat(node(2).get("blobs/" + digest).body()).isEqualTo(blob);
        assertThat(node(0).get(location).status()).isEqualTo(404);
    }

    @Test
    @Tag("long")
    void aLastRequestWhoseNodeIsKilledIsRepeatedAtAnother() throws Exception {
        byte[] blob = new byte[2_000_000];
        for (int i = 0; i < 3; i++) {
            new Random(i).nextBytes(blob);
            Digest digest = Digest.sha256(blob);
            String location = node(0).upload();
            String last = with(location, "digest", digest.value());
            try (Wire wire = new Wire(dying.url().getPort())) {
                wire.send("PUT " + last + " HTTP/1.1\r\nHost: x\r\nContent-Length: " + blob.length + "\r\n\r\n"
                        + new String(blob, StandardCharsets.ISO_8859_1));
                dying.kill();
            }

            Answer again = node(2).send("PUT", last, blob);
            // Its end may have come before that of its node: then there is no upload any more, and the blob.
            assertThat(again.status()).as(again.toString()).isIn(201, 404);
            assertThat(node(0).get("blobs/" + digest).body()).isEqualTo(blob);
            dying.start();
        }
    }

    @Test
    void whatIsPushedListedAndDeletedThroughOneNodeIsSeenByTheNextRequestThroughAnother() {
        RandomImages random = new RandomImages(9);
        for (int i = 0; i < 20; i++) {
            PushClient here = node(i % 3);
            PushClient there = node((i + 1) % 3);
            Image image = random.image(Platform.of(ClusterProcesses.AMD64));
            image.layers().forEach(layer -> here.push(layer.bytes().toArray()));
            there.push(image.config().bytes().toArray());
            Answer pushed = put(here, "v" + i, image.manifest());
            assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);

            assertThat(there.head("manifests/v" + i).header("Docker-Content-Digest"))
                    .isEqualTo(image.manifest().digest().value());
            assertThat(there.get("tags/list").json().path("tags").toString()).contains("\"v" + i + "\"");

            assertThat(there.delete("manifests/" + image.manifest().digest()).status())
                    .isEqualTo(202);
            assertThat(here.head("manifests/v" + i).status()).isEqualTo(404);
            assertThat(here.head("manifests/" + image.manifest().digest()).status())
                    .isEqualTo(404);
            assertThat(here.get("blobs/" + image.manifest().digest()).status()).isEqualTo(404);
            assertThat(here.get("tags/list").json().path("tags").toString()).doesNotContain("\"v" + i + "\"");
        }
    }

    /** Each sends every request to another node, and so every chunk. */
    @Test
    void aPushGoesThroughEachLoadBalancer() throws Exception {
        for (LoadBalancer.Kind kind : LoadBalancer.Kind.values()) {
            assumeThat(kind.program()).exists();
        }
        List<Integer> ports =
                cluster.registries().stream().map(node -> node.url().getPort()).toList();
        for (LoadBalancer.Kind kind : LoadBalancer.Kind.values()) {
            try (LoadBalancer balancer = LoadBalancer.start(kind, directory, ports)) {
                pushAndPull(new PushClient(balancer.address(), "plain"), kind.name());
            }
        }
    }

    private void pushAndPull(PushClient client, String tag) {
        byte[] layer = new byte[6_000_000];
        new Random(tag.hashCode()).nextBytes(layer);
        Image image = new RandomImages(tag.hashCode()).image(Platform.of(ClusterProcesses.AMD64));
        Blob large = new Blob(MediaTypes.OCI_LAYER_GZIP, ByteString.fromArray(layer));
        Blob manifest = RandomImages.manifest(image.config(), List.of(large));
        String location = client.upload();
        for (int from = 0; from < layer.length; from += 2_000_000) {
            Answer chunk = client.chunk("PATCH", location, layer, from, from + 2_000_000);
            assertThat(chunk.status()).as(chunk.toString()).isEqualTo(202);
            assertThat(chunk.header("Location")).isEqualTo(location);
        }
        assertThat(client.send("PUT", with(location, "digest", large.digest().value()))
                        .status())
                .isEqualTo(201);
        client.push(image.config().bytes().toArray());
        Answer pushed = put(client, tag, manifest);
        assertThat(pushed.status()).as(pushed.toString()).isEqualTo(201);

        for (int i = 0; i < nodes.size(); i++) {
            assertThat(client.get("manifests/" + tag).body())
                    .isEqualTo(manifest.bytes().toArray());
            assertThat(client.get("blobs/" + large.digest()).body()).isEqualTo(layer);
        }
    }

    @Test
    void whatWasPushedIsThereWhenTheNodeThatTookItIsKilledAtOnce() {
        Image image = new RandomImages(10).image(Platform.of(ClusterProcesses.AMD64));
        image.layers().forEach(layer -> node(1).push(layer.bytes().toArray()));
        node(1).push(image.config().bytes().toArray());
        assertThat(put(node(1), "v1", image.manifest()).status()).isEqualTo(201);
        dying.kill();

        // Its owner may have been on that node: its shard is elsewhere when the cluster is sure.
        for (PushClient node : List.of(node(0), node(2))) {
            await("the tag is answered")
                    .atMost(ClusterProcesses.SOON)
                    .until(() -> node.head("manifests/v1").status() != 503);
            assertThat(node.head("manifests/v1").header("Docker-Content-Digest"))
                    .isEqualTo(image.manifest().digest().value());
            for (Blob blob : image.layers()) {
                assertThat(node.get("blobs/" + blob.digest()).body())
                        .isEqualTo(blob.bytes().toArray());
            }
        }
        assertThat(put(node(2), "v2", image.manifest()).status()).isEqualTo(201);
    }

    private static Answer put(PushClient node, String tag, Blob manifest) {
        return node.putManifest(tag, MediaTypes.OCI_MANIFEST, manifest.bytes().toArray());
    }
}
