package dev.kiln.source;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.List;
import org.eclipse.jgit.lib.CommitBuilder;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.FileMode;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.ObjectInserter;
import org.eclipse.jgit.lib.PersonIdent;
import org.eclipse.jgit.lib.RefUpdate;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.lib.TagBuilder;
import org.eclipse.jgit.lib.TreeFormatter;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;

/**
 * The source that Kiln ships: a git repository for {@code demo/hello}, whose image is built by a shell script. It is the
 * same, to the commit ids, wherever it is made.
 */
public final class DemoRepository {
    private static final PersonIdent AUTHOR =
            new PersonIdent("Kiln", "kiln@example.com", Instant.parse("2026-01-01T00:00:00Z"), ZoneOffset.UTC);
    private static final PersonIdent LATER =
            new PersonIdent(AUTHOR, Instant.parse("2026-01-02T00:00:00Z"), ZoneOffset.UTC);

    private static final String MAIN = "refs/heads/main";

    private DemoRepository() {}

    /**
     * Makes it as the bare repository {@code directory}, with the branch {@code main} and the annotated tag
     * {@code v1.0.0}. What is there already stays as it is: its owner may have committed to it. Blocking.
     */
    public static void createIfAbsent(Path directory) throws IOException {
        IsolatedGit.install();
        if (Files.exists(directory)) {
            return;
        }
        Files.createDirectories(directory.toAbsolutePath().getParent());
        Path making = directory.resolveSibling(directory.getFileName() + ".tmp");
        Mirror.deleteTree(making);
        try (Repository repository =
                new FileRepositoryBuilder().setGitDir(making.toFile()).setBare().build()) {
            repository.create(true);
            repository.updateRef(Constants.HEAD).link(MAIN);
            fill(repository);
        }
        Files.move(making, directory, StandardCopyOption.ATOMIC_MOVE);
    }

    private static void fill(Repository repository) throws IOException {
        try (ObjectInserter inserter = repository.newObjectInserter()) {
            ObjectId script = inserter.insert(Constants.OBJ_BLOB, resource("build.sh"));
            TreeFormatter first = new TreeFormatter();
            first.append("build.sh", FileMode.EXECUTABLE_FILE, script);
            ObjectId release = commit(inserter, first, AUTHOR, List.of(), "Build an image with a shell script\n");

            TreeFormatter second = new TreeFormatter();
            second.append(
                    "README.md", FileMode.REGULAR_FILE, inserter.insert(Constants.OBJ_BLOB, resource("README.md")));
            second.append("build.sh", FileMode.EXECUTABLE_FILE, script);
            ObjectId main = commit(inserter, second, LATER, List.of(release), "Tell what this is for\n");

            TagBuilder tag = new TagBuilder();
            tag.setTag("v1.0.0");
            tag.setObjectId(release, Constants.OBJ_COMMIT);
            tag.setTagger(AUTHOR);
            tag.setMessage("The first release\n");
            ObjectId tagged = inserter.insert(tag);
            inserter.flush();
            point(repository, MAIN, main);
            point(repository, "refs/tags/v1.0.0", tagged);
        }
    }

    private static ObjectId commit(
            ObjectInserter inserter, TreeFormatter tree, PersonIdent author, List<ObjectId> parents, String message)
            throws IOException {
        CommitBuilder commit = new CommitBuilder();
        commit.setTreeId(inserter.insert(tree));
        commit.setParentIds(parents);
        commit.setAuthor(author);
        commit.setCommitter(author);
        commit.setMessage(message);
        return inserter.insert(commit);
    }

    private static void point(Repository repository, String ref, ObjectId target) throws IOException {
        RefUpdate update = repository.updateRef(ref);
        update.setNewObjectId(target);
        RefUpdate.Result result = update.update();
        if (result != RefUpdate.Result.NEW) {
            throw new IOException("could not make the demonstration repository: " + ref + ": " + result);
        }
    }

    private static byte[] resource(String name) throws IOException {
        try (InputStream in = DemoRepository.class.getResourceAsStream("/demo/hello/" + name)) {
            if (in == null) {
                throw new IOException("the demonstration's " + name + " is not in the jar");
            }
            return in.readAllBytes();
        }
    }
}
