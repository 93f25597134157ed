package dev.kiln.source;

import dev.kiln.oci.Digest;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.source.MirroredGit.Kind;
import dev.kiln.source.RefObserver.Known;
import dev.kiln.source.RefObserver.Sighting;
import dev.kiln.source.SourceException.Fault;
import java.io.IOException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.regex.Pattern;
import org.eclipse.jgit.lib.ObjectId;

/**
 * What the tags of one repository mean in git, and the sources they name. All methods block, on the network for at most
 * {@code source.timeout} or while a fetch makes progress, and belong on a dispatcher of their own. Thread-safe: the same
 * question by many threads is put to git once.
 */
public final class GitSource {
    private static final Pattern SHORT_ID = Pattern.compile("[0-9a-f]{7,39}");
    private static final String COMMIT = "commit";

    /** How old what git said may be when nothing is known by a name. It bounds, too, how often invented names ask git. */
    private static final Duration UNKNOWN = Duration.ofSeconds(1);

    private final GitUrl url;
    private final RefObserver observer;
    private final MirroredGit git;
    private final TreeArchiver archiver;
    private final Clock clock;
    private final ConcurrentMap<Revision, CompletableFuture<SourceArchive>> archiving = new ConcurrentHashMap<>();

    GitSource(GitUrl url, RefObserver observer, MirroredGit git, TreeArchiver archiver, Clock clock) {
        this.url = url;
        this.observer = observer;
        this.git = git;
        this.archiver = archiver;
        this.clock = clock;
    }

    /**
     * What {@code tag} means: a full commit id, else a git tag, else a branch, else a short commit id. A branch or git tag
     * costs a look-up or two each {@code refresh}, and names that mean nothing at most one each second; only commit ids need
     * the mirror.
     */
    public Meaning resolve(Tag tag) {
        if (tag.isReferrersFallback()) {
            return new Meaning.Unknown(false, "tags of this form name signatures and other referrers, never a source");
        }
        Instant asked = clock.instant();
        Sighting sighting = observer.latest();
        if (sighting instanceof Sighting.Fresh fresh) {
            Meaning meaning = read(tag, fresh);
            return meaning instanceof Meaning.Unknown ? readAgain(tag, asked.minus(UNKNOWN), fresh, meaning) : meaning;
        }
        if (sighting instanceof Sighting.Stale stale) {
            Meaning meaning = read(tag, new Known(stale.table(), stale.at()), false);
            return meaning instanceof Meaning.Found ? meaning : new Meaning.Unavailable(stale.reason());
        }
        return sighting instanceof Sighting.Absent absent
                ? new Meaning.Unknown(true, absent.reason())
                : new Meaning.Unavailable(((Sighting.Dark) sighting).reason());
    }

    private Meaning read(Tag tag, Sighting.Fresh fresh) {
        Known known = new Known(fresh.table(), fresh.at());
        git.remember(known);
        return read(tag, known, true);
    }

    /** Clients take an unknown tag for final, and who pushes a commit may pull it at once. */
    private Meaning readAgain(Tag tag, Instant earliest, Sighting.Fresh before, Meaning meaning) {
        return observer.since(earliest) instanceof Sighting.Fresh now
                        && now.at().isAfter(before.at())
                ? read(tag, now)
                : meaning;
    }

    /** Where it all comes from, as it may be recorded and shown: without user information, and no path of this machine. */
    public String publicName() {
        return url.publicName();
    }

    /** The tags and branches, as git said at most {@code refresh} ago or, while it does not answer, last. */
    public TagList tags() {
        Sighting sighting = observer.latest();
        if (sighting instanceof Sighting.Fresh fresh) {
            return new TagList.Listed(fresh.table().tags());
        }
        if (sighting instanceof Sighting.Stale stale) {
            return new TagList.Listed(stale.table().tags());
        }
        return sighting instanceof Sighting.Absent absent
                ? new TagList.Unknown(absent.reason())
                : new TagList.Unavailable(((Sighting.Dark) sighting).reason());
    }

    /** @param mayFetch whether git is expected to answer */
    private Meaning read(Tag tag, Known known, boolean mayFetch) {
        String name = tag.value();
        RefTable.Reading reading = known.table().read(tag);
        if (reading instanceof RefTable.Reading.One one) {
            return named(one.named(), known);
        }
        boolean isFull = Revision.parse(name).isPresent();
        if (isFull || SHORT_ID.matcher(name).matches()) {
            Meaning meaning = commit(name, known, mayFetch);
            boolean isRefused = reading instanceof RefTable.Reading.Refused && meaning instanceof Meaning.Unknown;
            return isRefused ? unknown(((RefTable.Reading.Refused) reading).reason()) : meaning;
        }
        if (reading instanceof RefTable.Reading.Refused refused) {
            return unknown(refused.reason());
        }
        return unknown(
                tag.looksLikeCommitId()
                        ? "no allowed branch or git tag is called " + name + "; commit ids are written in lower case"
                        : "no allowed branch, git tag or commit is called " + name);
    }

    private Meaning named(RefTable.Named named, Known known) {
        Kind kind = known.table().isBranchTip(named.target()) ? Kind.COMMIT : git.kind(named.target());
        if (kind == Kind.OTHER) {
            return unknown("the git tag " + named.ref() + " names no commit but a file or a folder");
        }
        // What is not known to be a commit may turn out to be none while the refs stay.
        Optional<Digest> refs = kind == Kind.COMMIT ? Optional.of(known.table().digest()) : Optional.empty();
        return found(named.target(), named.ref(), known, refs);
    }

    /** @param prefix a full commit id, or the beginning of one */
    private Meaning commit(String prefix, Known known, boolean mayFetch) {
        if (prefix.length() == 64) {
            return unknown("no commit has the id " + prefix);
        }
        boolean isFull = prefix.length() == 40;
        if (isFull && known.table().isBranchTip(ObjectId.fromString(prefix))) {
            return foundCommit(ObjectId.fromString(prefix), known);
        }
        try {
            List<ObjectId> before = git.reachable(prefix, known.table());
            if ((isFull && !before.isEmpty()) || (!mayFetch && before.size() == 1)) {
                return foundCommit(before.get(0), known);
            }
            if (!mayFetch) {
                return unknown("not known");
            }
            return commitInGit(prefix, known, before);
        } catch (IOException e) {
            return repaired(prefix, known, mayFetch, e);
        }
    }

    private Meaning commitInGit(String prefix, Known known, List<ObjectId> before) throws IOException {
        Known complete;
        try {
            complete = git.update(known);
        } catch (GitException e) {
            if (before.size() == 1) {
                return foundCommit(before.get(0), known);
            }
            // Also when git says that there is no such repository: there was one a moment ago.
            return new Meaning.Unavailable(e.getMessage());
        }
        List<ObjectId> matches = git.reachable(prefix, complete.table());
        return switch (matches.size()) {
            case 0 -> unknown("no commit that an allowed branch or git tag reaches has the id " + prefix);
            case 1 -> foundCommit(matches.get(0), complete);
            default ->
                unknown(prefix + " is ambiguous: " + matches.size() + " commits begin with it; write more of it");
        };
    }

    private Meaning repaired(String prefix, Known known, boolean mayFetch, IOException failure) {
        if (mayFetch && Mirror.isDamage(failure)) {
            try {
                git.replace(known);
                return commitInGit(prefix, known, List.of());
            } catch (GitException e) {
                return new Meaning.Unavailable(e.getMessage());
            } catch (IOException e) {
                return new Meaning.Unavailable("this server's copy of the git repository cannot be read");
            }
        }
        return new Meaning.Unavailable("this server's copy of the git repository cannot be read");
    }

    private static Meaning unknown(String reason) {
        return new Meaning.Unknown(false, reason);
    }

    private Meaning foundCommit(ObjectId id, Known known) {
        return found(id, COMMIT, known, Optional.empty());
    }

    private Meaning found(ObjectId id, String ref, Known known, Optional<Digest> refs) {
        return new Meaning.Found(new Revision(id.name()), ref, url.toString(), known.at(), refs);
    }

    /**
     * Puts the tree of {@code revision} into the content store: the same bytes whenever and wherever it is done. The
     * caller has resolved the revision; it need not be reachable any more when the mirror still has it.
     */
    public SourceArchive archive(Revision revision) throws SourceException {
        CompletableFuture<SourceArchive> mine = new CompletableFuture<>();
        CompletableFuture<SourceArchive> others = archiving.putIfAbsent(revision, mine);
        if (others != null) {
            return join(others);
        }
        try {
            mine.complete(make(revision));
        } catch (SourceException | RuntimeException e) {
            mine.completeExceptionally(e);
        } finally {
            archiving.remove(revision, mine);
            // only an Error leaves it open; nobody must wait for ever
            mine.cancel(false);
        }
        return join(mine);
    }

    private static SourceArchive join(CompletableFuture<SourceArchive> archive) throws SourceException {
        try {
            return archive.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof SourceException failure) {
                throw new SourceException(failure.fault(), failure.getMessage(), failure);
            }
            throw e;
        }
    }

    private SourceArchive make(Revision revision) throws SourceException {
        if (revision.value().length() != 40) {
            throw new SourceException(Fault.REVISION, "no commit has the id " + revision);
        }
        ObjectId id = ObjectId.fromString(revision.value());
        try {
            try {
                return archive(id, Optional.empty());
            } catch (IOException e) {
                if (!Mirror.isDamage(e)) {
                    throw e;
                }
                return archive(id, Optional.of(e));
            }
        } catch (GitException e) {
            throw new SourceException(e.isRefused() ? Fault.REVISION : Fault.INFRASTRUCTURE, e.getMessage());
        } catch (IOException e) {
            throw new SourceException(
                    Fault.INFRASTRUCTURE, "this server's copy of the git repository cannot be read", e);
        }
    }

    /** @param damage what was wrong with the mirror, which is then made anew first */
    private SourceArchive archive(ObjectId id, Optional<IOException> damage)
            throws SourceException, GitException, IOException {
        if (damage.isPresent()) {
            git.replace(answering());
        }
        if (!git.has(id)) {
            git.update(answering());
            if (!git.has(id)) {
                throw new SourceException(
                        Fault.REVISION, "no allowed branch or git tag reaches the commit " + id.name() + " any more");
            }
        }
        SourceArchive archive = git.use(repository -> archiver.archive(repository, id));
        git.touch();
        return archive;
    }

    private Known answering() throws GitException {
        Sighting sighting = observer.latest();
        if (sighting instanceof Sighting.Fresh fresh) {
            return new Known(fresh.table(), fresh.at());
        }
        if (sighting instanceof Sighting.Stale stale) {
            throw GitException.unavailable(stale.reason());
        }
        throw sighting instanceof Sighting.Absent absent
                ? GitException.repositoryUnknown(absent.reason())
                : GitException.unavailable(((Sighting.Dark) sighting).reason());
    }

    /** The number of refs it holds in memory. */
    int refs() {
        return observer.size();
    }
}
