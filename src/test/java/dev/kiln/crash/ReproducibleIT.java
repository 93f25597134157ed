package dev.kiln.crash;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.crash.Installation.Builds;
import dev.kiln.testing.GitOrigin;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PullClient;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
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

    @Test
    void withJibToo() throws IOException {
        PullClient.Answer first = pullByJib(Files.createDirectory(directory.resolve("first")), "main");
        PullClient.Answer second = pullByJib(Files.createDirectory(directory.resolve("second")), "other-name");
        assertThat(second.text()).isEqualTo(first.text());
        assertThat(second.digest()).isEqualTo(first.digest());
    }

    private static PullClient.Answer pullByJib(Path directory, String branch) {
        GitOrigin origin = GitOrigin.create(directory.resolve("origin.git"));
        Map<String, String> files = Map.of("page.html", "<p>hello", "jib.yaml", """
                apiVersion: jib/v1alpha1
                kind: BuildFile
                environment: {GREETING: hello}
                layers:
                  entries:
                    - name: site
                      files:
                        - {src: page.html, dest: /site/}
                """);
        origin.ref("refs/heads/" + branch, origin.commit(files, "the same"));
        try (KilnProcess kiln = KilnProcess.start(directory, """
                kiln.repositories = [{
                  name = "team/app", source.url = "%s", builder = files, answer-when = all
                  platforms = ["linux/amd64", "linux/arm64/v8"]
                }]
                kiln.builders.files.type = jib
                """.formatted(origin.directory()))) {
            PullClient client = new PullClient(kiln::registry, "team/app");
            PullClient.Answer index = PullClient.join(client.pull(branch));
            assertThat(index.status()).as(index.text()).isEqualTo(200);
            assertThat(index.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
            client.readAll(index);
            return index;
        }
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
