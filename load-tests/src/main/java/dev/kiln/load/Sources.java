package dev.kiln.load;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** The git repositories that are built from; each holds {@code source/build.sh} of the resources on branch main. */
final class Sources {
    static final long LARGE_BYTES = 256L << 20;
    static final long HUGE_BYTES = 2L << 30;
    static final long SLOW_BYTES = 1 << 20;
    static final int SLOW_SECONDS = 2;

    private static final String JIB = """
            apiVersion: jib/v1alpha1
            kind: BuildFile
            layers:
              entries:
                - name: name
                  files:
                    - {src: name, dest: /name}
            """;

    private Sources() {}

    /** Makes the bare repository {@code git/tags.git}, whose git tags t0, t1, … each are a commit for the builder jib. */
    static void tags(Path git, int tags) throws IOException, InterruptedException {
        Path bare = Files.createDirectories(git).resolve("tags.git");
        Command.run(git, "git", "init", "--quiet", "--bare", bare.toString());
        StringBuilder stream = new StringBuilder("blob\nmark :1\n").append(data(JIB));
        for (int i = 0; i < tags; i++) {
            stream.append("commit refs/tags/t")
                    .append(i)
                    .append("\ncommitter load <load@localhost> 1700000000 +0000\n")
                    .append(data("tag " + i))
                    .append("M 100644 :1 jib.yaml\nM 100644 inline name\n")
                    .append(data(i + "\n"));
        }
        Path file = Files.writeString(git.resolve("tags.stream"), stream);
        Command.run(bare, "sh", "-c", "git fast-import --quiet < " + file);
    }

    private static String data(String text) {
        return "data " + text.length() + "\n" + text + "\n";
    }

    /** Makes the bare repository {@code git/<name>.git} with one commit, if it is not there. */
    static Path create(Path git, String name) throws IOException, InterruptedException {
        Path bare = Files.createDirectories(git).resolve(name + ".git");
        if (Files.exists(bare)) {
            return bare;
        }
        Path tree = git.resolve(name + ".tree");
        Command.run(git, "git", "init", "--quiet", "--initial-branch=main", tree.toString());
        try (InputStream script = Sources.class.getResourceAsStream("/source/build.sh")) {
            Files.copy(script, tree.resolve("build.sh"));
        }
        Files.writeString(tree.resolve("name"), name + "\n"); // commits of their own
        Command.run(tree, "git", "add", ".");
        Command.run(
                tree,
                "git",
                "-c",
                "user.name=load",
                "-c",
                "user.email=load@localhost",
                "commit",
                "--quiet",
                "-m",
                name);
        Command.run(git, "git", "clone", "--quiet", "--bare", tree.toString(), bare.toString());
        return bare;
    }
}
