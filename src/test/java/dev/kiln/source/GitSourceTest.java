package dev.kiln.source;

import static dev.kiln.source.SourceFixture.config;
import static dev.kiln.source.SourceFixture.found;
import static dev.kiln.source.SourceFixture.revision;
import static dev.kiln.source.SourceFixture.unavailable;
import static dev.kiln.source.SourceFixture.unknown;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.awaitility.Awaitility.await;

import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.source.SourceException.Fault;
import dev.kiln.testing.GitHttp;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.eclipse.jgit.lib.Constants;
import org.eclipse.jgit.lib.FileMode;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.TreeFormatter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GitSourceTest {
    @TempDir
    Path folder;

    private SourceFixture fixture;
    private Origin origin;
    private ObjectId first;
    private ObjectId second;

    @BeforeEach
    void makeAHistoryOfTwoCommits() {
        fixture = new SourceFixture(folder.resolve("mirrors"));
        origin = Origin.create(folder.resolve("origin.git"));
        first = origin.commit("first");
        second = origin.commit("second", first);
        origin.ref("refs/heads/main", second);
    }

    @AfterEach
    void close() {
        fixture.close();
    }

    @Test
    void aBranchMeansItsTipAndCostsOnlyALookUp() {
        GitSource source = fixture.source(origin);

        Meaning.Found meaning = found(source, "main");

        assertThat(meaning.revision()).isEqualTo(revision(second));
        assertThat(meaning.ref()).isEqualTo("refs/heads/main");
        assertThat(meaning.observedAt()).isEqualTo(fixture.clock.instant());
        assertThat(fixture.files()).isEmpty();
    }

    @Test
    void whatGitSaysOfAllRefsIsToldFromWhatItSaysLater() {
        GitSource source = fixture.source(origin);
        origin.ref("refs/heads/other", first);
        Optional<Digest> before = found(source, "main").refs();
        assertThat(before).isPresent().isEqualTo(found(source, "other").refs());
        assertThat(found(fixture.source(origin), "main").refs())
                .as("of another process")
                .isEqualTo(before);

        origin.ref("refs/heads/other", second);
        fixture.clock.pass(Duration.ofSeconds(11));
        assertThat(found(source, "main").refs()).isPresent().isNotEqualTo(before);

        assertThat(found(source, second.name()).refs()).as("of a commit").isEmpty();
    }

    @Test
    void aGitTagThatMayYetTurnOutToNameAFileStandsForItselfAlone() {
        origin.ref("refs/tags/v1", origin.annotated("v1", first, Constants.OBJ_COMMIT));
        origin.ref("refs/tags/key", origin.annotated("key", origin.blob(new byte[] {1}), Constants.OBJ_BLOB));
        GitSource source = fixture.source(origin);
        assertThat(found(source, "v1").refs()).isEmpty();
        assertThat(found(source, "key").refs()).isEmpty();

        unknown(source, "1234567");
        assertThat(found(source, "v1").refs()).as("after a fetch").isPresent();
    }

    @Test
    void aGitTagComesBeforeABranch() {
        origin.ref("refs/heads/v1", second);
        origin.ref("refs/tags/v1", first);

        assertThat(found(fixture.source(origin), "v1").revision()).isEqualTo(revision(first));
    }

    @Test
    void anAnnotatedTagMeansItsCommitHoweverOftenItIsWrapped() {
        ObjectId once = origin.annotated("once", first, Constants.OBJ_COMMIT);
        origin.ref("refs/tags/once", once);
        origin.ref("refs/tags/twice", origin.annotated("twice", once, Constants.OBJ_TAG));

        GitSource source = fixture.source(origin);

        assertThat(found(source, "once").revision()).isEqualTo(revision(first));
        assertThat(found(source, "twice").revision()).isEqualTo(revision(first));
    }

    @Test
    void aFullCommitIdComesFirstAndAShortOneLast() {
        origin.ref("refs/tags/" + first.name(), second);
        origin.ref("refs/heads/" + first.name().substring(0, 8), second);
        GitSource source = fixture.source(origin);

        assertThat(found(source, first.name()).revision()).isEqualTo(revision(first));
        assertThat(found(source, first.name()).ref()).isEqualTo("commit");
        assertThat(found(source, first.name().substring(0, 7)).revision()).isEqualTo(revision(first));
        assertThat(found(source, first.name().substring(0, 8)).revision()).isEqualTo(revision(first));
    }

    @Test
    void branchesThatLookLikeACommitIdAreRefusedAndGitTagsOnlyWhenTheyLookLikeAFullOne() {
        String full = "cafe".repeat(10);
        origin.ref("refs/heads/deadbeef", second);
        origin.ref("refs/tags/" + full, second);
        origin.ref("refs/tags/20240101", second);
        GitSource source = fixture.source(origin);

        assertThat(unknown(source, "deadbeef")).contains("the branch deadbeef looks like a commit id");
        assertThat(unknown(source, full)).contains("the git tag " + full + " looks like a commit id");
        assertThat(found(source, "20240101").ref()).isEqualTo("refs/tags/20240101");
        assertThat(source.tags()).isEqualTo(new TagList.Listed(List.of(new Tag("20240101"), new Tag("main"))));
    }

    @Test
    void aGitTagComesBeforeABranchOfThatNameAndAShortCommitId() {
        String shortId = first.name().substring(0, 8);
        origin.ref("refs/heads/" + shortId, first);
        origin.ref("refs/tags/" + shortId, second);

        assertThat(found(fixture.source(origin), shortId).revision()).isEqualTo(revision(second));
    }

    @Test
    void aSlashIsWrittenAsTwoDashesWhereThatIsUnambiguous() {
        origin.ref("refs/heads/feature/x", first);
        origin.ref("refs/heads/a/b--c", first);
        origin.ref("refs/heads/a--b/c", second);
        origin.ref("refs/heads/plain--name", first);
        origin.ref("refs/heads/plain/name", second);
        GitSource source = fixture.source(origin);

        assertThat(found(source, "feature--x").ref()).isEqualTo("refs/heads/feature/x");
        assertThat(unknown(source, "a--b--c")).contains("refs/heads/a/b--c").contains("refs/heads/a--b/c");
        assertThat(found(source, "plain--name").revision()).isEqualTo(revision(first));
    }

    @Test
    void onlyAllowedRefsCount() {
        origin.ref("refs/heads/release-1", first);
        origin.ref("refs/pull/1/head", origin.commit("stranger", second));
        GitSourceConfig all = config(origin.directory.toString());
        GitSource source = fixture.source(new GitSourceConfig(
                all.url(),
                List.of("refs/heads/release-*"),
                all.refresh(),
                all.timeout(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty()));

        assertThat(found(source, "release-1").revision()).isEqualTo(revision(first));
        unknown(source, "main");
        unknown(source, second.name());
        unknown(source, second.name().substring(0, 10));
        assertThat(source.tags()).isEqualTo(new TagList.Listed(List.of(new Tag("release-1"))));
    }

    @Test
    void aCommitThatNoAllowedRefReachesIsUnknownAlthoughGitHasIt() {
        ObjectId dangling = origin.commit("of a fork", second);
        origin.ref("refs/pull/7/head", dangling);
        GitSource source = fixture.source(origin);

        assertThat(unknown(source, dangling.name())).contains("no commit that an allowed branch or git tag reaches");
        unknown(source, dangling.name().substring(0, 12));
        assertThat(fixture.fetches).hasValue(1);
    }

    @Test
    void aForcePushTakesTheNameButNotWhatWasArchivable() throws Exception {
        GitSource source = fixture.source(origin);
        assertThat(found(source, second.name()).revision()).isEqualTo(revision(second));
        SourceArchive before = source.archive(revision(second));
        ObjectId rewritten = origin.commit("rewritten", first);
        origin.ref("refs/heads/main", rewritten);
        fixture.clock.pass(Duration.ofSeconds(11));

        assertThat(found(source, "main").revision()).isEqualTo(revision(rewritten));
        assertThat(found(source, rewritten.name().substring(0, 9)).revision()).isEqualTo(revision(rewritten));
        unknown(source, second.name());
        assertThat(source.archive(revision(second))).isEqualTo(before);
    }

    @Test
    void aShortIdThatTwoReachableCommitsShareIsAmbiguous() {
        List<ObjectId> twins = origin.commitsThatShareSevenDigits(second);
        String prefix = twins.get(0).name().substring(0, 7);
        origin.ref("refs/heads/one", twins.get(0));
        GitSource source = fixture.source(origin);
        assertThat(found(source, prefix).revision()).isEqualTo(revision(twins.get(0)));

        origin.ref("refs/heads/two", twins.get(1));
        fixture.clock.pass(Duration.ofSeconds(11));

        assertThat(unknown(source, prefix)).contains("ambiguous");
        assertThat(found(source, twins.get(1).name()).revision()).isEqualTo(revision(twins.get(1)));
    }

    @Test
    void aTagOfAFileIsFoundOutWithTheFirstFetch() {
        origin.ref("refs/tags/key", origin.annotated("key", origin.blob(new byte[] {1}), Constants.OBJ_BLOB));
        GitSource source = fixture.source(origin);
        unknown(source, "1234567");

        assertThat(unknown(source, "key")).contains("names no commit");
    }

    @Test
    void tenThousandInventedNamesCostOneLookUpAndOneFetch() {
        GitSource source = fixture.source(origin);
        Random random = new Random(1);
        byte[] bytes = new byte[20];
        for (int i = 0; i < 10_000; i++) {
            random.nextBytes(bytes);
            String hex = HexFormat.of().formatHex(bytes);
            unknown(source, i % 3 == 0 ? hex : i % 3 == 1 ? hex.substring(0, 7 + i % 30) : "name-" + hex);
        }
        assertThat(fixture.lookUps).hasValue(1);
        assertThat(fixture.fetches).hasValue(1);
    }

    @Test
    void whatWasPushedWhileTheRefsAreFreshIsNotUnknown() {
        GitSource source = fixture.source(origin);
        found(source, first.name());
        ObjectId third = origin.commit("third", second);
        ObjectId fourth = origin.commit("fourth", third);
        ObjectId fifth = origin.commit("fifth", fourth);

        fixture.clock.pass(Duration.ofSeconds(2));
        origin.ref("refs/heads/main", fourth);
        assertThat(found(source, third.name().substring(0, 9)).revision()).isEqualTo(revision(third));
        fixture.clock.pass(Duration.ofSeconds(2));
        origin.ref("refs/heads/main", fifth);
        assertThat(found(source, fifth.name()).revision()).isEqualTo(revision(fifth));
        fixture.clock.pass(Duration.ofSeconds(2));
        origin.ref("refs/heads/branch", third);
        assertThat(found(source, "branch").revision()).isEqualTo(revision(third));
        fixture.clock.pass(Duration.ofSeconds(2));
        origin.ref("refs/tags/v1", third);
        assertThat(found(source, "v1").observedAt()).isEqualTo(fixture.clock.instant());
        assertThat(fixture.lookUps).hasValue(5);
    }

    @Test
    void inventedNamesAskGitOnceASecondAndFetchNothing() {
        GitSource source = fixture.source(origin);
        for (int i = 0; i < 50; i++) {
            for (int k = 0; k < 10; k++) {
                unknown(source, "name-" + i + "-" + k);
                unknown(source, Integer.toHexString(0x1000_0000 + 10 * i + k));
            }
            fixture.clock.pass(Duration.ofMillis(100));
        }
        // at 0.0, 1.1, 2.2, 3.3 and 4.4 seconds
        assertThat(fixture.lookUps).hasValue(5);
        assertThat(fixture.fetches).hasValue(1);
    }

    @Test
    void whoAskForInventedNamesAtOnceShareOneLookUp() {
        GitSource source = fixture.source(origin);
        found(source, "main");
        fixture.clock.pass(Duration.ofSeconds(2));
        ExecutorService threads = Executors.newFixedThreadPool(32);
        try {
            List<CompletableFuture<String>> askers = IntStream.range(0, 100)
                    .mapToObj(i -> CompletableFuture.supplyAsync(() -> unknown(source, "name-" + i), threads))
                    .toList();
            assertThat(askers).extracting(CompletableFuture::join).allMatch(reason -> reason.contains("name-"));
        } finally {
            threads.shutdownNow();
        }
        assertThat(fixture.lookUps).hasValue(2);
    }

    @Test
    void aLookUpThatBeganLongBeforeAQuestionDoesNotMakeAnythingUnknown() throws Exception {
        GitSource source = fixture.source(origin);
        found(source, "main");
        CompletableFuture<Void> answering = new CompletableFuture<>();
        fixture.beforeLookUp = answering::join;
        fixture.clock.pass(Duration.ofSeconds(7));
        found(source, "main");
        assertThat(fixture.lookUps).as("the renewal").hasValue(2);

        fixture.clock.pass(Duration.ofSeconds(2));
        FutureTask<String> asker = new FutureTask<>(() -> unknown(source, "later"));
        Thread thread = new Thread(asker);
        thread.start();
        await().until(() -> thread.getState() == Thread.State.TIMED_WAITING);
        answering.complete(null);

        asker.get(20, TimeUnit.SECONDS);
        assertThat(fixture.lookUps).hasValue(3);
    }

    @Test
    void whileGitFailsItIsNotAskedForWhatIsUnknown() throws Exception {
        try (GitHttp web = new GitHttp(folder)) {
            GitSource source = fixture.source(config(web.url("/origin.git")));
            found(source, "main");
            web.status(503);
            fixture.clock.pass(Duration.ofSeconds(2));

            for (int i = 0; i < 10; i++) {
                unknown(source, "name-" + i);
            }
            assertThat(fixture.lookUps).hasValue(2);
            found(source, "main");
        }
    }

    @Test
    void aRepositoryThatDoesNotExistLeavesNothing() {
        GitSource source = fixture.source(config(folder.resolve("nothing.git").toString()));

        for (String tag : List.of("main", second.name(), "1234567")) {
            assertThat(source.resolve(new Tag(tag)))
                    .isInstanceOfSatisfying(
                            Meaning.Unknown.class,
                            unknown -> assertThat(unknown.repositoryUnknown()).isTrue());
        }
        assertThat(source.tags()).isInstanceOf(TagList.Unknown.class);
        assertThat(fixture.lookUps).hasValue(1);
        assertThat(fixture.files()).isEmpty();
        assertThat(fixture.mirrors).doesNotExist();
    }

    @Test
    void aRepositoryThatWasThereAndIsGoneIsAnOutage() throws Exception {
        GitSource source = fixture.source(origin);
        Revision before = found(source, "main").revision();
        source.archive(before);
        Path away = folder.resolve("away.git");
        Files.move(origin.directory, away);
        fixture.clock.pass(Duration.ofMinutes(1));

        assertThat(found(source, "main").revision()).isEqualTo(before);
        unavailable(source, "never-seen");
        unavailable(source, "1234567");
        GitSource nextLife = fixture.source(origin);
        unavailable(nextLife, "never-seen");
        assertThat(found(nextLife, "main").revision()).isEqualTo(before);

        Files.move(away, origin.directory);
        fixture.clock.pass(Duration.ofMinutes(1));
        unknown(source, "never-seen");
    }

    @Test
    void tagsOfReferrersNeverReachGit() {
        GitSource source = fixture.source(origin);

        unknown(source, "sha256-" + "a".repeat(64) + ".sig");

        assertThat(fixture.lookUps).hasValue(0);
    }

    @Test
    void aRefIsAtMostRefreshOld() {
        GitSource source = fixture.source(origin);
        found(source, "main");
        ObjectId third = origin.commit("third", second);
        origin.ref("refs/heads/main", third);

        fixture.clock.pass(Duration.ofSeconds(9));
        assertThat(found(source, "main").revision()).isEqualTo(revision(second));
        fixture.clock.pass(Duration.ofSeconds(1));
        assertThat(found(source, "main").revision()).isEqualTo(revision(third));
    }

    @Test
    void whatIsAskedForInTheLastThirdOfItsLifeIsLookedUpForThoseWhoAskLater() {
        GitSource source = fixture.source(origin);
        found(source, "main");
        ObjectId third = origin.commit("third", second);
        origin.ref("refs/heads/main", third);

        fixture.clock.pass(Duration.ofSeconds(7));
        assertThat(found(source, "main").revision()).as("nobody waits").isEqualTo(revision(second));
        await().untilAsserted(() -> assertThat(found(source, "main").revision()).isEqualTo(revision(third)));
        assertThat(fixture.lookUps).hasValue(2);
    }

    @Test
    void manyWhoAskAtOnceShareOneLookUpOneFetchAndOneArchive() throws Exception {
        GitSource source = fixture.source(origin);
        ExecutorService threads = Executors.newFixedThreadPool(32);
        try {
            List<CompletableFuture<SourceArchive>> archives = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                archives.add(CompletableFuture.supplyAsync(
                        () -> {
                            try {
                                return source.archive(found(source, first.name().substring(0, 9))
                                        .revision());
                            } catch (SourceException e) {
                                throw new AssertionError(e);
                            }
                        },
                        threads));
            }
            assertThat(archives)
                    .extracting(CompletableFuture::join)
                    .containsOnly(archives.get(0).join());
        } finally {
            threads.shutdownNow();
        }
        assertThat(fixture.lookUps).hasValue(1);
        assertThat(fixture.fetches).hasValue(1);
    }

    @Test
    void whatIsKnownIsServedWhileGitIsAwayAndAfterARestart() throws Exception {
        try (GitHttp web = new GitHttp(folder)) {
            GitSourceConfig config = config(web.url("/origin.git"));
            GitSource source = fixture.source(config);
            assertThat(found(source, first.name()).revision()).isEqualTo(revision(first));
            web.status(503);
            fixture.clock.pass(Duration.ofMinutes(1));

            serveWhatIsKnown(source);
            serveWhatIsKnown(fixture.source(config));
        }
    }

    private void serveWhatIsKnown(GitSource each) throws SourceException {
        assertThat(found(each, "main").revision()).isEqualTo(revision(second));
        assertThat(found(each, first.name()).revision()).isEqualTo(revision(first));
        assertThat(found(each, first.name().substring(0, 8)).revision()).isEqualTo(revision(first));
        assertThat(each.tags()).isEqualTo(new TagList.Listed(List.of(new Tag("main"))));
        unavailable(each, "never-seen");
        unavailable(each, "0".repeat(40));
        assertThat(each.archive(revision(first)).commitTime()).isEqualTo(1_700_000_000);
    }

    @Test
    void manyFetchesDoNotLeaveManyPacks() throws Exception {
        GitSource source = fixture.source(origin);
        ObjectId tip = second;
        for (int i = 0; i < 60; i++) {
            tip = origin.commit("commit " + i, tip);
            origin.ref("refs/heads/main", tip);
            fixture.clock.pass(Duration.ofSeconds(11));
            // a parent's id, since a tip's needs no mirror
            found(source, second.name().substring(0, 9));
        }
        for (Path file : fixture.files()) {
            Files.setLastModifiedTime(file, FileTime.fromMillis(0));
        }
        origin.ref("refs/heads/main", origin.commit("later", tip));
        fixture.clock.pass(Duration.ofHours(2));
        found(source, second.name().substring(0, 9));

        assertThat(fixture.fetches).hasValue(61);
        assertThat(fixture.files().stream().filter(file -> file.toString().endsWith(".pack")))
                .hasSizeLessThan(50);
        assertThat(found(source, first.name()).revision()).isEqualTo(revision(first));
    }

    @Test
    void lookUpsBeyondTheBoundAreRefusedWithAReason() {
        fixture.close();

        assertThat(unavailable(fixture.source(origin), "main")).contains("at once");
    }

    @Test
    void aDamagedMirrorIsMadeAnew() throws Exception {
        SourceArchive before = fixture.source(origin).archive(revision(second));
        for (Path file : fixture.files()) {
            if (file.toString().endsWith(".pack") || file.toString().endsWith(".idx")) {
                Files.delete(file);
                Files.write(file, new byte[] {1, 2, 3});
            }
        }

        assertThat(fixture.source(origin).archive(revision(second))).isEqualTo(before);
        assertThat(found(fixture.source(origin), first.name().substring(0, 8)).revision())
                .isEqualTo(revision(first));
    }

    @Test
    void whatAKilledFetchLeavesBehindIsRemoved() throws Exception {
        fixture.source(origin).archive(revision(second));
        Path mirror = fixture.files().stream()
                .filter(file -> file.endsWith("kiln-mirror"))
                .findFirst()
                .orElseThrow()
                .getParent();
        Files.writeString(mirror.resolve("packed-refs.lock"), "");
        Files.writeString(mirror.resolve("objects/pack/incoming_1.pack"), "");
        ObjectId third = origin.commit("third", second);
        ObjectId fourth = origin.commit("fourth", second);
        origin.ref("refs/heads/main", third);
        origin.ref("refs/heads/other", fourth);

        assertThat(found(fixture.source(origin), third.name().substring(0, 8)).revision())
                .isEqualTo(revision(third));
        assertThat(fixture.files()).noneMatch(file -> file.toString().contains("incoming_"));
    }

    @Test
    void aMirrorWhoseMakingWasCutShortIsMadeAnew() throws Exception {
        fixture.source(origin).archive(revision(second));
        for (Path file : fixture.files()) {
            if (file.endsWith("kiln-mirror") || file.endsWith("HEAD")) {
                Files.delete(file);
            }
        }

        assertThat(found(fixture.source(origin), first.name()).revision()).isEqualTo(revision(first));
    }

    @Test
    void aFetchThatWouldFillTheDiskIsBrokenOffAndLeavesNothing() throws Exception {
        GitSource source = fixture.source(origin);
        fixture.duringFetch = () -> fixture.free.set(99);

        assertThat(unavailable(source, first.name()))
                .isEqualTo("git is not fetched from: the disk is below limit: free some space");
        assertThat(fixture.files()).isEmpty();

        fixture.duringFetch = () -> {};
        fixture.free.set(100);
        fixture.clock.pass(Duration.ofSeconds(11));
        assertThat(found(source, first.name()).revision()).isEqualTo(revision(first));
        List<Path> before = fixture.files();

        ObjectId third = origin.commit("third", second);
        ObjectId fourth = origin.commit("fourth", third);
        origin.ref("refs/heads/main", fourth);
        fixture.clock.pass(Duration.ofSeconds(11));
        fixture.duringFetch = () -> fixture.free.set(99);
        assertThat(unavailable(source, third.name())).contains("the disk is below limit");
        assertThat(fixture.files())
                .hasSameSizeAs(before)
                .noneMatch(file -> file.toString().contains("incoming_"));
    }

    @Test
    void aMirrorThatNobodyUsesMakesRoomBeforeAFetchIsRefused() throws Exception {
        Path idle = mirrorOfAnother();
        fixture.measure = () -> Files.exists(idle) ? 99 : 100;

        assertThat(found(fixture.source(origin), first.name()).revision()).isEqualTo(revision(first));
        assertThat(idle).doesNotExist();
    }

    @Test
    void aMirrorThatNobodyUsesMakesRoomBeforeAFetchIsBrokenOff() throws Exception {
        Path idle = mirrorOfAnother();
        fixture.duringFetch = () -> fixture.measure = () -> Files.exists(idle) ? 99 : 100;

        assertThat(found(fixture.source(origin), first.name()).revision()).isEqualTo(revision(first));
        assertThat(idle).doesNotExist();
    }

    private Path mirrorOfAnother() throws IOException {
        Origin another = Origin.create(folder.resolve("another.git"));
        ObjectId old = another.commit("old");
        another.ref("refs/heads/main", another.commit("new", old));
        found(fixture.source(another), old.name());
        try (Stream<Path> mirrors = Files.list(fixture.mirrors)) {
            return mirrors.findFirst().orElseThrow();
        }
    }

    @Test
    void anObjectTooLargeForTheMemoryIsRefusedUntilTheRefsChange() throws Exception {
        fixture.largestObject = 100_000;
        ObjectId good = origin.commit(tree(new byte[100_000]), "large", second);
        ObjectId bad = origin.commit(tree(new byte[100_001]), "too large", good);
        origin.ref("refs/heads/main", bad);
        GitSource source = fixture.source(origin);

        for (int i = 0; i < 3; i++) {
            SourceException refusal = catchThrowableOfType(SourceException.class, () -> source.archive(revision(bad)));
            assertThat(refusal.fault()).isEqualTo(Fault.REVISION);
            assertThat(refusal)
                    .hasMessageStartingWith("cannot be built: a file in git's history is too large for the heap (-Xmx)")
                    .hasMessageContaining("100,001")
                    .hasMessageContaining("100,000");
            assertThat(unavailable(source, first.name())).isEqualTo(refusal.getMessage());
            fixture.clock.pass(Duration.ofSeconds(11));
        }
        assertThat(fixture.fetches).hasValue(1);
        assertThat(fixture.files()).isEmpty();

        origin.ref("refs/heads/main", good);
        fixture.clock.pass(Duration.ofSeconds(11));
        assertThat(source.archive(revision(good)).size()).isGreaterThan(100_000);
    }

    private ObjectId tree(byte[] file) {
        TreeFormatter tree = new TreeFormatter();
        tree.append("file", FileMode.REGULAR_FILE, origin.blob(file));
        return origin.tree(tree);
    }

    @Test
    void aDiskThatIsNearlyFullFetchesNothingAndSaysSo() {
        GitSource source = fixture.source(origin);
        assertThat(found(source, "main").revision()).isEqualTo(revision(second));
        fixture.free.set(99);

        assertThat(unavailable(source, first.name())).contains("the disk is below limit: free some space");
        assertThat(catchThrowable(() -> source.archive(revision(second)))).hasMessageContaining("below limit");
        assertThat(found(source, "main").revision())
                .as("git itself is not blamed")
                .isEqualTo(revision(second));
        assertThat(fixture.fetches).hasValue(0);
        assertThat(fixture.files()).isEmpty();

        fixture.free.set(100);
        assertThat(found(source, first.name()).revision()).isEqualTo(revision(first));
        fixture.free.set(0);
        assertThat(found(source, first.name()).revision())
                .as("what is here needs no space")
                .isEqualTo(revision(first));
    }
}
