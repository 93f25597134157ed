package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Images made by the tools that people use, pulled by the clients that people use. */
@Tag("clients")
final class RealBuildsIT {
    private static final Path MANUAL = Path.of("docs/configuration.md");

    @TempDir
    static Path temp;

    private static KilnProcess server;
    private static Team runs;

    @BeforeAll
    static void start() throws IOException {
        Team copies = Team.create(
                temp,
                "copies",
                Map.of(
                        "build.sh", dockerfileScript(),
                        "Dockerfile", "FROM scratch\nARG TARGETARCH\nCOPY greeting-$TARGETARCH /greeting\n",
                        "greeting-amd64", "hello amd64\n",
                        "greeting-arm64", "hello arm64\n"));
        // A program without libraries: the demonstration makes one, and so does this build before it is in an image.
        runs = Team.create(
                temp,
                "runs",
                Map.of(
                        "build.sh",
                        "(mkdir made; KILN_OUTPUT=$PWD/made sh image.sh)\n"
                                + "for blob in made/blobs/sha256/*; do tar -xf $blob ./hello 2>/dev/null || true; done\n"
                                + dockerfileScript(),
                        "Dockerfile",
                        "FROM scratch\nCOPY hello /\nRUN [\"/hello\"]\nENTRYPOINT [\"/hello\"]\n"));
        Team jib = Team.create(temp, "jib", Map.of("jib.yaml", """
                apiVersion: jib/v1alpha1
                kind: BuildFile
                layers:
                  entries:
                    - name: text
                      files: [{src: greeting, dest: /greeting}]
                """, "greeting", "hello jib\n"));
        server = KilnProcess.start(temp, """
                kiln.builders {
                  buildah { type = command, command = [sh, build.sh], user = root }
                  jib { type = jib }
                }
                kiln.repository-defaults { platforms = ["linux/amd64", "linux/arm64"], answer-when = all }
                kiln.repositories = [
                  { name = "team/copies", source.url = "%s", builder = buildah }
                  { name = "team/runs", source.url = "%s", builder = buildah, platforms = ["linux/amd64"] }
                  { name = "team/jib", source.url = "%s", builder = jib }
                ]
                """.formatted(copies.url(), runs.url(), jib.url()));
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    static Stream<Arguments> pulls() {
        return Stream.of(Client.skopeo(temp), Client.podman(temp))
                .flatMap(client -> Stream.of("amd64", "arm64").map(arch -> Arguments.of(client, arch)));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("pulls")
    void aDockerfileBuiltByBuildah(Client client, String architecture) {
        String image = server.host() + "/team/copies:main";
        client.pull(image, architecture).mustSucceed();

        SavedImage saved = client.saved(image, architecture);
        assertThat(saved.platform()).isEqualTo("linux/" + architecture);
        assertThat(saved.file("greeting")).contains("hello " + architecture + "\n");
    }

    @Test
    void aDockerfileThatRunsAProgram() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "needs root");
        String image = server.host() + "/team/runs:main";
        Client.docker(temp).pull(image, "amd64").mustSucceed();

        assertThat(log("team~runs@" + runs.revision() + "@linux~amd64"))
                .contains(Team.hello("team/runs", runs.revision(), "amd64"));
        assertThat(Client.docker(temp).saved(image, "amd64").platform()).isEqualTo("linux/amd64");
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("pulls")
    void aBuildFileOfJib(Client client, String architecture) {
        String image = server.host() + "/team/jib:main";
        client.pull(image, architecture).mustSucceed();

        SavedImage saved = client.saved(image, architecture);
        assertThat(saved.platform()).isEqualTo("linux/" + architecture);
        assertThat(saved.file("greeting")).contains("hello jib\n");
    }

    /** What the manual tells people to use for Dockerfiles. */
    private static String dockerfileScript() throws IOException {
        List<String> script = Files.readString(MANUAL)
                .lines()
                .dropWhile(line -> !line.equals("#### Dockerfiles, with buildah"))
                .dropWhile(line -> !line.equals("    set -eu"))
                .takeWhile(line -> line.startsWith("    "))
                .toList();
        assertThat(script).as("the script in " + MANUAL).hasSizeGreaterThan(2);
        return String.join("\n", script) + "\n";
    }

    private static String log(String build) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(server.registry() + "/api/v1/builds/" + build + "/log"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
    }
}
