package dev.kiln.worker.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kiln.blob.SharedFolder;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.ImageManifest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import dev.kiln.testing.RandomImages.Image;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What other people's tools write is taken. */
@Tag("clients")
final class ForeignOutputIT {
    private static final BuildKey KEY = BuildKey.of("team/app@" + "a".repeat(40) + "@linux/arm64");

    private final Image image = new RandomImages(3).image(Platform.of("linux/arm64"));

    @TempDir
    Path temp;

    private Path layout;
    private Path output;
    private SharedFolder folder;

    @BeforeEach
    void open() throws IOException {
        layout = temp.resolve("layout");
        RandomImages.write(layout, RandomImages.layout(image));
        output = Files.createDirectories(temp.resolve("attempt/output"));
        folder = SharedFolder.open(temp.resolve("store"), InstantSource.system());
    }

    @AfterEach
    void close() throws IOException {
        folder.close();
    }

    @Test
    void anOciLayoutOfSkopeo() throws Exception {
        copy("oci:" + output);

        assertThat(take().manifest()).isEqualTo(image.manifest().descriptor());
    }

    @Test
    void anOciArchiveOfSkopeo() throws Exception {
        copy("oci-archive:" + output.resolve("image.tar"));

        assertThat(take().layers())
                .isEqualTo(image.layers().stream().map(Blob::descriptor).toList());
    }

    @Test
    void aDockerArchiveOfSkopeo() throws Exception {
        copy("docker-archive:" + output.resolve("image.tar") + ":app:1");

        assertThat(take().layers())
                .isEqualTo(image.tars().stream()
                        .map(tar -> new Blob(MediaTypes.OCI_LAYER, tar).descriptor())
                        .toList());
    }

    @Test
    void whatBuildahBuildsFromADockerfile() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/buildah")), "needs buildah");
        Path checkout = Files.createDirectory(temp.resolve("checkout"));
        Files.writeString(checkout.resolve("Dockerfile"), "FROM scratch\nCOPY hello /\nCMD [\"/hello\"]\n");
        Files.writeString(checkout.resolve("hello"), "hello");
        buildah("build", "--platform", "linux/arm64", "--timestamp", "0", "-t", "app", checkout.toString());

        buildah("push", "app", "docker-archive:" + output.resolve("image.tar"));
        Taken archive = take();
        Files.delete(output.resolve("image.tar"));
        buildah("push", "app", "oci:" + output + ":app");
        Taken layout = take();

        assertThat(archive.layers()).hasSize(1);
        assertThat(layout.layers()).hasSize(1);
    }

    private void buildah(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                "buildah",
                "--storage-driver",
                "vfs",
                "--root",
                temp.resolve("root").toString(),
                "--runroot",
                temp.resolve("runroot").toString()));
        command.addAll(List.of(arguments));
        run(command);
    }

    private static void run(List<String> command) throws IOException, InterruptedException {
        assertThat(new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start()
                        .waitFor())
                .as(String.join(" ", command))
                .isZero();
    }

    private void copy(String target) throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/skopeo")), "needs skopeo");
        List<String> command =
                List.of("skopeo", "--insecure-policy", "--override-arch", "arm64", "copy", "oci:" + layout, target);
        run(command);
    }

    private Taken take() throws IOException, OutputRejectedException {
        Descriptor manifest = new ImageOutput(folder.content(), 100_000_000).take(output, KEY);
        try (InputStream in = folder.content().blobs().open(manifest.digest())) {
            return new Taken(manifest, ImageManifest.parse(in.readAllBytes()).layers());
        }
    }

    private record Taken(Descriptor manifest, List<Descriptor> layers) {}
}
