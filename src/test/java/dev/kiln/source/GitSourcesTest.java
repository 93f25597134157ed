package dev.kiln.source;

import static dev.kiln.source.SourceFixture.config;
import static dev.kiln.source.SourceFixture.found;
import static dev.kiln.source.SourceFixture.revision;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.kiln.blob.FreeSpace;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.NamePattern;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.MemoryBlobStore;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.eclipse.jgit.lib.ObjectId;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GitSourcesTest {
    @TempDir
    Path folder;

    private GitSources sources(String url) {
        return sources(folder, url);
    }

    /** Those of a node whose repositories are called team and a word. */
    static GitSources sources(Path folder, String url) {
        RepositoryConfig repository = new RepositoryConfig(
                new NamePattern("team/*"),
                Optional.of(config(url)),
                List.of(Platform.of("linux/amd64")),
                Optional.of(Platform.of("linux/amd64")),
                Optional.of("make"),
                RepositoryConfig.Start.ALL,
                new RepositoryConfig.AnswerWhen.Hinted(),
                Duration.ZERO,
                Duration.ZERO,
                Duration.ZERO,
                null,
                null,
                false);
        KilnConfig config = new KilnConfig(
                Set.of(),
                folder,
                folder.resolve("work"),
                0,
                Optional.empty(),
                null,
                null,
                null,
                null,
                null,
                List.of(repository),
                Map.of(),
                null,
                null,
                null,
                null,
                null,
                null,
                null);
        return new GitSources(config, new MemoryBlobStore(), SourceFixture.PLENTY, Clock.systemUTC());
    }

    @Test
    void eachNameHasItsOwnGitRepository() {
        Origin origin = Origin.create(folder.resolve("app.git"));
        ObjectId commit = origin.commit("first");
        origin.ref("refs/heads/main", commit);
        try (GitSources sources = sources(folder + "/{name}.git")) {
            assertThat(sources.of(new RepositoryName("other/app"))).isEmpty();
            GitSource none = sources.of(new RepositoryName("team/app")).orElseThrow();
            assertThat(none.tags()).isInstanceOf(TagList.Unknown.class);
            assertThat(sources.of(new RepositoryName("team/app"))).containsSame(none);
        }
        try (GitSources sources = sources(folder + "/app.git")) {
            assertThat(found(sources.of(new RepositoryName("team/app")).orElseThrow(), "main")
                            .revision())
                    .isEqualTo(revision(commit));
        }
        assertThat(folder.resolve("mirrors")).doesNotExist();
    }

    @Test
    void addressesThatKilnDoesNotReadFromEndTheStart() {
        assertThatIllegalArgumentException().isThrownBy(() -> sources("git://example.com/{name}"));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> sources("git@example.com:{name}"))
                .withMessageContaining("known-hosts");
    }

    @Test
    void mirrorsBeyondTheLimitAreDeletedUnlessInUse() throws Exception {
        Origin origin = Origin.create(folder.resolve("app.git"));
        origin.ref("refs/heads/main", origin.commit("first"));
        Path all = folder.resolve("mirrors");
        Mirrors mirrors = new Mirrors(all, 2, Long.MAX_VALUE);
        GitUrl url = GitUrl.parse(folder + "/app.git");
        for (int i = 0; i < 5; i++) {
            Mirror mirror = mirrors.of(new RepositoryName("team/app" + i), url);
            mirror.create();
            mirror.touch(Instant.ofEpochSecond(1000 + i));
            mirrors.using(mirror);
        }
        Mirror oldest = mirrors.of(new RepositoryName("team/app0"), url);
        Mirror newest = mirrors.of(new RepositoryName("team/app4"), url);

        oldest.use(repository -> {
            trim(mirrors, newest);
            return null;
        });

        assertThat(oldest.exists()).isTrue();
        assertThat(newest.exists()).isTrue();
        try (Stream<Path> left = Files.list(all)) {
            assertThat(left).hasSize(3);
        }
        trim(mirrors, newest);
        assertThat(oldest.exists()).isFalse();
    }

    @Test
    void mirrorsUsedLeastRecentlyMakeRoomUnlessInUse() throws Exception {
        Path all = folder.resolve("mirrors");
        Mirrors mirrors = new Mirrors(all, 10, Long.MAX_VALUE);
        GitUrl url = GitUrl.parse(folder + "/app.git");
        List<Mirror> made = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            Mirror mirror = mirrors.of(new RepositoryName("team/app" + i), url);
            mirror.create();
            mirror.touch(Instant.ofEpochSecond(1000 + i));
            made.add(mirror);
        }
        FreeSpace twoAreEnough = new FreeSpace("the disk", "limit", 3, () -> {
            try (Stream<Path> left = Files.list(all)) {
                return 5 - left.count() + 1;
            }
        });

        Optional<String> shortage = made.get(0).use(repository -> mirrors.makeRoom(twoAreEnough, made.get(1)));

        assertThat(shortage).isEmpty();
        assertThat(made).extracting(Mirror::exists).containsExactly(true, true, false, false, true);
        FreeSpace hopeless = new FreeSpace("the disk", "limit", 1, () -> 0);
        assertThat(mirrors.makeRoom(hopeless, made.get(1))).contains("the disk is below limit: free some space");
        assertThat(made).extracting(Mirror::exists).containsExactly(false, true, false, false, false);
    }

    private static void trim(Mirrors mirrors, Mirror kept) {
        try {
            mirrors.trim(kept);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
