package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A repository that is built for machines with SSE 4 as well: who asks for that gets it, by every name that a client can
 * send, and everybody else what they got before.
 */
@Tag("clients")
final class FlavoursIT {
    private static final String BUILD = "echo \"features=$KILN_FEATURES os.version=$KILN_OS_VERSION\"\n" + Team.IMAGE;

    @TempDir
    static Path temp;

    private static Team team;
    private static String configuration;
    private static KilnProcess open;
    private static KilnProcess asking;

    @BeforeAll
    static void start() throws IOException {
        team = Team.create(temp, "app", Map.of("build.sh", BUILD));
        configuration = """
                kiln.builders.sh { type = command, command = [sh, build.sh] }
                kiln.repositories = [{
                  name = "team/*", source.url = "%s", builder = sh
                  platforms = ["linux/amd64", "linux/arm64", "linux/amd64+sse4"]
                }]
                """.formatted(team.url());
        open = KilnProcess.start(Files.createDirectory(temp.resolve("open")), configuration);
        asking = KilnProcess.start(
                Files.createDirectory(temp.resolve("asking")), configuration + "kiln.hints.username = true\n");
    }

    @AfterAll
    static void stop() {
        open.close();
        asking.close();
    }

    @ParameterizedTest
    @CsvSource({
        "by-suffix, team/by-suffix:main_linux-amd64-sse4",
        "by-dash, team/by-dash:main-linux-amd64-sse4",
        "by-path, p/linux-amd64-sse4/team/by-path:main"
    })
    void skopeoGetsTheImageForTheMachineThatItNames(String name, String image) {
        assertTwoImages(open, name, image, List.of());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"linux+amd64+sse4", "{\"architecture\":\"amd64\",\"os\":\"linux\",\"features\":[\"sse4\"]}"})
    void aUsernameNamesTheMachineToo(String user) {
        String name = user.startsWith("{") ? "by-document" : "by-words";
        assertTwoImages(asking, name, "team/" + name + ":main", List.of("--src-creds", user + ":x"));
    }

    private static void assertTwoImages(KilnProcess server, String name, String image, List<String> options) {
        Client skopeo = Client.skopeo(temp);
        String plain = server.host() + "/team/" + name + ":main";
        skopeo.pull(plain, "amd64").mustSucceed();
        assertThat(skopeo.saved(plain, "amd64").file("hello.txt")).contains(hello(name, "linux/amd64"));
        String flavour = server.host() + "/" + image;
        skopeo.pull(flavour, "amd64", options).mustSucceed();
        assertThat(skopeo.saved(flavour, "amd64").file("hello.txt")).contains(hello(name, "linux/amd64+sse4"));
    }

    private static String hello(String name, String platform) {
        return "Hello from Kiln: team/" + name + " at " + team.revision().substring(0, 12) + " for " + platform + "\n";
    }

    @Test
    void theCommonIndexListsNoFlavourAndEachStaysOverARestart() throws IOException {
        Path directory = Files.createDirectory(temp.resolve("restarted"));
        String flavour;
        String common;
        try (KilnProcess server = KilnProcess.start(directory, configuration)) {
            Registry registry = new Registry(server);
            registry.await("team/app", "main", "linux/arm64");
            common = registry.await("team/app", "main", "linux/amd64");
            registry.await("team/app", "main?platform=linux/amd64+sse4", "");
            flavour = registry.await("team/app", "main", "linux/amd64+sse4");
            assertThat(features(registry.byDigest("team/app", common))).isEmpty();
            assertThat(Registry.architectures(registry.byDigest("team/app", common)))
                    .containsExactly("amd64", "arm64");
        }
        try (KilnProcess server = KilnProcess.start(directory, configuration)) {
            Registry registry = new Registry(server);
            assertThat(registry.await("team/app", "main", "linux/amd64+sse4")).isEqualTo(flavour);
            assertThat(registry.await("team/app", "main", "linux/amd64")).isEqualTo(common);
            JsonNode index = registry.byDigest("team/app", flavour);
            assertThat(Registry.architectures(index)).containsExactly("amd64", "arm64");
            assertThat(features(index)).containsExactly("sse4");
            assertThat(Registry.children(index).get(0))
                    .isNotEqualTo(Registry.children(registry.byDigest("team/app", common))
                            .get(0));
        }
    }

    private static List<String> features(JsonNode index) {
        return index.path("manifests").findValuesAsText("dev.kiln.platform.features");
    }
}
