package dev.kiln.load;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The servers that are compared, each with the configuration that people would give it for speed, and no access log. */
final class Servers {
    /** A heap of fixed size that is resident from the start, so that growth of memory is growth of something else. */
    static final List<String> KILN_JVM = List.of("-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch");

    private Servers() {}

    /** @param git the folder of the git repositories that {@link Sources} makes */
    static Server kiln(Options options, Path directory, Path git) throws IOException, InterruptedException {
        int port = freePort();
        Path config = Files.writeString(Files.createDirectories(directory).resolve("kiln.conf"), """
                kiln {
                  data-dir = "%1$s/data"
                  work-dir = "%1$s/work"
                  http.port = %2$d
                  admin.port = 0
                  repository-defaults.build.timeout = 5m
                  repositories = [
                    { name = "pushed/**", push = true }
                    { name = small, source.url = "%3$s/{name}.git", platforms = ["linux/amd64", "linux/arm64"], builder = small }
                    { name = large, source.url = "%3$s/{name}.git", platforms = ["linux/amd64"], builder = large }
                    { name = huge, source.url = "%3$s/{name}.git", platforms = ["linux/amd64"], builder = huge }
                    { name = "slow-*", source.url = "%3$s/{name}.git", platforms = ["linux/amd64"], builder = slow }
                  ]
                  builders {
                    small { type = command, command = ["sh", "build.sh"], environment { LAYER_BYTES = "1000" } }
                    large { type = command, command = ["sh", "build.sh"], environment { LAYER_BYTES = "%4$d" } }
                    huge { type = command, command = ["sh", "build.sh"], environment { LAYER_BYTES = "%5$d" } }
                    slow { type = command, command = ["sh", "build.sh"], environment { LAYER_BYTES = "%6$d", BUILD_SECONDS = "%7$d" } }
                  }
                }
                """.formatted(
                        directory,
                        port,
                        git,
                        Sources.LARGE_BYTES,
                        Sources.HUGE_BYTES,
                        Sources.SLOW_BYTES,
                        Sources.SLOW_SECONDS));
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(KILN_JVM);
        command.addAll(options.jvm());
        command.addAll(List.of("-jar", options.jar().toString(), "serve", "--config", config.toString()));
        return Server.start("kiln", port, directory, command);
    }

    static Server dockerRegistry(Path directory) throws IOException, InterruptedException {
        int port = freePort();
        Path config = Files.writeString(
                Files.createDirectories(directory).resolve("config.yml"), """
                version: 0.1
                log:
                  level: error
                  accesslog:
                    disabled: true
                storage:
                  filesystem:
                    rootdirectory: %s/data
                  cache:
                    blobdescriptor: inmemory
                http:
                  addr: 127.0.0.1:%d
                """.formatted(directory, port));
        return Server.start(
                "docker-registry",
                port,
                directory,
                List.of(Command.find("docker-registry"), "serve", config.toString()));
    }

    /** Serves what is put into {@code directory/www} under the path that it has there. */
    static Server nginx(Path directory) throws IOException, InterruptedException {
        int port = freePort();
        Files.createDirectories(directory.resolve("www"));
        Path config = Files.writeString(directory.resolve("nginx.conf"), """
                %1$s
                daemon off;
                pid %2$s/nginx.pid;
                error_log stderr;
                worker_processes auto;
                events { worker_connections 1024; }
                http {
                  access_log off;
                  sendfile on;
                  tcp_nopush on;
                  keepalive_requests 100000000;
                  open_file_cache max=1000;
                  client_body_temp_path %2$s/temp;
                  proxy_temp_path %2$s/temp;
                  fastcgi_temp_path %2$s/temp;
                  uwsgi_temp_path %2$s/temp;
                  scgi_temp_path %2$s/temp;
                  server {
                    listen 127.0.0.1:%3$d backlog=1024;
                    root %2$s/www;
                    default_type application/octet-stream;
                    location ~ /manifests/ { default_type application/vnd.oci.image.index.v1+json; }
                  }
                }
                """.formatted(
                        System.getProperty("user.name").equals("root") ? "user root;" : "", directory, port));
        return Server.start(
                "nginx",
                port,
                directory,
                List.of(Command.find("nginx"), "-p", directory.toString(), "-c", config.toString(), "-e", "stderr"));
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
