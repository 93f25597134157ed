package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.testing.TestAuthority;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Nodes that speak TLS with each other believe only those whose certificate their authority has signed. */
@Tag("long")
class TlsIT extends ClusterIntegration {
    private TestAuthority authority(String name) throws IOException {
        return TestAuthority.create(Files.createDirectory(directory.resolve(name)));
    }

    private static String tls(TestAuthority.Identity identity, Path authority) {
        return "kiln.cluster.tls { key = \"%s\", certificate = \"%s\", ca = \"%s\" }\n"
                .formatted(identity.key(), identity.certificate(), authority);
    }

    @Test
    void nodesWithCertificatesOfOneAuthorityAreAClusterAndOthersDoNotJoin() throws IOException {
        TestAuthority ours = authority("ours");
        TestAuthority theirs = authority("theirs");
        String good = tls(ours.issue("kiln"), ours.certificate());
        Node first = cluster.registry("first", good);
        Node second = cluster.registry("second", good);
        Node builder = cluster.builder("builder", List.of(AMD64, ARM64), good);
        Node forged = cluster.registry("forged", tls(theirs.issue("kiln"), theirs.certificate()));
        // These would believe the cluster, which does not believe them.
        Node stranger = cluster.registry("stranger", tls(theirs.issue("stranger"), ours.certificate()));
        Node named = cluster.registry("named", tls(ours.issue("another"), ours.certificate()));
        Node plain = cluster.registry("plain", "");
        cluster.branch("main");
        first.start();
        second.start();
        builder.start();

        assertThat(pull(second, "main").children()).containsOnlyKeys(AMD64, ARM64);

        for (Node node : List.of(forged, stranger, named, plain)) {
            node.launch();
            awaitLog(
                    node,
                    "answers this node: are cluster.host and cluster.port of both sides within reach, and"
                            + " cluster.tls of one authority?");
            assertThat(node.readiness()).isEqualTo(503);
            assertThat(first.log() + second.log()).doesNotContain(node.remoting() + "] is JOINING");
            node.kill();
        }
        assertThat(pull(first, "main").children()).containsOnlyKeys(AMD64, ARM64);

        plain.with(good).start();
    }
}
