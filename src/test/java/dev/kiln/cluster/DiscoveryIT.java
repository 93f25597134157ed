package dev.kiln.cluster;

import static dev.kiln.cluster.ClusterProcesses.AMD64;
import static dev.kiln.cluster.ClusterProcesses.ARM64;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.cluster.ClusterProcesses.Node;
import dev.kiln.oci.Digest;
import dev.kiln.testing.FreePorts;
import dev.kiln.testing.TestAuthority;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** How nodes find each other where no list is configured: every node has an address of its own, and the same ports. */
class DiscoveryIT extends ClusterIntegration {
    private static final List<String> ADDRESSES = List.of("127.0.10.1", "127.0.10.2", "127.0.10.3");

    private static String at(String address, int managementPort, String discovery) {
        return """
                kiln.cluster { host = "%s", management-port = %d, contact-points = [] }
                """.formatted(address, managementPort) + discovery;
    }

    @Test
    void nodesFindEachOtherByTheAddressesOfADnsName() throws IOException {
        int port = FreePorts.next();
        try (ScriptedDns dns = new ScriptedDns("registries.kiln.test")) {
            String byDns = """
                    kiln.cluster { discovery = dns, dns-name = "registries.kiln.test" }
                    akka.io.dns.async-dns.nameservers = ["%s"]
                    """.formatted(dns.address());
            Node first = cluster.registry("first", at(ADDRESSES.get(0), port, byDns));
            Node second = cluster.registry("second", at(ADDRESSES.get(1), port, byDns));
            Node builder = cluster.builder("builder", List.of(AMD64, ARM64), at(ADDRESSES.get(2), port, byDns));

            dns.says(InetAddress.getByName(ADDRESSES.get(1)));
            first.launch();
            awaitLog(first, "this node cannot join a cluster yet: its own management address is not among");
            dns.says(InetAddress.getByName(ADDRESSES.get(0)));
            first.awaitReady();

            dns.says(InetAddress.getByName(ADDRESSES.get(0)), InetAddress.getByName(ADDRESSES.get(1)));
            second.start();
            builder.start();
            areOne(first, second);
        }
    }

    @Test
    void nodesFindEachOtherAsThePodsOfAKubernetes() throws IOException {
        int port = FreePorts.next();
        TestAuthority authority = TestAuthority.create(Files.createDirectory(directory.resolve("authority")));
        Path token = Files.writeString(directory.resolve("token"), ScriptedKubernetes.TOKEN);
        try (ScriptedKubernetes kubernetes = new ScriptedKubernetes(authority, "images")) {
            String byPods = """
                    kiln.cluster { discovery = kubernetes, kubernetes.namespace = images }
                    akka.discovery.kubernetes-api { api-ca-path = "%s", api-token-path = "%s" }
                    """.formatted(authority.certificate(), token);
            Node first = cluster.registry("first", at(ADDRESSES.get(0), port, byPods));
            Node second = cluster.registry("second", at(ADDRESSES.get(1), port, byPods));
            Node builder = cluster.builder("builder", List.of(AMD64, ARM64), at(ADDRESSES.get(2), port, byPods));
            for (Node node : List.of(first, second, builder)) {
                node.server()
                        .with("KUBERNETES_SERVICE_HOST", "127.0.0.1")
                        .with("KUBERNETES_SERVICE_PORT", Integer.toString(kubernetes.port()));
            }
            ScriptedKubernetes.Pod one = new ScriptedKubernetes.Pod(ADDRESSES.get(0), "Running");
            kubernetes.runs(one, new ScriptedKubernetes.Pod(ADDRESSES.get(1), "Pending"));
            first.start();
            kubernetes.runs(one, new ScriptedKubernetes.Pod(ADDRESSES.get(1), "Running"));
            second.start();
            builder.start();
            areOne(first, second);
            assertThat(kubernetes.asked())
                    .allMatch(query -> query.contains(
                            "labelSelector=app.kubernetes.io/name=kiln,app.kubernetes.io/component=registry"));
        }
    }

    /** What one of them has built the other serves, and the builder works for both. */
    private void areOne(Node first, Node second) {
        cluster.branch("main");
        Digest digest = pull(first, "main").digest();
        assertThat(pull(second, "main").digest()).isEqualTo(digest);
        assertThat(cluster.journal().builds()).hasSize(2);
    }
}
