package dev.kiln.config;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * How this node finds the others.
 *
 * @param discovery empty: the node forms a cluster of itself, and nothing else here has a meaning
 * @param host the address at which the other nodes reach this one
 * @param bindHost the address to listen on
 * @param tls how nodes prove to each other who they are; empty: whoever reaches the port is believed
 */
public record ClusterConfig(
        Optional<Discovery> discovery, String host, String bindHost, int port, int managementPort, Optional<Tls> tls) {

    /** A node by itself. */
    public static final ClusterConfig ALONE =
            new ClusterConfig(Optional.empty(), "127.0.0.1", "127.0.0.1", 25520, 8558, Optional.empty());

    /** Where the management ports of registry nodes are looked for. */
    public sealed interface Discovery {
        /** @param contactPoints {@code host:port}, not empty */
        record Listed(List<String> contactPoints) implements Discovery {
            public Listed {
                contactPoints = List.copyOf(contactPoints);
            }
        }

        /** @param name whose addresses are those of registry nodes, all with this node's management port */
        record Dns(String name) implements Discovery {}

        /** @param namespace empty: that of this pod */
        record Kubernetes(Optional<String> namespace, String podLabelSelector) implements Discovery {}
    }

    /** Files in PEM form; read again while the node runs, so that a certificate can be renewed. */
    public record Tls(Path key, Path certificate, Path ca) {}

    /**
     * How a node leaves.
     *
     * @param unready how long it goes on taking requests after it has told that it wants none
     * @param builds how long running builds may go on before they are handed back
     */
    public record Leaving(Duration unready, Duration builds) {}
}
