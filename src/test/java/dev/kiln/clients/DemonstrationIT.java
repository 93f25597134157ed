package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.KilnProcess;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The server as it comes: its greeting, and its demonstration image by every client. */
@Tag("clients")
final class DemonstrationIT {
    private static final String HELLO = "Hello from Kiln: demo/hello at [0-9a-f]{12} for linux/";

    /** Why a machine may not let podman start a container; none of them is the image's fault. */
    private static final String NOT_ALLOWED_HERE =
            "(?s).*(Operation not permitted|cgroups in hybrid mode not supported|[Pp]ermission denied).*";

    @TempDir
    static Path temp;

    private static KilnProcess server;
    private static String image;

    @BeforeAll
    static void start() {
        server = KilnProcess.start(temp, "");
        image = server.host() + "/demo/hello:main";
        // The quick platform is there long before the slow one; a client that says nothing gets what there is.
        Client.skopeo(temp).pull(image, "amd64").mustSucceed();
        new Registry(server).await("demo/hello", "main", "linux/arm64");
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    static Stream<Arguments> pulls() {
        return Client.all(temp).stream()
                .flatMap(client -> Stream.of("amd64", "arm64").map(arch -> Arguments.of(client, arch)));
    }

    static List<Client> runners() {
        return List.of(Client.docker(temp), Client.podman(temp), Client.ctr(temp));
    }

    @ParameterizedTest(name = "{0} {1}")
    @MethodSource("pulls")
    void theImageHasTheRightContent(Client client, String architecture) {
        client.pull(image, architecture).mustSucceed();

        SavedImage saved = client.saved(image, architecture);
        assertThat(saved.platform()).isEqualTo("linux/" + architecture);
        assertThat(saved.mode("hello")).as("else a machine seems to forbid it").contains(0755);
        assertThat(saved.file("hello.txt")).get().asString().matches(HELLO + architecture + "(/v8)?\n");
    }

    @ParameterizedTest
    @MethodSource("runners")
    void theImageRunsWhereTheMachineAllows(Client client) {
        client.pull(image, "amd64").mustSucceed();

        Outcome run = client.toString().equals("ctr")
                ? client.run("run", "--rm", "--snapshotter", "native", image, "hello")
                : client.run("run", "--rm", "--network", "none", image);

        if (run.exit() == 0) {
            assertThat(run.lastLine()).matches(HELLO + "amd64");
        } else {
            assertThat(run.output())
                    .as("%s", run.command())
                    .matches(NOT_ALLOWED_HERE)
                    .doesNotContain("\"/hello\": permission denied");
        }
    }

    @Test
    void theServerSaysWhatToType() {
        assertThat(server.log())
                .contains("docker pull " + image)
                .contains("podman pull --tls-verify=false " + image)
                .contains("skopeo copy --src-tls-verify=false docker://" + image + " oci:hello")
                .contains("ctr images pull --plain-http " + image);
    }
}
