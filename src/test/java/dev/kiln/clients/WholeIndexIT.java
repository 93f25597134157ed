package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.Wire;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who copies or signs a tag that is still growing gets all of it, later, and never a part by accident. */
@Tag("clients")
final class WholeIndexIT {
    @TempDir
    static Path temp;

    @Test
    void isWhatMirrorsAndSignersGet() throws Exception {
        try (Gate gate = Gate.closed()) {
            Team team = Team.create(
                    temp,
                    "app",
                    Map.of("build.sh", "[ \"$KILN_ARCH\" = amd64 ] || { " + Gate.await("GATE") + "}\n" + Team.IMAGE));
            try (KilnProcess server = KilnProcess.start(temp, """
                            kiln.builders.sh { type = command, command = [bash, build.sh], environment { GATE = "%s" } }
                            kiln.repositories = [{
                              name = "team/*", source.url = "%s", builder = sh, platforms = ["linux/amd64", "linux/arm64"]
                              hop = 2s, patience = 20s, partial-after = 0s
                              clients.containers-image.whole-index = true
                            }]
                            """.formatted(gate.number(), team.url()))) {
                Registry registry = new Registry(server);
                String partial = registry.await("team/app", "main", "linux/amd64");
                assertThat(Registry.architectures(registry.byDigest("team/app", partial)))
                        .containsExactly("amd64");

                assertThat(indexes(server).path("complete").asBoolean()).isFalse();
                assertThat(indexes(server).path("missing").path(0).asText()).isEqualTo("linux/arm64/v8");
                CompletableFuture<Outcome> pipeline = CompletableFuture.supplyAsync(() -> waitForAll(server));

                Path copy = temp.resolve("copy");
                try (Tap tap = Tap.before(server.registry(), "HTTP/1.1 307 ")) {
                    CompletableFuture<Outcome> copying = CompletableFuture.supplyAsync(() -> Tool.of("skopeo")
                            .run(
                                    Duration.ofMinutes(3),
                                    List.of(
                                            "copy",
                                            "--all",
                                            "--src-tls-verify=false",
                                            "docker://" + tap.host() + "/team/app:main",
                                            "dir:" + copy)));
                    CompletableFuture<ScriptedClient.Pulled> signing = ScriptedClient.all().stream()
                            .filter(client -> client.name().equals("cosign"))
                            .findFirst()
                            .orElseThrow()
                            .start(server.registry(), "team/app", "main");
                    Awaitility.await("the copy waits")
                            .atMost(Duration.ofMinutes(1))
                            .until(() -> tap.count() > 0);
                    assertThat(signing).isNotDone();
                    assertThat(pipeline).isNotDone();
                    gate.open();

                    copying.get().mustSucceed();
                    assertThat(signing.get().end().statusCode()).isEqualTo(200);
                }
                pipeline.get().mustSucceed();
                JsonNode complete = indexes(server);
                assertThat(complete.path("complete").asBoolean()).isTrue();
                assertThat(complete.path("missing")).isEmpty();
                assertThat(complete.path("indexes").findValuesAsText("digest"))
                        .first()
                        .isEqualTo(partial);
                assertThat(complete.path("indexes")
                                .path(0)
                                .path("cause")
                                .path("hint")
                                .asText())
                        .isEqualTo("linux/amd64 by X-Build-Platform");
                String whole = registry.await("team/app", "main", "linux/arm64");
                assertThat(complete.path("digest").asText()).isEqualTo(whole);
                Tool.of("skopeo")
                        .run(
                                Duration.ofMinutes(3),
                                List.of(
                                        "copy",
                                        "--all",
                                        "--src-tls-verify=false",
                                        "docker://" + server.host() + "/team/app@" + whole,
                                        "dir:" + temp.resolve("by-digest")))
                        .mustSucceed();
                JsonNode index = registry.byDigest("team/app", whole);
                assertThat(Registry.architectures(index)).containsExactly("amd64", "arm64");
                assertThat(Files.readString(copy.resolve("manifest.json"))).isEqualTo(index.toString());
                assertThat(registry.byDigest("team/app", partial))
                        .as("what was served before")
                        .isNotNull();

                // what cosign and notation ask before and after they sign (clients.md 2.9)
                String hex = whole.substring("sha256:".length());
                try (Wire wire = new Wire(server.registry().getPort())) {
                    assertThat(wire.request("GET", "/v2/team/app/manifests/sha256-" + hex + ".sig")
                                    .status())
                            .isEqualTo(404);
                    assertThat(wire.request("GET", "/v2/team/app/manifests/sha256-" + hex)
                                    .status())
                            .isEqualTo(404);
                    assertThat(wire.request("GET", "/v2/team/app/referrers/" + whole)
                                    .text())
                            .contains("\"manifests\":[]");
                    assertThat(wire.request("HEAD", "/v2/team/app/manifests/" + whole)
                                    .status())
                            .isEqualTo(200);
                }
            }
        }
    }

    /** As in the manual: complete, or an exit code that is not 0. */
    private static Outcome waitForAll(KilnProcess server) {
        return Tool.of("java")
                .run(
                        Duration.ofMinutes(3),
                        List.of(
                                "-jar",
                                KilnProcess.jar().toString(),
                                "wait",
                                "--server",
                                server.registry().toString(),
                                "--all",
                                "team/app:main"));
    }

    private static JsonNode indexes(KilnProcess server) throws Exception {
        try (Wire wire = new Wire(server.registry().getPort())) {
            return new ObjectMapper()
                    .readTree(wire.request("GET", "/api/v1/indexes?repository=team/app&tag=main")
                            .text());
        }
    }
}
