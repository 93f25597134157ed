package dev.kiln.source;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.FreeSpace;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.eclipse.jgit.lib.AbbreviatedObjectId;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.ObjectReader;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.revwalk.RevCommit;
import org.eclipse.jgit.revwalk.RevObject;
import org.eclipse.jgit.revwalk.RevWalk;

/** One repository's mirror, kept up with git as far as a question needs it and repaired when it is damaged. */
final class MirroredGit {
    private static final int REMEMBERED = 1000;
    /** JGit's gc leaves packs younger than an hour, which somebody may be reading, so more often is of no use. */
    private static final Duration TIDY = Duration.ofHours(1);

    private final GitRemote remote;
    private final RefObserver observer;
    private final Mirrors mirrors;
    private final Mirror mirror;
    private final FreeSpace space;
    private final Duration timeout;
    private final Clock clock;
    private final MirrorRefs refs = new MirrorRefs();
    private final Cache<Judged, Boolean> judgements =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();

    private volatile Optional<RefObserver.Known> complete = Optional.empty();
    private volatile RefTable kept;
    /** Guarded by the mirror's fetch lock. */
    private Optional<Refusal> refusal = Optional.empty();
    /** Guarded by the mirror's fetch lock. */
    private Instant tidied = Instant.EPOCH;

    /** A table is equal to itself alone, so a judgement is forgotten with the first change of a ref. */
    private record Judged(RefTable table, ObjectId commit) {}

    /** What these refs reach was not taken: it is not fetched again before one of them has changed. */
    private record Refusal(RefTable table, String reason) {}

    /** @param space of the mirrors' disk */
    MirroredGit(
            GitRemote remote,
            RefObserver observer,
            Mirrors mirrors,
            Mirror mirror,
            FreeSpace space,
            Duration timeout,
            Clock clock) {
        this.remote = remote;
        this.observer = observer;
        this.mirrors = mirrors;
        this.mirror = mirror;
        this.space = space;
        this.timeout = timeout;
        this.clock = clock;
    }

    /** Keeps what git said for a time when it does not answer, if there is a mirror to keep it beside. */
    void remember(RefObserver.Known known) {
        if (!known.table().equals(kept) && mirror.exists()) {
            try {
                mirror.keep(known);
                kept = known.table();
            } catch (IOException e) {
                // a full disk must not fail a pull that needs none of it
                kept = null;
            }
        }
    }

    /** Whether {@code id} is here. */
    boolean has(ObjectId id) throws IOException {
        return mirror.exists()
                && use(repository -> repository.getObjectDatabase().has(id));
    }

    /** What an id names, as far as is known here. */
    enum Kind {
        COMMIT,
        OTHER,
        UNKNOWN
    }

    Kind kind(ObjectId id) {
        try {
            return mirror.exists() ? use(repository -> kind(repository, id)) : Kind.UNKNOWN;
        } catch (IOException e) {
            return Kind.UNKNOWN;
        }
    }

    private static Kind kind(Repository repository, ObjectId id) throws IOException {
        try (ObjectReader reader = repository.newObjectReader()) {
            return reader.open(id).getType() == Constants.OBJ_COMMIT ? Kind.COMMIT : Kind.OTHER;
        }
    }

    /** The commits here whose id begins with {@code prefix} and that the refs of {@code table} reach. */
    List<ObjectId> reachable(String prefix, RefTable table) throws IOException {
        if (!mirror.exists()) {
            return List.of();
        }
        return use(repository -> {
            List<ObjectId> found = new ArrayList<>();
            for (ObjectId id : candidates(repository, prefix)) {
                if (isReachable(repository, id, table)) {
                    found.add(id);
                }
            }
            return found;
        });
    }

    private static Collection<ObjectId> candidates(Repository repository, String prefix) throws IOException {
        try (ObjectReader reader = repository.newObjectReader()) {
            if (prefix.length() == Constants.OBJECT_ID_STRING_LENGTH) {
                ObjectId id = ObjectId.fromString(prefix);
                return reader.has(id) ? List.of(id) : List.of();
            }
            return reader.resolve(AbbreviatedObjectId.fromString(prefix));
        }
    }

    private boolean isReachable(Repository repository, ObjectId id, RefTable table) throws IOException {
        Judged question = new Judged(table, id);
        Boolean known = judgements.getIfPresent(question);
        if (known != null) {
            return known;
        }
        boolean reachable = walk(repository, id, table);
        // before its fetch, a table's tips are not all here, and what they reach may seem unreachable
        if (reachable || complete.filter(last -> last.table().equals(table)).isPresent()) {
            judgements.put(question, reachable);
        }
        return reachable;
    }

    private static boolean walk(Repository repository, ObjectId id, RefTable table) throws IOException {
        try (ObjectReader reader = repository.newObjectReader();
                RevWalk walk = new RevWalk(reader)) {
            RevObject object = walk.parseAny(id);
            if (!(object instanceof RevCommit commit)) {
                return false;
            }
            List<RevCommit> starts = new ArrayList<>();
            for (ObjectId tip : table.tips()) {
                if (tip.equals(id)) {
                    return true;
                }
                // a tip that is not fetched yet reaches nothing that is here by another way
                if (reader.has(tip) && walk.parseAny(tip) instanceof RevCommit start) {
                    starts.add(start);
                }
            }
            return reader.createReachabilityChecker(walk)
                    .areAllReachable(List.of(commit), starts.stream())
                    .isEmpty();
        }
    }

    /**
     * Fetches, unless the mirror has all that {@code known} or a later answer of git names. One thread does; the others
     * wait for it.
     *
     * @return what the mirror is now complete for
     */
    RefObserver.Known update(RefObserver.Known known) throws GitException, IOException {
        mirror.fetching().lock();
        try {
            if (isCompleteFor(known)) {
                return complete.orElseThrow();
            }
            Optional<String> failing = observer.failing();
            if (failing.isPresent()) {
                throw GitException.unavailable(failing.get());
            }
            try {
                return fetch(known);
            } catch (GitException e) {
                if (!e.isRepositoryUnknown() && isDamaged()) {
                    mirror.delete();
                    return fetch(known);
                }
                throw e;
            }
        } finally {
            mirror.fetching().unlock();
        }
    }

    private boolean isCompleteFor(RefObserver.Known known) throws IOException {
        if (!mirror.exists()) {
            return false;
        }
        if (complete.filter(
                        last -> last.table().equals(known.table()) || !last.at().isBefore(known.at()))
                .isPresent()) {
            return true;
        }
        Set<ObjectId> objects = use(refs::objects);
        boolean all =
                known.table().pointers().values().stream().allMatch(pointer -> objects.contains(pointer.object()));
        if (all && isDamaged()) {
            mirror.delete();
            return false;
        }
        if (all) {
            complete = Optional.of(known);
        }
        return all;
    }

    private void requireSpace() throws GitException, IOException {
        Optional<String> shortage = mirrors.makeRoom(space, mirror);
        if (shortage.isPresent()) {
            throw noSpace(shortage.get());
        }
    }

    private static GitException noSpace(String shortage) {
        return GitException.unavailable("git is not fetched from: " + shortage);
    }

    private void requireAcceptable(RefObserver.Known known) throws GitException {
        Optional<Refusal> same = refusal.filter(last -> last.table().equals(known.table()));
        if (same.isPresent()) {
            throw GitException.refused(same.get().reason());
        }
    }

    /** @param known what git said of its refs before */
    private RefObserver.Known fetch(RefObserver.Known known) throws GitException, IOException {
        requireAcceptable(known);
        requireSpace();
        boolean isNew = !mirror.exists();
        Instant at = clock.instant();
        boolean done = false;
        SpaceWatch watch = new SpaceWatch(() -> mirrors.makeRoom(space, mirror), System::nanoTime);
        try {
            mirror.create();
            RefTable table = observer.learn(use(repository -> remote.fetch(repository, refs, watch)), at);
            RefObserver.Known now = new RefObserver.Known(table, at);
            complete = Optional.of(now);
            remember(now);
            mirror.touch(at);
            if (isNew) {
                mirrors.trim(mirror);
            } else if (at.isAfter(tidied.plus(TIDY))) {
                tidied = at;
                use(repository -> refs.tidy(repository, table));
            }
            done = true;
            return now;
        } catch (GitException e) {
            // JGit says no more than that it was broken off, or nothing
            GitException failure = watch.shortage().map(MirroredGit::noSpace).orElse(e);
            if (failure.isRefused()) {
                refusal = Optional.of(new Refusal(known.table(), failure.getMessage()));
            } else if (!failure.isRepositoryUnknown()) {
                observer.fail(failure.getMessage());
            }
            throw failure;
        } finally {
            if (isNew && !done) {
                mirror.delete();
            }
        }
    }

    private boolean isDamaged() {
        try {
            return mirror.exists() && !use(refs::areSound);
        } catch (IOException e) {
            return Mirror.isDamage(e);
        }
    }

    /** Replaces a mirror that could not be read, if git answers; else what is left of it stays. */
    void replace(RefObserver.Known known) throws GitException, IOException {
        mirror.fetching().lock();
        try {
            if (complete.filter(last -> last.at().isAfter(known.at())).isPresent() && !isDamaged()) {
                return;
            }
            requireAcceptable(known);
            requireSpace();
            remote.listing(timeout).run();
            complete = Optional.empty();
            kept = null;
            mirror.delete();
            fetch(known);
        } finally {
            mirror.fetching().unlock();
        }
    }

    <T, X extends Exception> T use(Mirror.Work<T, X> work) throws IOException, X {
        mirrors.using(mirror);
        return mirror.use(work);
    }

    /** It was of use just now, and is not the next to go. */
    void touch() {
        try {
            mirror.touch(clock.instant());
        } catch (IOException e) {
            // it is deleted a little earlier than it might be
            return;
        }
    }
}
