package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
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
                    CompletableFuture<ScriptedClient.Pulled> signing =
                            CompletableFuture.supplyAsync(() -> ScriptedClient.named("cosign")
                                    .pull(new HastyWorld(), server.registry(), "team/app", "main"));
                    Awaitility.await("the copy waits")
                            .atMost(Duration.ofMinutes(1))
                            .until(() -> tap.count() > 0);
                    assertThat(signing).isNotDone();
                    assertThat(pipeline).isNotDone();
                    gate.open();

                    copying.get().mustSucceed();
                    assertThat(signing.get().status()).isEqualTo(200);
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

                signAndVerify(server, whole);
            }
        }
    }

    /**
     * What cosign and notation read while they sign and verify (clients.md 2.9), the signatures being kept elsewhere: what the
     * tag means, that digest by itself, its referrers, and the tags of older signatures, which are never taken for builds.
     */
    private static void signAndVerify(KilnProcess server, String digest) throws IOException {
        String name = "/v2/team/app/";
        String hex = digest.substring("sha256:".length());
        for (String agent : List.of("cosign/v3.1.2 (linux; amd64) go-containerregistry/v0.21.9", "notation/1.3.0")) {
            try (Wire wire = new Wire(server.registry().getPort())) {
                Wire.Answer tag = wire.request("GET", name + "manifests/main", "User-Agent: " + agent);
                assertThat(Registry.digest(tag.text().getBytes(StandardCharsets.ISO_8859_1)))
                        .as(agent)
                        .isEqualTo(digest);
                assertThat(wire.request("HEAD", name + "manifests/main", "User-Agent: " + agent)
                                .header("Docker-Content-Digest"))
                        .isEqualTo(digest);
                assertThat(wire.request("HEAD", name + "manifests/" + digest, "User-Agent: " + agent)
                                .header("Content-Length"))
                        .isEqualTo(Integer.toString(tag.text().length()));
                for (String query : List.of("", "?artifactType=application/vnd.cncf.notary.signature")) {
                    Wire.Answer referrers =
                            wire.request("GET", name + "referrers/" + digest + query, "User-Agent: " + agent);
                    assertThat(referrers.status()).isEqualTo(200);
                    assertThat(referrers.header("Content-Type")).isEqualTo("application/vnd.oci.image.index.v1+json");
                    assertThat(referrers.text()).contains("\"manifests\":[]");
                }
                for (String suffix : List.of("", ".sig", ".att", ".sbom")) {
                    Wire.Answer none =
                            wire.request("GET", name + "manifests/sha256-" + hex + suffix, "User-Agent: " + agent);
                    assertThat(none.status()).as(suffix).isEqualTo(404);
                    assertThat(none.text()).contains("MANIFEST_UNKNOWN");
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
