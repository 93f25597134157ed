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

    private Sources() {}

    /** Makes the bare repository {@code git/<name>.git} with one commit. */
    static Path create(Path git, String name) throws IOException, InterruptedException {
        Path bare = Files.createDirectories(git).resolve(name + ".git");
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
