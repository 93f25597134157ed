package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.testing.PullClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReproducibleIT {
    @TempDir
    Path directory;

    @Test
    void oneRevisionHasOneIndexOnAnyServer() throws IOException {
        PullClient.Answer first = pullOn(Files.createDirectory(directory.resolve("first")), "main");
        PullClient.Answer second = pullOn(Files.createDirectory(directory.resolve("second")), "other-name");
        assertThat(second.text()).isEqualTo(first.text());
        assertThat(second.digest()).isEqualTo(first.digest());
    }

    private static PullClient.Answer pullOn(Path directory, String branch) {
        try (Installation kiln = Installation.in(directory)) {
            kiln.origin.ref("refs/heads/" + branch, kiln.commit("the same"));
            kiln.start(Builds.QUICK, "");
            PullClient.Answer index = PullClient.join(kiln.client.pull(branch));
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            kiln.client.readAll(index);
            return index;
        }
    }
}
