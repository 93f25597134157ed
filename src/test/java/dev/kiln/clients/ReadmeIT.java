package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.testing.KilnProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands of README.md as they stand there, but for the port and for where clients keep what they have pulled. */
@Tag("clients")
final class ReadmeIT {
    private static final String ADDRESS = "127.0.0.1:8080";
    private static final List<String> CLIENTS = List.of("docker ", "podman ", "buildah ", "skopeo ", "ctr ");

    @TempDir
    private Path temp;

    @BeforeEach
    void keepApart() throws IOException {
        Files.createDirectory(temp.resolve("bin"));
        for (String engine : List.of("podman", "buildah")) {
            Path wrapper = temp.resolve("bin").resolve(engine);
            Files.writeString(
                    wrapper,
                    "#!/bin/sh\nexec /usr/bin/%1$s --storage-driver vfs --root %2$s/%1$s --runroot %2$s/run-%1$s \"$@\"\n"
                            .formatted(engine, temp));
            Files.setPosixFilePermissions(wrapper, PosixFilePermissions.fromString("rwx------"));
        }
    }

    /** The indented lines of a section, without their indentation. */
    private static List<String> commands(String section) throws IOException {
        return Files.readString(Path.of("README.md"))
                .split("(?m)^## " + section + ".*$", 2)[1]
                .split("(?m)^## ", 2)[0]
                .lines()
                .filter(line -> line.startsWith("    "))
                .map(line -> line.substring(4))
                .toList();
    }

    private Outcome sh(Path directory, String script) {
        return Tool.of("bash")
                .with(Map.of(
                        "PATH", temp.resolve("bin") + ":" + System.getenv("PATH"),
                        "HOME", temp.toString(),
                        "CONTAINERD_SNAPSHOTTER", "native",
                        "GIT_AUTHOR_NAME", "A reader",
                        "GIT_AUTHOR_EMAIL", "reader@example.com",
                        "GIT_COMMITTER_NAME", "A reader",
                        "GIT_COMMITTER_EMAIL", "reader@example.com"))
                .run(Duration.ofMinutes(5), List.of("-euc", "cd '" + directory + "'\n" + script))
                .mustSucceed();
    }

    @Test
    void theDemonstrationIsPulledByEachClient() throws IOException {
        List<String> pulls = commands("Try it").stream()
                .filter(line -> CLIENTS.stream().anyMatch(line::startsWith))
                .toList();
        assertThat(pulls).hasSize(7);
        try (KilnProcess server = KilnProcess.start(temp, "")) {
            for (String pull : pulls) {
                Outcome done = sh(temp, pull.replace(ADDRESS, server.host()));
                if (pull.startsWith("docker run ")) {
                    assertThat(done.lastLine()).startsWith("Hello from Kiln: demo/hello at ");
                }
            }
        }
    }

    @Test
    void onesOwnRepositoryIsBuiltWhenItIsPulled() throws IOException {
        List<String> all = commands("Your own repository");
        int serve = all.indexOf("java -jar target/kiln.jar serve --config kiln.conf");
        assertThat(serve).isPositive();
        Path own = Files.createDirectory(temp.resolve("own"));
        sh(own, String.join("\n", all.subList(0, serve)));
        try (KilnProcess server = KilnProcess.start(temp, Files.readString(own.resolve("kiln.conf")))) {
            List<String> pulls = all.subList(serve + 1, all.size());
            assertThat(pulls).hasSize(2).allMatch(line -> line.startsWith("skopeo copy "));
            sh(own, String.join("\n", pulls).replace(ADDRESS, server.host()));
        }
        assertThat(own.resolve("my-app-image/index.json")).exists();
    }
}
