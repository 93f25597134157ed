package dev.kiln.source;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import com.typesafe.config.ConfigFactory;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.source.Sources.ArchiveAnswer;
import dev.kiln.source.Sources.TagsAnswer;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.MemoryBlobStore;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.eclipse.jgit.lib.ObjectId;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Who is asked how often, and who waits for whom; what git says is {@link GitSourceTest}'s. No repository is configured. */
class SourceEntityTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS =
            ActorSystemExtension.with(ConfigFactory.parseString("akka.actor.provider = local"));

    @TempDir
    Path folder;

    /** Calls to git, which the test makes when it wants to. */
    private final BlockingQueue<Runnable> calls = new LinkedBlockingQueue<>();

    /** Those of them that may fetch. */
    private final BlockingQueue<Runnable> fetches = new LinkedBlockingQueue<>();

    private GitSources sources;
    private ActorRef<SourceEntity.Command> source;

    @BeforeEach
    void begin() {
        KilnConfig config = new KilnConfig(
                Set.of(),
                folder,
                folder,
                0,
                Optional.empty(),
                null,
                null,
                null,
                null,
                null,
                List.of(),
                Map.of(),
                null,
                null,
                null,
                null,
                null,
                null,
                null);
        sources = new GitSources(config, new MemoryBlobStore(), SourceFixture.PLENTY, Clock.systemUTC());
        source = ACTORS.testKit()
                .spawn(SourceEntity.create(
                        new RepositoryName("team/app"), sources, new HostLanes(calls::add, fetches::add)));
    }

    @AfterEach
    void end() {
        sources.close();
    }

    @Test
    void allWhoAskTheSameShareOneAnswer() throws Exception {
        List<TestProbe<Meaning>> askers =
                IntStream.range(0, 50).mapToObj(i -> resolve("main")).toList();
        next().run();

        askers.forEach(asker -> asker.expectMessageClass(Meaning.Unavailable.class));
        TestProbe<Meaning> later = resolve("main");
        next().run();
        later.expectMessageClass(Meaning.Unavailable.class);
        assertThat(calls).isEmpty();
    }

    @Test
    void onlyAFewLookUpsRunAtATimeAndTheOthersFollow() throws Exception {
        List<TestProbe<Meaning>> askers =
                IntStream.range(0, 10).mapToObj(i -> resolve("branch-" + i)).toList();
        for (int i = 0; i < 5; i++) {
            Runnable one = next();
            Runnable other = next();
            assertThat(calls).isEmpty();
            one.run();
            other.run();
        }
        askers.forEach(asker -> asker.expectMessageClass(Meaning.Unavailable.class));
    }

    @Test
    void fetchesThatTakeLongHoldUpNobodyWhoNeedsNone() throws Exception {
        List<TestProbe<ArchiveAnswer>> archives =
                IntStream.range(0, 5).mapToObj(this::archive).toList();
        TestProbe<Meaning> byCommit = resolve("0123456");
        next(fetches);
        next(fetches);
        TestProbe<Meaning> puller = resolve("main");
        next().run();

        puller.expectMessageClass(Meaning.Unavailable.class);
        archives.forEach(archive -> archive.expectNoMessage(Duration.ZERO));
        byCommit.expectNoMessage(Duration.ZERO);
        assertThat(calls).as("what may fetch takes no place of a look-up").isEmpty();
    }

    @Test
    void aCommitIdMayNeedAFetch() throws Exception {
        TestProbe<Meaning> full = resolve("a".repeat(40));
        next(fetches).run();
        full.expectMessageClass(Meaning.Unavailable.class);
    }

    @Test
    void tagsAreToldInPagesThatFitIntoAMessage() throws Exception {
        Origin origin = Origin.create(folder.resolve("app.git"));
        ObjectId commit = origin.commit("first");
        for (String branch : List.of("a", "b", "c")) {
            origin.ref("refs/heads/" + branch, commit);
        }
        try (GitSources configured = GitSourcesTest.sources(folder, folder + "/app.git")) {
            HostLanes threads = new HostLanes(Runnable::run, Runnable::run);
            source = ACTORS.testKit().spawn(SourceEntity.create(new RepositoryName("team/app"), configured, threads));

            assertThat(tags("", 2)).containsExactly(new Tag("a"), new Tag("b"));
            assertThat(tags("b", 2)).containsExactly(new Tag("c"));
            assertThat(tags("aa", 1)).containsExactly(new Tag("b"));
            assertThat(tags("c", 2)).isEmpty();
            assertThat(tags("", Integer.MAX_VALUE)).hasSize(3);
            assertThat(tags(null, 0)).as("to a node of an older version").hasSize(3);
        }
    }

    @Test
    void noPageIsLongerThanAMessageWhateverIsAskedFor() {
        TestProbe<TagsAnswer> asker = ACTORS.testKit().createTestProbe();

        assertThat(new SourceEntity.ListTags("", Integer.MAX_VALUE, asker.ref()).limit())
                .isEqualTo(Sources.MAX_TAGS);
    }

    private List<Tag> tags(String after, int limit) {
        TestProbe<TagsAnswer> asker = ACTORS.testKit().createTestProbe();
        source.tell(new SourceEntity.ListTags(after, limit, asker.ref()));
        return asker.expectMessageClass(TagsAnswer.Listed.class).tags();
    }

    @Test
    void whoComesWhenTooManyWaitIsRefusedAtOnce() throws Exception {
        TestProbe<Meaning> crowd = ACTORS.testKit().createTestProbe();
        for (int i = 0; i < 10_000; i++) {
            source.tell(new SourceEntity.Resolve(new Tag("main"), crowd.ref()));
        }
        Meaning.Unavailable refused = resolve("main").expectMessageClass(Meaning.Unavailable.class);
        assertThat(refused.reason()).contains("too many");
        crowd.expectNoMessage(Duration.ZERO);

        next().run();
        crowd.receiveSeveralMessages(10_000, Duration.ofSeconds(30));
        TestProbe<Meaning> later = resolve("main");
        next().run();
        assertThat(later.expectMessageClass(Meaning.Unavailable.class).reason()).doesNotContain("too many");
    }

    private TestProbe<Meaning> resolve(String tag) {
        TestProbe<Meaning> asker = ACTORS.testKit().createTestProbe();
        source.tell(new SourceEntity.Resolve(new Tag(tag), asker.ref()));
        return asker;
    }

    private TestProbe<ArchiveAnswer> archive(int number) {
        TestProbe<ArchiveAnswer> asker = ACTORS.testKit().createTestProbe();
        source.tell(
                new SourceEntity.Archive(new Revision(Integer.toString(number).repeat(40)), asker.ref()));
        return asker;
    }

    private Runnable next() throws InterruptedException {
        return next(calls);
    }

    private static Runnable next(BlockingQueue<Runnable> lane) throws InterruptedException {
        Runnable call = lane.poll(10, TimeUnit.SECONDS);
        assertThat(call).as("git is asked").isNotNull();
        return call;
    }
}
