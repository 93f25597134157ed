package dev.kiln.load;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * The first pull of an image that nobody has built, against what people do without Kiln: clone, build, copy. Each round has
 * a git repository of its own, so that neither side knows anything of it; both leave the image in an OCI layout.
 */
final class FirstPull {
    private final Path directory;
    private final Path git;

    FirstPull(Path directory, Path git) throws IOException {
        this.directory = Files.createDirectories(directory);
        this.git = git;
    }

    /** Seconds. */
    record Times(double pull, double byHand) {}

    Times measure(Server kiln, int round) throws IOException, InterruptedException {
        String name = "slow-" + round;
        Path bare = Sources.create(git, name);
        // Who goes first takes turns.
        if (round % 2 == 0) {
            double pull = pull(kiln, name);
            return new Times(pull, byHand(bare, name));
        }
        double byHand = byHand(bare, name);
        return new Times(pull(kiln, name), byHand);
    }

    private double pull(Server kiln, String name) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Command.run(
                directory,
                "skopeo",
                "copy",
                "--quiet",
                "--all",
                "--src-tls-verify=false",
                "docker://127.0.0.1:" + kiln.port() + "/" + name + ":main",
                "oci:" + directory.resolve(name + "-pulled") + ":main");
        return (System.nanoTime() - start) / 1e9;
    }

    private double byHand(Path bare, String name) throws IOException, InterruptedException {
        long start = System.nanoTime();
        Path tree = directory.resolve(name + "-tree");
        Command.run(directory, "git", "clone", "--quiet", "file://" + bare, tree.toString());
        String time = Command.run(tree, "git", "log", "-1", "--format=%ct").strip();
        Path output = Files.createDirectory(directory.resolve(name + "-output"));
        Map<String, String> environment = Map.of(
                "KILN_PLATFORM",
                "linux/amd64",
                "KILN_OS",
                "linux",
                "KILN_ARCH",
                "amd64",
                "KILN_OUTPUT",
                output.toString(),
                "SOURCE_DATE_EPOCH",
                time,
                "LAYER_BYTES",
                Long.toString(Sources.SLOW_BYTES),
                "BUILD_SECONDS",
                Integer.toString(Sources.SLOW_SECONDS));
        Command.run(tree, environment, "sh", "build.sh");
        Command.run(
                directory,
                "skopeo",
                "copy",
                "--quiet",
                "--all",
                "oci:" + output,
                "oci:" + directory.resolve(name + "-copied") + ":main");
        return (System.nanoTime() - start) / 1e9;
    }
}
