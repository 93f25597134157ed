package dev.kiln.source;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.BlobStore;
import dev.kiln.blob.LowOnSpaceException;
import dev.kiln.blob.StagedBlob;
import dev.kiln.oci.Digest;
import dev.kiln.source.SourceException.Fault;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.eclipse.jgit.errors.CorruptObjectException;
import org.eclipse.jgit.errors.IncorrectObjectTypeException;
import org.eclipse.jgit.errors.LargeObjectException;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.FileMode;
import org.eclipse.jgit.lib.ObjectChecker;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.ObjectLoader;
import org.eclipse.jgit.lib.ObjectReader;
import org.eclipse.jgit.lib.Repository;
import org.eclipse.jgit.revwalk.RevCommit;
import org.eclipse.jgit.revwalk.RevWalk;
import org.eclipse.jgit.treewalk.CanonicalTreeParser;

/**
 * Writes the tree of a commit as a canonical tar: files and symbolic links in the order of their paths' bytes, each with
 * the commit's time, and nothing of the machine that writes it. What a build could not use rightly (submodules, LFS
 * pointers) or what could do harm when unpacked is refused, never left out.
 */
final class TreeArchiver {
    /**
     * What a tree may hold.
     *
     * @param bytes of all files, names and links together
     * @param entries files, links and folders
     * @param open bytes of a folder's own listing and of those around it, which are in memory together
     */
    record Limits(long bytes, int entries, long open) {
        static final Limits DEFAULT = new Limits(4L << 30, 500_000, 32L << 20);
    }

    private static final int MAX_TREE_OBJECT = 8 * 1024 * 1024;
    private static final int MAX_PATH = 4095;
    private static final int MAX_LINK = 4095;
    /** Git LFS, docs/spec.md: "the pointer file must be less than 1024 bytes". */
    private static final int MAX_POINTER = 1024;

    /** git-lfs still reads its names from before it had this one. */
    private static final Pattern POINTER_START = Pattern.compile(
            "^version (https://git-lfs\\.github\\.com/spec/v1|https://hawser\\.github\\.com/spec/v1|http://git-media\\.io/v/2)\\s");

    private static final Pattern POINTER_OID = Pattern.compile("(?m)^oid [a-z0-9]+:[0-9a-f]{32,}\\s*$");

    /** Verdicts are for ever: a commit's id is that of all its files. */
    private static final int REMEMBERED = 10_000;

    private final BlobStore store;
    private final Limits limits;
    private final Cache<ObjectId, String> refused =
            Caffeine.newBuilder().maximumSize(REMEMBERED).build();

    TreeArchiver(BlobStore store, Limits limits) {
        this.store = store;
        this.limits = limits;
    }

    /**
     * The archive of {@code commit}, put into the store; one that was refused is refused again without a look at it.
     *
     * @throws SourceException with {@link Fault#REVISION} when the tree is refused, else of the store
     * @throws IOException when {@code repository} cannot be read
     */
    SourceArchive archive(Repository repository, ObjectId commit) throws SourceException, IOException {
        String known = refused.getIfPresent(commit);
        if (known != null) {
            throw new SourceException(Fault.REVISION, known);
        }
        try {
            return walk(repository, commit);
        } catch (SourceException e) {
            if (e.fault() == Fault.REVISION) {
                refused.put(commit.copy(), e.getMessage());
            }
            throw e;
        }
    }

    private SourceArchive walk(Repository repository, ObjectId commit) throws SourceException, IOException {
        try (ObjectReader reader = repository.newObjectReader();
                RevWalk walk = new RevWalk(reader)) {
            RevCommit parsed = walk.parseCommit(commit);
            long time = Math.max(
                    0,
                    Math.min(
                            TarWriter.MAX_NUMBER,
                            parsed.getCommitterIdent().getWhenAsInstant().getEpochSecond()));
            return write(reader, parsed.getTree(), time);
        } catch (IncorrectObjectTypeException e) {
            throw new SourceException(Fault.REVISION, commit.name() + " is not a commit but a tag of something else");
        }
    }

    private SourceArchive write(ObjectReader reader, ObjectId tree, long time) throws SourceException, IOException {
        StagedBlob staged = inStore(store::stage);
        try (staged) {
            Entries entries = new Entries(reader, new TarWriter(new StoreStream(staged.out()), time));
            entries.tree(tree, new byte[0]);
            entries.tar.finish();
            long size = staged.size();
            Digest digest = inStore(staged::commit);
            return new SourceArchive(digest, size, time);
        } catch (StoreStream.Failure e) {
            throw storeFault(e.getCause());
        }
    }

    private interface StoreCall<T> {
        T run() throws IOException;
    }

    private static <T> T inStore(StoreCall<T> call) throws SourceException {
        try {
            return call.run();
        } catch (IOException e) {
            throw storeFault(e);
        }
    }

    private static SourceException storeFault(Throwable cause) {
        if (cause instanceof LowOnSpaceException) {
            return new SourceException(Fault.INFRASTRUCTURE, "the source cannot be kept: " + cause.getMessage());
        }
        return new SourceException(
                Fault.INFRASTRUCTURE, "the source archive could not be written to the content store", cause);
    }

    /** One walk over a tree. */
    private final class Entries {
        private final ObjectReader reader;
        private final TarWriter tar;
        private final ObjectChecker checker =
                new ObjectChecker().setIgnore(ObjectChecker.ErrorType.ZERO_PADDED_FILEMODE, true);
        private long bytes;
        private int count;
        private long open;
        private byte[] previous = new byte[0];

        Entries(ObjectReader reader, TarWriter tar) {
            this.reader = reader;
            this.tar = tar;
        }

        void tree(ObjectId id, byte[] folder) throws SourceException, IOException {
            byte[] raw = checked(id, folder);
            // a path has room for some thousand folders, each of which may be as large as one alone may be
            open += raw.length;
            if (open > limits.open()) {
                throw refused("folders inside each other have too many entries together", folder);
            }
            CanonicalTreeParser parser = new CanonicalTreeParser();
            parser.reset(raw);
            for (; !parser.eof(); parser.next(1)) {
                byte[] name = new byte[parser.getNameLength()];
                parser.getName(name, 0);
                byte[] path = join(folder, name);
                checkPath(path);
                entry(FileMode.fromBits(parser.getEntryRawMode()), parser.getEntryObjectId(), path);
            }
            open -= raw.length;
        }

        /** Names such as {@code ..} and {@code .git}, names with a slash, duplicates and disorder end here. */
        private byte[] checked(ObjectId id, byte[] folder) throws SourceException, IOException {
            try {
                byte[] raw = reader.open(id, Constants.OBJ_TREE).getCachedBytes(MAX_TREE_OBJECT);
                checker.checkTree(id, raw);
                return raw;
            } catch (LargeObjectException.ExceedsLimit e) {
                throw refused("a folder has too many entries", folder);
            } catch (CorruptObjectException e) {
                throw refused(
                        "a folder of the tree is not one that git would make (" + oneLine(e.getMessage()) + ")",
                        folder);
            }
        }

        private void entry(FileMode mode, ObjectId id, byte[] path) throws SourceException, IOException {
            // folders count too: a few small objects can spell a tree of billions of empty ones
            if (++count > limits.entries()) {
                throw refused("the tree has more than " + limits.entries() + " entries", path);
            }
            add(path.length, path);
            switch (mode.getObjectType()) {
                case Constants.OBJ_TREE -> tree(id, path);
                case Constants.OBJ_COMMIT -> throw refused("submodules are not supported, add the files", path);
                case Constants.OBJ_BLOB -> {
                    if (previous.length > 0 && Arrays.compareUnsigned(previous, path) >= 0) {
                        throw refused("the tree is not in git's order", path);
                    }
                    previous = path;
                    if (mode == FileMode.SYMLINK) {
                        symlink(id, path);
                    } else {
                        file(id, path, mode == FileMode.EXECUTABLE_FILE);
                    }
                }
                default -> throw refused("it is neither a file, a folder nor a symbolic link", path);
            }
        }

        private void add(long size, byte[] path) throws SourceException {
            if (size > limits.bytes() - bytes) {
                throw refused(
                        "the tree's files, names and links are more than " + limits.bytes() + " bytes together", path);
            }
            bytes += size;
        }

        private void symlink(ObjectId id, byte[] path) throws SourceException, IOException {
            byte[] target;
            try {
                target = reader.open(id, Constants.OBJ_BLOB).getCachedBytes(MAX_LINK);
            } catch (LargeObjectException e) {
                throw refused("the target of the symbolic link is longer than " + MAX_LINK + " bytes", path);
            }
            if (target.length == 0 || !printable(target)) {
                throw refused("the target of the symbolic link is empty or not printable UTF-8", path);
            }
            add(target.length, path);
            tar.symlink(path, target);
        }

        private void file(ObjectId id, byte[] path, boolean executable) throws SourceException, IOException {
            ObjectLoader loader = reader.open(id, Constants.OBJ_BLOB);
            long size = loader.getSize();
            add(size, path);
            if (size <= MAX_POINTER) {
                byte[] content = loader.getCachedBytes();
                if (isPointer(content)) {
                    throw refused("Git LFS is not supported, add the file itself", path);
                }
                tar.file(path, executable, size, new ByteArrayInputStream(content));
            } else {
                try (InputStream content = loader.openStream()) {
                    tar.file(path, executable, size, content);
                }
            }
        }
    }

    private static boolean isPointer(byte[] content) {
        String text = new String(content, StandardCharsets.ISO_8859_1);
        return POINTER_START.matcher(text).find() && POINTER_OID.matcher(text).find();
    }

    private static void checkPath(byte[] path) throws SourceException {
        if (path.length > MAX_PATH) {
            throw refused("the path is longer than " + MAX_PATH + " bytes", path);
        }
        if (!printable(path)) {
            throw refused("the path holds control characters or is not UTF-8", path);
        }
    }

    /** UTF-8 without control characters: a newline in a name would forge lines of logs and of pax headers. */
    private static boolean printable(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .chars()
                    .noneMatch(Character::isISOControl);
        } catch (CharacterCodingException e) {
            return false;
        }
    }

    private static byte[] join(byte[] folder, byte[] name) {
        if (folder.length == 0) {
            return name;
        }
        byte[] path = Arrays.copyOf(folder, folder.length + 1 + name.length);
        path[folder.length] = '/';
        System.arraycopy(name, 0, path, folder.length + 1, name.length);
        return path;
    }

    /** What to do stands before the path, which may be long: some clients show the first 80 characters alone. */
    private static SourceException refused(String what, byte[] path) {
        String shown = oneLine(new String(path, 0, Math.min(path.length, 200), StandardCharsets.UTF_8));
        return new SourceException(Fault.REVISION, "cannot be built: " + what + ": " + (shown.isEmpty() ? "/" : shown));
    }

    private static String oneLine(String text) {
        return String.valueOf(text).replaceAll("\\p{Cntrl}", "?");
    }
}
