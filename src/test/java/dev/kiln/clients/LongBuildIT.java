package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.Wire;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A build of 70 s, longer than nginx and HAProxy hold a request, is pulled by every client, directly and through either
 * proxy with the time-outs it comes with; nobody does anything but type the pull.
 */
@Tag("clients")
final class LongBuildIT {
    @TempDir
    static Path temp;

    @Test
    void isPulledByEveryClientThroughEveryProxy() throws Exception {
        Team team = Team.create(
                temp,
                "app",
                Map.of("build.sh", "sleep 70\n" + Team.IMAGE, "fails.sh", "echo no rule to make all; exit 2\n"));
        try (KilnProcess server = KilnProcess.start(temp, """
                        kiln.builders {
                          slow { type = command, command = [sh, build.sh] }
                          fails { type = command, command = [sh, fails.sh] }
                        }
                        kiln.repository-defaults { source.url = "%s", platforms = ["linux/amd64"] }
                        kiln.repositories = [
                          { name = "team/slow", builder = slow, hop = 10s }
                          { name = "team/fails", builder = fails }
                        ]
                        """.formatted(team.url()));
                ReverseProxy nginx = ReverseProxy.nginx(temp, server.registry());
                ReverseProxy haproxy = ReverseProxy.haproxy(temp, server.registry());
                Tap tap = Tap.before(server.registry(), "HTTP/1.1 307 ")) {
            ExecutorService threads = Executors.newCachedThreadPool();
            Map<String, CompletableFuture<Outcome>> pulls = new LinkedHashMap<>();
            for (String host : List.of(tap.host(), nginx.host(), haproxy.host())) {
                for (Client client : Client.all(Files.createDirectory(temp.resolve(Integer.toString(pulls.size()))))) {
                    String image = host + "/team/slow:main";
                    pulls.put(
                            client + " " + image,
                            CompletableFuture.supplyAsync(() -> client.pull(image, "amd64"), threads));
                }
            }
            for (int port : List.of(nginx.port(), haproxy.port())) {
                aRedirectStaysOnThePublicName(port);
            }
            for (CompletableFuture<Outcome> pull : pulls.values()) {
                pull.get().mustSucceed();
            }

            threads.shutdown();
            assertThat(tap.count()).as("redirects of five clients").isGreaterThanOrEqualTo(5 * 4);
            for (int port : List.of(nginx.port(), haproxy.port())) {
                aFailureArrivesWithItsReason(port);
            }
        }
    }

    private static void aFailureArrivesWithItsReason(int port) throws Exception {
        try (Wire wire = new Wire(port)) {
            assertThat(wire.request("HEAD", "/v2/team/fails/manifests/main", "User-Agent: containerd/1.6.20")
                            .statusLine())
                    .isEqualTo("HTTP/1.1 424 build failed for linux/amd64: the command ended with exit code 2");
        }
    }

    private static void aRedirectStaysOnThePublicName(int port) throws Exception {
        try (Wire wire = new Wire(port)) {
            assertThat(wire.request("HEAD", "/v2/team/slow/manifests/main?ns=x", "User-Agent: containerd/1.6.20")
                            .header("Location"))
                    .startsWith("/v2/team/slow/manifests/main?ns=x&w=1.");
        }
    }
}
