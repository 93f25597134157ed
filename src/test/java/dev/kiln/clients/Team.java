package dev.kiln.clients;

import dev.kiln.testing.GitOrigin;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.eclipse.jgit.api.Git;
import org.eclipse.jgit.api.errors.GitAPIException;
import org.eclipse.jgit.lib.PersonIdent;

/** Somebody's git repository with a build in it. */
final class Team {
    /** Leaves an image whose {@code /hello.txt} names repository, revision and platform; does not dawdle. */
    static final String IMAGE = "sh image.sh\n";

    private final Path directory;
    private final String revision;

    private Team(Path directory, String revision) {
        this.directory = directory;
        this.revision = revision;
    }

    /** A repository in {@code directory/name}, whose branch main has {@code files} and {@code image.sh}. */
    static Team create(Path directory, String name, Map<String, String> files) {
        Map<String, byte[]> all = new HashMap<>();
        all.put("image.sh", demonstration().getBytes(StandardCharsets.UTF_8));
        files.forEach((path, content) -> all.put(path, content.getBytes(StandardCharsets.UTF_8)));
        return commit(directory.resolve(name), all);
    }

    /** One whose branch main has nothing but a submodule called {@code library}. */
    static Team withSubmodule(Path directory, String name) {
        GitOrigin origin = GitOrigin.create(directory.resolve(name).resolve(".git"));
        String revision = origin.submodule("library");
        origin.ref("refs/heads/main", revision);
        return new Team(directory.resolve(name), revision);
    }

    private static Team commit(Path directory, Map<String, byte[]> files) {
        try (Git git = Git.init()
                .setInitialBranch("main")
                .setDirectory(directory.toFile())
                .call()) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                Files.write(directory.resolve(file.getKey()), file.getValue());
            }
            git.add().addFilepattern(".").call();
            PersonIdent author = new PersonIdent("A", "a@example.com");
            String revision = git.commit()
                    .setMessage("Say hello")
                    .setAuthor(author)
                    .setCommitter(author)
                    .setSign(false)
                    .call()
                    .getName();
            return new Team(directory, revision);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (GitAPIException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String demonstration() {
        try (InputStream script = Team.class.getResourceAsStream("/demo/hello/build.sh")) {
            return new String(script.readAllBytes(), StandardCharsets.UTF_8).replace("sleep \"$pause\"", ":");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    String url() {
        return directory.resolve(".git").toString();
    }

    String revision() {
        return revision;
    }

    /** What {@code /hello.txt} says in the image of a repository. */
    static String hello(String repository, String revision, String architecture) {
        String platform = architecture.equals("arm64") ? "linux/arm64/v8" : "linux/" + architecture;
        return "Hello from Kiln: " + repository + " at " + revision.substring(0, 12) + " for " + platform + "\n";
    }
}
