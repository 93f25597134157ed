package dev.kiln.clients;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.testing.FreePorts;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.awaitility.Awaitility;

/** A real reverse proxy in front of a server, with the time-outs it comes with. Skipped where it is not installed. */
final class ReverseProxy implements AutoCloseable {
    private final Process process;
    private final int port;

    private ReverseProxy(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /** nginx with nothing but {@code proxy_pass}: 60 s without a byte end a request. */
    static ReverseProxy nginx(Path directory, URI server) {
        int port = FreePorts.next();
        return nginx(directory, port, "listen 127.0.0.1:" + port + ";", "proxy_set_header Host $http_host;", server);
    }

    /**
     * nginx that takes TLS and tells of its client in {@code X-Forwarded-*}; the registry sees it come from 127.0.0.2.
     *
     * @param pem key and certificates
     */
    static ReverseProxy nginxWithTls(Path directory, URI server, Path pem) {
        int port = FreePorts.next();
        return nginx(
                directory,
                port,
                "listen 127.0.0.1:%1$d ssl; ssl_certificate %2$s; ssl_certificate_key %2$s;".formatted(port, pem),
                "proxy_bind 127.0.0.2; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
                        + " proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;",
                server);
    }

    private static ReverseProxy nginx(Path directory, int port, String listen, String location, URI server) {
        String config = """
                daemon off; worker_processes 1; pid %1$s/nginx.pid; error_log %1$s/error.log;
                events {}
                http {
                  access_log off;
                  client_body_temp_path %1$s/b; proxy_temp_path %1$s/p; fastcgi_temp_path %1$s/f;
                  uwsgi_temp_path %1$s/u; scgi_temp_path %1$s/s;
                  server { %2$s location / { proxy_pass http://127.0.0.1:%3$d; %4$s } }
                }
                """.formatted(folder(directory, "nginx"), listen, server.getPort(), location);
        return start(directory.resolve("nginx"), port, config, "nginx", "-e", "error.log", "-p", ".", "-c");
    }

    /** HAProxy with the {@code defaults} of the distribution's own {@code haproxy.cfg}. */
    static ReverseProxy haproxy(Path directory, URI server) {
        int port = FreePorts.next();
        return haproxy(directory, port, """
                frontend registry
                    bind 127.0.0.1:%d
                    default_backend kiln
                backend kiln
                    server one 127.0.0.1:%d
                """.formatted(port, server.getPort()));
    }

    /**
     * HAProxy that takes TLS, and tells of its client in {@code Forwarded} alone; the registry sees it come from 127.0.0.3.
     *
     * @param pem key and certificates
     */
    static ReverseProxy haproxyWithTls(Path directory, URI server, Path pem) {
        int port = FreePorts.next();
        return haproxy(directory, port, """
                frontend registry
                    bind 127.0.0.1:%d ssl crt %s
                    http-request del-header X-Forwarded-For
                    http-request del-header X-Forwarded-Host
                    http-request set-header Forwarded for=%%[src];host=\\"%%[req.hdr(host)]\\";proto=https
                    http-request set-header Host inner.test
                    default_backend kiln
                backend kiln
                    server one 127.0.0.1:%d source 127.0.0.3
                """.formatted(port, pem, server.getPort()));
    }

    private static ReverseProxy haproxy(Path directory, int port, String sections) {
        Path shipped = Path.of("/etc/haproxy/haproxy.cfg");
        assumeTrue(Files.isReadable(shipped), "needs haproxy");
        folder(directory, "haproxy");
        try {
            String all = Files.readString(shipped);
            String config =
                    "global\n\tlog /dev/log local0\n" + all.substring(all.indexOf("\ndefaults")) + "\n" + sections;
            return start(directory.resolve("haproxy"), port, config, "haproxy", "-db", "-f");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Path folder(Path directory, String name) {
        try {
            return Files.createDirectories(directory.resolve(name));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static ReverseProxy start(Path directory, int port, String config, String... command) {
        try {
            Path file = Files.writeString(directory.resolve("proxy.conf"), config);
            Path log = directory.resolve("proxy.log");
            List<String> line = new ArrayList<>(List.of(command));
            line.add(file.toString());
            Process process = new ProcessBuilder(line)
                    .directory(directory.toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            Awaitility.await(command[0] + " listens")
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> listens(port) || !process.isAlive());
            if (!process.isAlive()) {
                throw new AssertionError(command[0] + " did not start: " + Files.readString(log));
            }
            return new ReverseProxy(process, port);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static boolean listens(int port) {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            return socket.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    String host() {
        return "127.0.0.1:" + port;
    }

    int port() {
        return port;
    }

    @Override
    public void close() {
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
        process.onExit().join();
    }
}
