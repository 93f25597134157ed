package dev.kiln.source;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
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
import org.eclipse.jgit.lib.TagBuilder;
import org.eclipse.jgit.lib.TreeFormatter;
import org.eclipse.jgit.storage.file.FileRepositoryBuilder;

/** A git repository that a test makes, object by object, so that it may hold what git itself would refuse to write. */
final class Origin {
    private static final PersonIdent AUTHOR =
            new PersonIdent("A", "a@example.com", Instant.ofEpochSecond(1_700_000_000), ZoneOffset.UTC);

    final Path directory;

    private Origin(Path directory) {
        this.directory = directory;
    }

    interface Work<T> {
        T with(Repository repository) throws IOException;
    }

    static Origin create(Path directory) {
        IsolatedGit.install();
        Origin origin = new Origin(directory);
        origin.run(repository -> {
            repository.create(true);
            repository.updateRef(Constants.HEAD).link("refs/heads/main");
            return null;
        });
        return origin;
    }

    <T> T run(Work<T> work) {
        try (Repository repository = new FileRepositoryBuilder()
                .setGitDir(directory.toFile())
                .setBare()
                .build()) {
            return work.with(repository);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    ObjectId blob(byte[] content) {
        return run(repository -> {
            try (ObjectInserter inserter = repository.newObjectInserter()) {
                ObjectId id = inserter.insert(Constants.OBJ_BLOB, content);
                inserter.flush();
                return id;
            }
        });
    }

    /** A tree exactly as spelled, however wrong. */
    ObjectId tree(TreeFormatter tree) {
        return run(repository -> {
            try (ObjectInserter inserter = repository.newObjectInserter()) {
                ObjectId id = inserter.insert(tree);
                inserter.flush();
                return id;
            }
        });
    }

    /** A tree of text files in its root. */
    ObjectId tree(Map<String, String> files) {
        TreeFormatter tree = new TreeFormatter();
        new TreeMap<>(files)
                .forEach((name, content) ->
                        tree.append(name, FileMode.REGULAR_FILE, blob(content.getBytes(StandardCharsets.UTF_8))));
        return tree(tree);
    }

    ObjectId commit(ObjectId tree, String message, ObjectId... parents) {
        return run(repository -> {
            try (ObjectInserter inserter = repository.newObjectInserter()) {
                CommitBuilder commit = new CommitBuilder();
                commit.setTreeId(tree);
                commit.setParentIds(parents);
                commit.setAuthor(AUTHOR);
                commit.setCommitter(AUTHOR);
                commit.setMessage(message);
                ObjectId id = inserter.insert(commit);
                inserter.flush();
                return id;
            }
        });
    }

    ObjectId commit(String message, ObjectId... parents) {
        return commit(tree(Map.of("file", message)), message, parents);
    }

    ObjectId annotated(String name, ObjectId target, int type) {
        return run(repository -> {
            try (ObjectInserter inserter = repository.newObjectInserter()) {
                TagBuilder tag = new TagBuilder();
                tag.setTag(name);
                tag.setObjectId(target, type);
                tag.setTagger(AUTHOR);
                tag.setMessage(name);
                ObjectId id = inserter.insert(tag);
                inserter.flush();
                return id;
            }
        });
    }

    void ref(String name, ObjectId target) {
        run(repository -> {
            RefUpdate update = repository.updateRef(name);
            update.setNewObjectId(target);
            update.setForceUpdate(true);
            return update.forceUpdate();
        });
    }

    void delete(String name) {
        run(repository -> {
            RefUpdate update = repository.updateRef(name);
            update.setForceUpdate(true);
            return update.delete();
        });
    }

    /** Two commits whose ids begin with the same seven hex digits; both have the same parent. */
    List<ObjectId> commitsThatShareSevenDigits(ObjectId parent) {
        ObjectId tree = tree(Map.of("file", "same"));
        Map<Integer, Long> first = new HashMap<>();
        try (ObjectInserter.Formatter formatter = new ObjectInserter.Formatter()) {
            for (long n = 0; ; n++) {
                ObjectId id = formatter.idFor(Constants.OBJ_COMMIT, bytes(tree, parent, n));
                int prefix = Integer.parseInt(id.name().substring(0, 7), 16);
                Long other = first.putIfAbsent(prefix, n);
                if (other != null) {
                    List<ObjectId> both = new ArrayList<>();
                    for (long chosen : List.of(other, n)) {
                        both.add(insert(Constants.OBJ_COMMIT, bytes(tree, parent, chosen)));
                    }
                    return both;
                }
            }
        }
    }

    private static byte[] bytes(ObjectId tree, ObjectId parent, long n) {
        String who = "A <a@example.com> 1700000000 +0000";
        return ("tree " + tree.name() + "\nparent " + parent.name() + "\nauthor " + who + "\ncommitter " + who + "\n\n"
                        + n + "\n")
                .getBytes(StandardCharsets.US_ASCII);
    }

    private ObjectId insert(int type, byte[] raw) {
        return run(repository -> {
            try (ObjectInserter inserter = repository.newObjectInserter()) {
                ObjectId id = inserter.insert(type, raw);
                inserter.flush();
                return id;
            }
        });
    }
}
