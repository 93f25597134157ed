package dev.kiln.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Map;
import java.util.TreeMap;
import org.eclipse.jgit.lib.CommitBuilder;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.FileMode;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.ObjectInserter;
import org.eclipse.jgit.lib.PersonIdent;
import org.eclipse.jgit.lib.RefUpdate;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.lib.TreeFormatter;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;

/** A bare git repository on disk, as a server's source. Commits of the same files and message have the same id anywhere. */
public final class GitOrigin {
    private static final PersonIdent AUTHOR =
            new PersonIdent("A", "a@example.com", Instant.ofEpochSecond(1_700_000_000), ZoneOffset.UTC);

    private final Path directory;

    private GitOrigin(Path directory) {
        this.directory = directory;
    }

    public static GitOrigin create(Path directory) {
        GitOrigin origin = new GitOrigin(directory);
        try (Repository repository = origin.open()) {
            repository.create(true);
            repository.updateRef(Constants.HEAD).link("refs/heads/main");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return origin;
    }

    public Path directory() {
        return directory;
    }

    private Repository open() throws IOException {
        return new FileRepositoryBuilder()
                .setGitDir(directory.toFile())
                .setBare()
                .build();
    }

    /** A commit without parents that has {@code files}, as text, in its root; its full id. */
    public String commit(Map<String, String> files, String message) {
        try (Repository repository = open();
                ObjectInserter inserter = repository.newObjectInserter()) {
            TreeFormatter tree = new TreeFormatter();
            for (Map.Entry<String, String> file : new TreeMap<>(files).entrySet()) {
                tree.append(
                        file.getKey(),
                        FileMode.EXECUTABLE_FILE,
                        inserter.insert(Constants.OBJ_BLOB, file.getValue().getBytes(StandardCharsets.UTF_8)));
            }
            return commit(inserter, tree, message);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A commit without parents whose root has nothing but a submodule; its full id. */
    public String submodule(String name) {
        try (Repository repository = open();
                ObjectInserter inserter = repository.newObjectInserter()) {
            TreeFormatter tree = new TreeFormatter();
            tree.append(name, FileMode.GITLINK, ObjectId.fromString("0123456789".repeat(4)));
            return commit(inserter, tree, "a submodule");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String commit(ObjectInserter inserter, TreeFormatter tree, String message) throws IOException {
        CommitBuilder commit = new CommitBuilder();
        commit.setTreeId(inserter.insert(tree));
        commit.setAuthor(AUTHOR);
        commit.setCommitter(AUTHOR);
        commit.setMessage(message);
        ObjectId id = inserter.insert(commit);
        inserter.flush();
        return id.name();
    }

    /** Lets {@code refs/heads/…} or {@code refs/tags/…} mean {@code commit} from now on. */
    public void ref(String name, String commit) {
        try (Repository repository = open()) {
            RefUpdate update = repository.updateRef(name);
            update.setNewObjectId(ObjectId.fromString(commit));
            update.setForceUpdate(true);
            update.forceUpdate();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
