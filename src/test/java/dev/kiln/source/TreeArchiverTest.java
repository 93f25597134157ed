package dev.kiln.source;

import static dev.kiln.source.SourceFixture.config;
import static dev.kiln.source.SourceFixture.revision;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kiln.source.SourceException.Fault;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import java.util.stream.Stream;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.FileMode;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.TreeFormatter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TreeArchiverTest {
    private static final String POINTER =
            "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a".repeat(64) + "\nsize 12345\n";

    @TempDir
    Path folder;

    private SourceFixture fixture;
    private Origin origin;
    private ObjectId text;

    @BeforeEach
    void makeARepository() {
        fixture = new SourceFixture(folder.resolve("mirrors"));
        origin = Origin.create(folder.resolve("origin.git"));
        text = origin.blob("text\r\n".getBytes(StandardCharsets.UTF_8));
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    private SourceArchive archive(TreeFormatter tree) throws SourceException {
        ObjectId commit = origin.commit(origin.tree(tree), "a tree");
        origin.ref("refs/heads/main", commit);
        return fixture.source(origin).archive(revision(commit));
    }

    private SourceException refusal(TreeFormatter tree) {
        SourceException refusal = catchThrowableOfType(SourceException.class, () -> archive(tree));
        assertThat(refusal.fault()).isEqualTo(Fault.REVISION);
        assertThat(refusal.getMessage()).startsWith("cannot be built: ").doesNotContain("\n");
        assertThat(fixture.store.blobs).isEmpty();
        return refusal;
    }

    private TreeFormatter everything() {
        TreeFormatter inner = new TreeFormatter();
        inner.append("b", FileMode.REGULAR_FILE, text);
        TreeFormatter tree = new TreeFormatter();
        tree.append("a.c", FileMode.REGULAR_FILE, text);
        tree.append("a", FileMode.TREE, origin.tree(inner));
        tree.append("link", FileMode.SYMLINK, origin.blob("../outside".getBytes(StandardCharsets.UTF_8)));
        tree.append("run", FileMode.EXECUTABLE_FILE, text);
        tree.append("x".repeat(120), FileMode.REGULAR_FILE, text);
        tree.append("ünï", FileMode.REGULAR_FILE, text);
        return tree;
    }

    @Test
    void holdsFilesAndLinksInTheOrderOfTheirPaths() throws Exception {
        SourceArchive archive = archive(everything());

        assertThat(fixture.entries(archive.digest()))
                .containsExactly(
                        Map.entry("a.c", "644 text\r\n"),
                        Map.entry("a/b", "644 text\r\n"),
                        Map.entry("link", "-> ../outside"),
                        Map.entry("run", "755 text\r\n"),
                        Map.entry("x".repeat(120), "644 text\r\n"),
                        Map.entry("ünï", "644 text\r\n"));
        assertThat(archive.commitTime()).isEqualTo(1_700_000_000);
        assertThat(archive.size()).isEqualTo(fixture.store.blobs.get(archive.digest()).length);
    }

    @Test
    void isTheSameBytesFromAnotherCloneWithOtherSettings() throws Exception {
        SourceArchive one = archive(everything());
        Files.writeString(
                origin.directory.resolve("config"),
                "[core]\n\tbare = true\n\tautocrlf = true\n\tfileMode = false\n\tsymlinks = false\n");
        try (SourceFixture other = new SourceFixture(folder.resolve("other"))) {
            ObjectId commit = origin.run(repository -> repository.resolve("refs/heads/main"));

            assertThat(other.source(origin).archive(revision(commit))).isEqualTo(one);
            assertThat(other.store.blobs.get(one.digest())).isEqualTo(fixture.store.blobs.get(one.digest()));
        }
    }

    /** A change of these bytes would make every revision's archive another one after an update of Kiln. */
    @Test
    void isTheSameBytesInEveryVersion() throws Exception {
        assertThat(archive(everything()).digest())
                .hasToString("sha256:09fe29c190b1baa48c01ca30aa3d3efb68cad89384d683746dd92da77b6c408d");
    }

    @Test
    void holdsAnEmptyTreeAndLongPathsOfEachLength() throws Exception {
        assertThat(fixture.entries(archive(new TreeFormatter()).digest())).isEmpty();
        for (int length : new int[] {99, 100, 101, 154, 155, 156, 200, 255}) {
            TreeFormatter inner = new TreeFormatter();
            inner.append("f".repeat(length), FileMode.REGULAR_FILE, text);
            TreeFormatter tree = new TreeFormatter();
            tree.append("d".repeat(255 - length + 1), FileMode.TREE, origin.tree(inner));
            assertThat(fixture.entries(archive(tree).digest()))
                    .containsOnlyKeys("d".repeat(255 - length + 1) + "/" + "f".repeat(length));
        }
    }

    @Test
    void aLargeFileIsComplete() throws Exception {
        byte[] large = new byte[9_000_001];
        new Random(1).nextBytes(large);
        TreeFormatter tree = new TreeFormatter();
        tree.append("large", FileMode.REGULAR_FILE, origin.blob(large));

        byte[] tar = fixture.store.blobs.get(archive(tree).digest());

        assertThat(Arrays.equals(tar, 512, 512 + large.length, large, 0, large.length))
                .isTrue();
    }

    @Test
    void aSubmoduleIsRefusedByName() {
        TreeFormatter inner = new TreeFormatter();
        inner.append("lib", FileMode.GITLINK, text);
        TreeFormatter tree = new TreeFormatter();
        tree.append("vendor", FileMode.TREE, origin.tree(inner));

        assertThat(refusal(tree)).hasMessageContaining("submodules are not supported, add the files: vendor/lib");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://git-lfs.github.com/spec/v1",
                "https://hawser.github.com/spec/v1",
                "http://git-media.io/v/2"
            })
    void anLfsPointerIsRefusedByName(String version) {
        String pointer = POINTER.replace("https://git-lfs.github.com/spec/v1", version);
        TreeFormatter tree = new TreeFormatter();
        tree.append("model.bin", FileMode.REGULAR_FILE, origin.blob(pointer.getBytes(StandardCharsets.UTF_8)));

        assertThat(refusal(tree)).hasMessageContaining("Git LFS is not supported, add the file itself: model.bin");
    }

    @Test
    void aTextAboutLfsIsNoPointer() throws Exception {
        TreeFormatter tree = new TreeFormatter();
        tree.append(
                "notes",
                FileMode.REGULAR_FILE,
                origin.blob("version https://git-lfs.github.com/spec/v1 is a line\n".getBytes(StandardCharsets.UTF_8)));

        assertThat(archive(tree).size()).isPositive();
    }

    @ParameterizedTest
    @ValueSource(strings = {"..", ".", ".git", ".GIT", "a/b", "/etc", "new\nline", "tab\t", "bell\u0007", "nel\u0085"})
    void hostileNamesAreRefused(String name) {
        TreeFormatter tree = new TreeFormatter();
        tree.append(name, FileMode.REGULAR_FILE, text);

        refusal(tree);
    }

    @Test
    void hostileNamesDeepInTheTreeAreRefused() {
        TreeFormatter inner = new TreeFormatter();
        inner.append("..", FileMode.TREE, origin.tree(new TreeFormatter()));
        TreeFormatter tree = new TreeFormatter();
        tree.append("deep", FileMode.TREE, origin.tree(inner));

        assertThat(refusal(tree)).hasMessageContaining("deep");
    }

    @Test
    void namesThatAreNotUtf8AreRefused() {
        TreeFormatter tree = new TreeFormatter();
        tree.append(new byte[] {'a', (byte) 0xff}, FileMode.REGULAR_FILE, text);

        assertThat(refusal(tree)).hasMessageContaining("not UTF-8");
    }

    @Test
    void duplicatesAndDisorderAreRefused() {
        TreeFormatter twice = new TreeFormatter();
        twice.append("a", FileMode.REGULAR_FILE, text);
        twice.append("a", FileMode.SYMLINK, text);
        refusal(twice);
        TreeFormatter fileAndFolder = new TreeFormatter();
        fileAndFolder.append("a", FileMode.SYMLINK, text);
        fileAndFolder.append("a.b", FileMode.REGULAR_FILE, text);
        fileAndFolder.append("a", FileMode.TREE, origin.tree(everything()));
        refusal(fileAndFolder);
        TreeFormatter disorder = new TreeFormatter();
        disorder.append("b", FileMode.REGULAR_FILE, text);
        disorder.append("a", FileMode.REGULAR_FILE, text);
        refusal(disorder);
    }

    @Test
    void aTreeThatUnfoldsWithoutEndIsRefused() {
        ObjectId tree = origin.tree(new TreeFormatter());
        for (int level = 0; level < 30; level++) {
            TreeFormatter next = new TreeFormatter();
            for (char name = 'a'; name < 'f'; name++) {
                next.append(String.valueOf(name), FileMode.TREE, tree);
            }
            tree = origin.tree(next);
        }
        TreeFormatter root = new TreeFormatter();
        root.append("bomb", FileMode.TREE, tree);

        assertThat(refusal(root)).hasMessageContaining("more than 500000 entries");
    }

    @Test
    void aTreeWithTooManyBytesIsRefused() {
        TreeFormatter tree = new TreeFormatter();
        tree.append("a", FileMode.REGULAR_FILE, origin.blob(new byte[600]));
        tree.append("b", FileMode.REGULAR_FILE, origin.blob(new byte[600]));
        ObjectId commit = origin.commit(origin.tree(tree), "large");
        origin.ref("refs/heads/main", commit);
        GitSource source = fixture.source(config(origin.directory.toString()), new TreeArchiver.Limits(1000, 10, 1000));

        assertThat(catchThrowableOfType(SourceException.class, () -> source.archive(revision(commit))))
                .hasMessageContaining("more than 1000 bytes");
    }

    @Test
    void foldersInsideEachOtherThatAreTooLargeTogetherAreRefused() {
        ObjectId tree = origin.tree(new TreeFormatter());
        for (int level = 0; level < 5; level++) {
            TreeFormatter next = new TreeFormatter();
            next.append("a", FileMode.TREE, tree);
            next.append("b".repeat(7 << 20), FileMode.REGULAR_FILE, text);
            tree = origin.tree(next);
        }
        TreeFormatter root = new TreeFormatter();
        root.append("deep", FileMode.TREE, tree);

        assertThat(refusal(root))
                .hasMessageContaining("folders inside each other have too many entries together: deep/a/a/a/a");
    }

    @Test
    void foldersBesideEachOtherMayBeLargerTogether() throws Exception {
        ObjectId inner = origin.tree(Map.of("x".repeat(200), "text"));
        TreeFormatter tree = new TreeFormatter();
        for (char name = 'a'; name <= 'e'; name++) {
            tree.append(String.valueOf(name), FileMode.TREE, inner);
        }
        ObjectId commit = origin.commit(origin.tree(tree), "side by side");
        origin.ref("refs/heads/main", commit);
        GitSource source = fixture.source(
                config(origin.directory.toString()), new TreeArchiver.Limits(1_000_000, 1000, 2 * (200 + 28)));

        assertThat(fixture.entries(source.archive(revision(commit)).digest())).hasSize(5);
    }

    @Test
    void namesAndLinksCountToo() {
        TreeFormatter tree = new TreeFormatter();
        for (int i = 0; i < 9; i++) {
            tree.append(
                    i + "x".repeat(60),
                    FileMode.SYMLINK,
                    origin.blob("y".repeat(60).getBytes(StandardCharsets.UTF_8)));
        }
        ObjectId commit = origin.commit(origin.tree(tree), "long names");
        origin.ref("refs/heads/main", commit);
        GitSource source = fixture.source(config(origin.directory.toString()), new TreeArchiver.Limits(1000, 10, 1000));

        assertThat(catchThrowableOfType(SourceException.class, () -> source.archive(revision(commit))))
                .hasMessageContaining("more than 1000 bytes");
    }

    @Test
    void whatIsRefusedIsRefusedAgainWithoutAnotherLook() {
        TreeFormatter tree = new TreeFormatter();
        tree.append("model.bin", FileMode.REGULAR_FILE, origin.blob(POINTER.getBytes(StandardCharsets.UTF_8)));
        ObjectId commit = origin.commit(origin.tree(tree), "large file");
        TreeArchiver archiver = new TreeArchiver(fixture.store, TreeArchiver.Limits.DEFAULT);
        SourceException first = origin.run(
                repository -> catchThrowableOfType(SourceException.class, () -> archiver.archive(repository, commit)));

        SourceException again = catchThrowableOfType(SourceException.class, () -> archiver.archive(null, commit));

        assertThat(again).hasMessage(first.getMessage());
        assertThat(again.fault()).isEqualTo(Fault.REVISION);
    }

    @Test
    void aFullStoreIsForgottenAtOnce() {
        ObjectId commit = origin.commit(origin.tree(everything()), "a tree");
        TreeArchiver archiver = new TreeArchiver(fixture.store, TreeArchiver.Limits.DEFAULT);
        fixture.store.full = true;
        origin.run(
                repository -> catchThrowableOfType(SourceException.class, () -> archiver.archive(repository, commit)));
        fixture.store.full = false;

        assertThat(origin.<Throwable>run(repository -> catchThrowable(() -> archiver.archive(repository, commit))))
                .isNull();
    }

    @Test
    void aFullStoreIsNotTheRevisionsFault() {
        fixture.store.full = true;

        SourceException failure = catchThrowableOfType(SourceException.class, () -> archive(everything()));

        assertThat(failure.fault()).isEqualTo(Fault.INFRASTRUCTURE);
        assertThat(failure).hasMessageContaining("content store");
        assertThat(fixture.fetches).hasValue(1);
    }

    @Test
    void aTagOfATreeIsNotArchived() {
        ObjectId tree = origin.tree(everything());
        origin.ref("refs/tags/tree", origin.annotated("tree", tree, Constants.OBJ_TREE));
        GitSource source = fixture.source(origin);

        assertThat(catchThrowableOfType(SourceException.class, () -> source.archive(revision(tree)))
                        .fault())
                .isEqualTo(Fault.REVISION);
    }

    @Test
    void whatIsArchivedCanBeCheckedOut() throws Exception {
        SourceArchive archive = archive(everything());
        Path checkout = Files.createDirectory(folder.resolve("checkout"));

        Checkout.extract(
                new ByteArrayInputStream(fixture.store.blobs.get(archive.digest())),
                checkout,
                archive.commitTime(),
                1000,
                OptionalInt.empty());

        assertThat(Files.readString(checkout.resolve("a/b"))).isEqualTo("text\r\n");
        assertThat(Files.isExecutable(checkout.resolve("run"))).isTrue();
        assertThat(Files.readSymbolicLink(checkout.resolve("link"))).isEqualTo(Path.of("../outside"));
        try (Stream<Path> all = Files.walk(checkout)) {
            assertThat(all)
                    .allSatisfy(path -> assertThat(Files.getLastModifiedTime(path, LinkOption.NOFOLLOW_LINKS)
                                    .toInstant()
                                    .getEpochSecond())
                            .isEqualTo(1_700_000_000));
        }
    }
}
