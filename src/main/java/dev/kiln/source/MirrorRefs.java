package dev.kiln.source;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.eclipse.jgit.api.Git;
import org.eclipse.jgit.api.errors.GitAPIException;
import org.eclipse.jgit.errors.CorruptObjectException;
import org.eclipse.jgit.errors.MissingObjectException;
import org.eclipse.jgit.lib.BatchRefUpdate;
import org.eclipse.jgit.lib.NullProgressMonitor;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.Ref;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.revwalk.RevWalk;
import org.eclipse.jgit.transport.ReceiveCommand;

/**
 * The refs of a mirror: {@code refs/kiln/<object id>} for everything an allowed ref ever pointed at. That one is there
 * says that the mirror has all it reaches.
 */
final class MirrorRefs {
    private static final String PREFIX = "refs/kiln/";
    /** How many that no allowed ref points at any more are kept. */
    private static final int FORMER = 10_000;
    /** From so many packs on they are made one. */
    private static final int PACKS = 50;

    /** What the refs point at. */
    Set<ObjectId> objects(Repository mirror) throws IOException {
        Set<ObjectId> objects = new HashSet<>();
        for (Ref ref : mirror.getRefDatabase().getRefsByPrefix(PREFIX)) {
            objects.add(ref.getObjectId());
        }
        return objects;
    }

    void add(Repository mirror, Collection<ObjectId> objects) throws IOException {
        if (objects.isEmpty()) {
            return;
        }
        BatchRefUpdate update = mirror.getRefDatabase().newBatchUpdate();
        update.setAllowNonFastForwards(true).disableRefLog();
        for (ObjectId object : objects) {
            update.addCommand(new ReceiveCommand(ObjectId.zeroId(), object, PREFIX + object.name()));
        }
        try (RevWalk walk = new RevWalk(mirror)) {
            update.execute(walk, NullProgressMonitor.INSTANCE);
        }
        List<ReceiveCommand> failed = update.getCommands().stream()
                .filter(command -> command.getResult() != ReceiveCommand.Result.OK)
                .toList();
        if (!failed.isEmpty()) {
            throw new IOException(
                    "the mirror's refs could not be written: " + failed.get(0).getResult());
        }
    }

    /** Whether everything the refs point at can be read. */
    boolean areSound(Repository mirror) throws IOException {
        try (RevWalk walk = new RevWalk(mirror)) {
            for (ObjectId object : objects(mirror)) {
                walk.parseAny(object);
            }
            return true;
        } catch (MissingObjectException | CorruptObjectException e) {
            return false;
        }
    }

    /**
     * Keeps refs and packs few.
     *
     * @return whether there was something to do
     */
    boolean tidy(Repository mirror, RefTable table) throws IOException {
        Set<ObjectId> former = objects(mirror);
        table.pointers().values().forEach(pointer -> former.remove(pointer.object()));
        if (former.size() > FORMER) {
            BatchRefUpdate update = mirror.getRefDatabase().newBatchUpdate();
            update.setAllowNonFastForwards(true).disableRefLog();
            former.forEach(
                    object -> update.addCommand(new ReceiveCommand(object, ObjectId.zeroId(), PREFIX + object.name())));
            try (RevWalk walk = new RevWalk(mirror)) {
                update.execute(walk, NullProgressMonitor.INSTANCE);
            }
        }
        if (packs(mirror) < PACKS) {
            return former.size() > FORMER;
        }
        try (Git git = Git.wrap(mirror)) {
            git.gc().call();
            return true;
        } catch (GitAPIException e) {
            throw new IOException("the mirror's packs could not be made one", e);
        }
    }

    private static long packs(Repository mirror) throws IOException {
        Path folder = mirror.getDirectory().toPath().resolve("objects/pack");
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".pack")).count();
        }
    }
}
