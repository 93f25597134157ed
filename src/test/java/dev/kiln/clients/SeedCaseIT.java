package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.testing.KilnProcess;
import java.nio.file.Path;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Why Kiln exists: nobody waits for a platform that is not his, and no digest is ever taken back. */
@Tag("clients")
final class SeedCaseIT {
    private static final Pattern DIGEST = Pattern.compile("Digest: (sha256:[0-9a-f]{64})");

    @TempDir
    Path temp;

    @Test
    void theQuickPlatformIsServedWhileTheSlowOneBuildsAndEveryIndexStays() {
        String slowArm64 = "[ \"$KILN_ARCH\" = amd64 ] || " + Gate.await("GATE") + Team.IMAGE;
        Team team = Team.create(temp, "app", Map.of("build.sh", slowArm64));
        Client docker = Client.docker(temp);
        String index;
        String grown;
        try (Gate gate = Gate.closed();
                KilnProcess server = KilnProcess.start(temp, """
                kiln.builders.sh { type = command, command = [bash, build.sh], environment { GATE = "%s" } }
                kiln.repositories = [{
                  name = "team/app", source.url = "%s", builder = sh
                  platforms = ["linux/amd64", "linux/arm64"], partial-after = 10m, hop = 2s, patience = 20s
                }]
                """.formatted(gate.number(), team.url()))) {
            Registry registry = new Registry(server);

            // arm64 does not end before the gate is opened: this pull is answered because its engine is an amd64 one.
            index = pull(docker, server.host() + "/team/app:main");
            JsonNode alone = registry.byDigest("team/app", index);
            assertThat(Registry.architectures(alone)).containsExactly("amd64");
            assertThat(docker.saved(server.host() + "/team/app:main", "amd64").file("hello.txt"))
                    .contains(Team.hello("team/app", team.revision(), "amd64"));

            gate.open();
            registry.await("team/app", "main", "linux/arm64");
            grown = pull(docker, server.host() + "/team/app:main");
            JsonNode both = registry.byDigest("team/app", grown);
            assertThat(Registry.architectures(both)).containsExactly("amd64", "arm64");
            assertThat(Registry.children(both)).containsAll(Registry.children(alone));
            allDigestsStay(server, index, grown);

            server.stop();
            server.start();
            assertThat(pull(docker, server.host() + "/team/app:main")).isEqualTo(grown);
            assertThat(pull(docker, server.host() + "/team/app:" + team.revision()))
                    .isEqualTo(grown);
            allDigestsStay(server, index, grown);
        }
    }

    private void allDigestsStay(KilnProcess server, String... indexes) {
        Registry registry = new Registry(server);
        for (String index : indexes) {
            for (String child : Registry.children(registry.byDigest("team/app", index))) {
                registry.byDigest("team/app", child);
                Client.skopeo(temp)
                        .run(
                                "inspect",
                                "--raw",
                                "--tls-verify=false",
                                "docker://" + server.host() + "/team/app@" + child)
                        .mustSucceed();
            }
            String byDigest = server.host() + "/team/app@" + index;
            Client.docker(temp).pull(byDigest, "amd64").mustSucceed();
            Client.podman(temp).pull(byDigest, "amd64").mustSucceed();
        }
    }

    private static String pull(Client docker, String image) {
        Matcher digest =
                DIGEST.matcher(docker.pull(image, "amd64").mustSucceed().output());
        assertThat(digest.find()).isTrue();
        return digest.group(1);
    }
}
