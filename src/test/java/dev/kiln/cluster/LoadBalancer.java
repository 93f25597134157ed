package dev.kiln.cluster;

import static org.awaitility.Awaitility.await;

import dev.kiln.testing.FreePorts;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** A load balancer with the configuration that is shipped for it, before three nodes. */
final class LoadBalancer implements AutoCloseable {
    private static final Duration SOON = Duration.ofMinutes(1);

    private final Process process;
    private final URI address;

    enum Kind {
        HAPROXY("haproxy"),
        NGINX("nginx");

        private final Path program;

        Kind(String program) {
            this.program = Path.of("/usr/sbin/" + program);
        }

        Path program() {
            return program;
        }

        private List<String> command(Path directory, int port, List<Integer> nodes) throws IOException {
            if (this == HAPROXY) {
                return List.of(program.toString(), "-db", "-f", "cluster-config/haproxy.cfg");
            }
            // It takes no addresses from its environment.
            String config = Files.readString(Path.of("cluster-config/nginx.conf"))
                    .replace("127.0.0.1:8080", "127.0.0.1:" + port)
                    .replace("127.0.0.1:8101", "127.0.0.1:" + nodes.get(0))
                    .replace("127.0.0.1:8102", "127.0.0.1:" + nodes.get(1))
                    .replace("127.0.0.1:8103", "127.0.0.1:" + nodes.get(2));
            Path file = Files.writeString(directory.resolve("nginx.conf"), config);
            return List.of(
                    program.toString(),
                    "-p",
                    directory.toString(),
                    "-c",
                    file.toString(),
                    "-e",
                    "stderr",
                    "-g",
                    "daemon off; pid nginx.pid;");
        }

        private static Map<String, String> environment(int port, List<Integer> nodes) {
            return Map.of(
                    "KILN_BIND", "127.0.0.1:" + port,
                    "KILN_REGISTRY_1", "127.0.0.1:" + nodes.get(0),
                    "KILN_REGISTRY_2", "127.0.0.1:" + nodes.get(1),
                    "KILN_REGISTRY_3", "127.0.0.1:" + nodes.get(2));
        }
    }

    private LoadBalancer(Process process, URI address) {
        this.process = process;
        this.address = address;
    }

    /**
     * Returns when it listens.
     *
     * @param directory for its files
     * @param nodes three ports
     */
    static LoadBalancer start(Kind kind, Path directory, List<Integer> nodes) throws IOException {
        int port = FreePorts.next();
        Path log = directory.resolve("proxy.log");
        ProcessBuilder builder = new ProcessBuilder(kind.command(directory, port, nodes))
                .redirectErrorStream(true)
                .redirectOutput(log.toFile());
        builder.environment().putAll(Kind.environment(port, nodes));
        Process process = builder.start();
        await("it listens").atMost(SOON).until(() -> {
            if (!process.isAlive()) {
                throw new IllegalStateException(Files.readString(log));
            }
            try (Socket connection = new Socket(InetAddress.getLoopbackAddress(), port)) {
                return connection.isConnected();
            } catch (IOException e) {
                return false;
            }
        });
        return new LoadBalancer(process, URI.create("http://127.0.0.1:" + port));
    }

    URI address() {
        return address;
    }

    @Override
    public void close() {
        process.destroy();
        process.onExit().join();
    }
}
