package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.MediaTypes;
import dev.kiln.testing.PullClient;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a client that knows Docker's media types only was answered outlives the server that answered it. */
class DockerTypesIT {
    private static final String[] ACCEPT = {
        "Accept", MediaTypes.DOCKER_LIST + ", " + MediaTypes.DOCKER_MANIFEST, "X-Build-Platform", "linux/amd64"
    };

    @TempDir
    Path directory;

    @Test
    void aListIsTheSameAfterAKillAndSoIsAllThatItLeadsTo() throws IOException {
        try (Installation kiln = Installation.in(directory)) {
            kiln.branch("main");
            kiln.start(Builds.QUICK, "");
            PullClient.Answer list = PullClient.join(kiln.client.follow(kiln.client.manifests("main"), 0, ACCEPT));
            kiln.server.kill();
            assertThat(list.status()).as(list.text()).isEqualTo(200);
            assertThat(list.header("Content-Type")).isEqualTo(MediaTypes.DOCKER_LIST);

            kiln.start(Builds.QUICK, "");
            assertThat(kiln.client.readAllAgain()).isEqualTo(1);
            kiln.client.readAll(list);
            kiln.server.kill();
            kiln.start(Builds.QUICK, "");
            assertThat(kiln.client.readAllAgain()).isGreaterThanOrEqualTo(4);
        }
    }
}
