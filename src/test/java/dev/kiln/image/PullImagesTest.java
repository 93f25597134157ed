package dev.kiln.image;

import static dev.kiln.testing.PullBench.AMD;
import static dev.kiln.testing.PullBench.APP;
import static dev.kiln.testing.PullBench.ARM;
import static dev.kiln.testing.PullBench.PLAN;
import static dev.kiln.testing.PullBench.REVISION;
import static dev.kiln.testing.PullBench.pull;
import static dev.kiln.testing.PullBench.served;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildTimes;
import dev.kiln.client.Hint;
import dev.kiln.client.WaitPlan;
import dev.kiln.client.WaitPlan.Situation;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import dev.kiln.source.Meaning;
import dev.kiln.source.Sources.ArchiveAnswer;
import dev.kiln.testing.Plans;
import dev.kiln.testing.PullBench;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A pull from its look-up to its answer, over real entities, queue and store. */
@Timeout(60)
class PullImagesTest {
    private static final RepositoryConfig HINTED = PullBench.repository(new AnswerWhen.Hinted(), Start.ALL);

    @TempDir
    Path directory;

    @Test
    void theHintedPlatformIsAnsweredWhileAnotherBuildsAndTheSameTagListsBothLater() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);

            PullAnswer.Served partial = served(answer(images, pull("main", AMD)));
            assertThat(platforms(partial)).containsExactly("amd64");
            assertThat(partial.missing()).containsExactly(ARM);

            bench.awaitAttempt(ARM);
            bench.succeeds(ARM);
            PullAnswer.Served complete = served(answer(images, pull("main", ARM)));
            assertThat(platforms(complete)).containsExactly("amd64", "arm64");
            assertThat(complete.missing()).isEmpty();
            bench.clock.advance(Duration.ofSeconds(3));
            assertThat(served(answer(images, pull("main"))).descriptor()).isEqualTo(complete.descriptor());

            for (PullAnswer.Served index : List.of(partial, complete)) {
                Digest digest = index.descriptor().digest();
                assertThat(images.manifest(APP, digest).toCompletableFuture().get(10, TimeUnit.SECONDS))
                        .hasValueSatisfying(m -> assertThat(m.bytes()).isEqualTo(index.bytes()));
            }
        }
    }

    @Test
    void anIndexKeepsItsBytesOverRestartsOfItsOwners() throws Exception {
        try (PullBench bench = PullBench.startForgetful(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            PullAnswer.Served partial = served(answer(bench.images(HINTED), pull("main", AMD)));
            bench.succeeds(ARM);
            PullAnswer.Served complete = served(answer(bench.images(HINTED), pull("main", ARM)));

            PullAnswer.Served later = served(answer(bench.images(HINTED), pull("main")));

            assertThat(later.descriptor()).isEqualTo(complete.descriptor());
            assertThat(later.bytes()).isEqualTo(complete.bytes());
            assertThat(bench.images(HINTED)
                            .manifest(APP, partial.descriptor().digest())
                            .toCompletableFuture()
                            .get(10, TimeUnit.SECONDS))
                    .isPresent();
            assertThat(bench.attempts(AMD)).isEqualTo(1);
            assertThat(bench.attempts(ARM)).isEqualTo(1);
        }
    }

    @Test
    void whatPullsShareIsCountedOncePerPullOverAllItsHops() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            PullImages one = bench.images(HINTED);
            PullImages two = bench.images(HINTED);
            List<CompletableFuture<PullAnswer>> pulls = Stream.of(one, one, two, two)
                    .map(images -> images.pull(pull("main")).toCompletableFuture())
                    .toList();
            Awaitility.await()
                    .atMost(Duration.ofSeconds(30))
                    .until(() -> bench.dedup.counts().started() == 2
                            && bench.dedup.counts().saved() == 6);

            bench.clock.advance(Duration.ofSeconds(26));
            for (CompletableFuture<PullAnswer> pull : pulls) {
                PullAnswer.KeepWaiting hop = (PullAnswer.KeepWaiting) pull.get(30, TimeUnit.SECONDS);
                CompletableFuture<PullAnswer> next = one.pull(
                                pull("main", Optional.empty(), Optional.of(hop.hop()), true))
                        .toCompletableFuture();
                assertThat(next).isNotDone();
            }
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            served(answer(two, pull("main")));

            Dedup.Counts counts = bench.dedup.counts();
            assertThat(counts.started()).isEqualTo(2);
            assertThat(counts.joined()).as("the last may have been a hit").isBetween(2L, 4L);
            assertThat(counts.saved()).isBetween(6L, 8L);
        }
    }

    @Test
    void aThousandPullsByBranchTagAndCommitShareOneAttemptAPlatform() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            List<String> tags = List.of("main", "v1.0", REVISION.value());
            tags.forEach(bench::means);
            bench.succeeds(AMD);
            bench.succeeds(ARM);

            List<CompletableFuture<PullAnswer>> pulls = IntStream.range(0, 1000)
                    .parallel()
                    .mapToObj(i -> images.pull(pull(tags.get(i % tags.size()))).toCompletableFuture())
                    .toList();

            List<PullAnswer> answers = new ArrayList<>();
            for (CompletableFuture<PullAnswer> pull : pulls) {
                answers.add(pull.get(50, TimeUnit.SECONDS));
            }
            assertThat(answers).hasSize(1000).containsOnly(answers.get(0));
            assertThat(platforms(served(answers.get(0)))).containsExactly("amd64", "arm64");
            assertThat(bench.sources.resolved())
                    .as("look-ups for a thousand pulls of three tags")
                    .isLessThan(30);
            assertThat(bench.attempts(AMD)).isEqualTo(1);
            assertThat(bench.attempts(ARM)).isEqualTo(1);
        }
    }

    @Test
    void aHitAsksNobody() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            answer(images, pull("main", AMD));
            int asked = bench.sources.resolved();

            assertThat(images.pull(pull("main", AMD)).toCompletableFuture()).isCompleted();
            bench.clock.advance(Duration.ofMillis(2001));
            assertThat(images.pull(pull("main", ARM)).toCompletableFuture()).isNotDone();
            assertThat(bench.sources.resolved()).isEqualTo(asked);
        }
    }

    @Test
    void aRefIsAskedForAgainWhenItsTimeHasPassed() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            answer(images, pull("main"));
            assertThat(bench.sources.resolved()).isEqualTo(1);

            bench.clock.advance(Duration.ofSeconds(10));
            answer(images, pull("main"));
            assertThat(bench.sources.resolved()).isEqualTo(2);
        }
    }

    @Test
    void whatIsPulledOftenIsAskedForAgainWhileItIsServed() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            answer(images, pull("main"));

            bench.clock.advance(Duration.ofSeconds(6));
            assertThat(images.pull(pull("main")).toCompletableFuture()).isCompleted();
            assertThat(bench.sources.resolved()).as("early in its life").isEqualTo(1);

            bench.clock.advance(Duration.ofSeconds(1));
            assertThat(images.pull(pull("main")).toCompletableFuture()).isCompleted();
            await().untilAsserted(() -> assertThat(bench.sources.resolved()).isEqualTo(2));
        }
    }

    @Test
    void oneLookUpIsGoodForAllTagsOfARepositoryForAsLongAsItsRefsAreTheSame() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            List<String> names = List.of("main", "v1", "v2");
            names.forEach(name -> bench.means(name, "these refs"));
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            for (String name : names) {
                answer(images, pull(name));
            }
            assertThat(bench.sources.resolved()).isEqualTo(3);

            bench.clock.advance(Duration.ofSeconds(7));
            names.forEach(name -> bench.means(name, "these refs"));
            for (String name : names) {
                assertThat(images.pull(pull(name)).toCompletableFuture()).isCompleted();
                await().untilAsserted(() -> assertThat(bench.sources.resolved()).isEqualTo(4));
            }
            bench.clock.advance(Duration.ofSeconds(11));
            names.forEach(name -> bench.means(name, "these refs"));
            for (String name : names) {
                answer(images, pull(name));
            }
            assertThat(bench.sources.resolved())
                    .as("also when nobody pulled for long")
                    .isEqualTo(5);

            bench.clock.advance(Duration.ofSeconds(11));
            names.forEach(name -> bench.means(name, "other refs"));
            for (String name : names) {
                answer(images, pull(name));
            }
            assertThat(bench.sources.resolved()).isEqualTo(8);
        }
    }

    @Test
    void whoWaitsForALookUpForAllTagsWaitsForWhatGitSaysAlone() throws Exception {
        CountDownLatch owner = new CountDownLatch(1);
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            List<String> names = List.of("main", "v1");
            names.forEach(name -> bench.means(name, "these refs"));
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            for (String name : names) {
                answer(images, pull(name));
            }
            bench.clock.advance(Duration.ofSeconds(11));
            Meaning.Found moved = bench.found("main");
            bench.sources.says(
                    "main",
                    new Meaning.Found(
                            new Revision("f".repeat(40)),
                            moved.ref(),
                            moved.sourceUrl(),
                            moved.observedAt(),
                            moved.refs()));
            bench.means("v1", "other refs");
            bench.recordsNothingUntil(owner);

            images.pull(pull("main"));
            await().untilAsserted(() -> assertThat(bench.sources.resolved()).isEqualTo(3));
            answer(images, pull("v1"));

            assertThat(bench.sources.resolved()).isEqualTo(4);
            // before the bench ends
            owner.countDown();
        } finally {
            owner.countDown();
        }
    }

    @Test
    void whileTheDatabaseIsAwayWhatWasAnsweredLastIsAHit() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            PullAnswer known = answer(images, pull("main"));
            bench.clock.advance(Duration.ofDays(1));

            bench.databaseAway.set(Optional.of("the database is away"));
            assertThat(images.pull(pull("main")).toCompletableFuture()).isCompletedWithValue(known);
            assertThat(bench.sources.resolved()).isEqualTo(1);

            bench.databaseAway.set(Optional.empty());
            answer(images, pull("main"));
            assertThat(bench.sources.resolved()).isEqualTo(2);
        }
    }

    @Test
    void whileTheDatabaseIsAwayAPullIsSentRoundAndEndsAsUnavailable() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.databaseAway.set(Optional.of("the database is away"));
            Optional<Hint> amd = Optional.of(new Hint(AMD, true, "?platform="));
            Optional<String> hop = Optional.empty();
            for (int i = 0; i < 2; i++) {
                CompletableFuture<PullAnswer> held =
                        images.pull(pull("main", amd, hop, true)).toCompletableFuture();
                bench.clock.advance(HINTED.hop());
                PullAnswer.KeepWaiting sentOn = (PullAnswer.KeepWaiting) held.get(20, TimeUnit.SECONDS);
                assertThat(sentOn.progress()).isEqualTo("the database is away");
                hop = Optional.of(sentOn.hop());
            }
            CompletableFuture<PullAnswer> last =
                    images.pull(pull("main", amd, hop, true)).toCompletableFuture();
            bench.clock.advance(HINTED.hop());
            assertThatThrownBy(() -> last.get(20, TimeUnit.SECONDS))
                    .cause()
                    .isInstanceOfSatisfying(
                            Problem.class,
                            problem -> assertThat(problem.status()).isEqualTo(503))
                    .hasMessage("the database is away; pull again");
        }
    }

    @Test
    void aFailedDefaultPlatformIsToldToWhoSaysNothingAndHidesNoOther() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.fails(AMD);
            bench.succeeds(ARM);

            PullAnswer.BuildFailed failed = (PullAnswer.BuildFailed) answer(images, pull("main"));
            assertThat(failed.message()).contains("linux/amd64").contains("exit code 2");
            assertThat(platforms(served(answer(images, pull("main", ARM))))).containsExactly("arm64");
        }
    }

    @Test
    void aFailureIsForgottenWhenItsTimeHasPassedAndTheNextPullBuildsAnew() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.fails(AMD);
            assertThat(answer(images, pull("main", AMD))).isInstanceOf(PullAnswer.BuildFailed.class);
            bench.succeeds(AMD);
            assertThat(answer(images, pull("main", AMD))).isInstanceOf(PullAnswer.BuildFailed.class);

            bench.clock.advance(Duration.ofHours(1));
            assertThat(platforms(served(answer(images, pull("main", AMD))))).contains("amd64");
            assertThat(bench.attempts(AMD)).isEqualTo(2);
        }
    }

    @Test
    void withStartHintedOnlyTheHintedPlatformIsStarted() throws Exception {
        RepositoryConfig repository = PullBench.repository(new AnswerWhen.Hinted(), Start.HINTED);
        try (PullBench bench = PullBench.start(directory, repository)) {
            PullImages images = bench.images(repository);
            bench.means("main");
            bench.succeeds(ARM);

            assertThat(platforms(served(answer(images, pull("main", ARM))))).containsExactly("arm64");
            assertThat(bench.journal(AMD)).isEmpty();

            bench.succeeds(AMD);
            assertThat(platforms(served(answer(images, pull("main"))))).containsExactly("amd64", "arm64");
        }
    }

    @Test
    void fromPartialAfterOnTheDefaultPlatformIsEnoughForWhoSaysNothing() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            CompletableFuture<PullAnswer> early = images.pull(pull("main")).toCompletableFuture();
            answer(images, pull("main", AMD));
            assertThat(early).isNotDone();

            bench.clock.advance(Duration.ofSeconds(20));

            assertThat(platforms(served(early.get(20, TimeUnit.SECONDS)))).containsExactly("amd64");
        }
    }

    @Test
    void aPlatformThatNeverEndsHoldsItsOwnPullsOnlyHopByHopUntilTheirPatienceEnds() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            Optional<Hint> arm = Optional.of(new Hint(ARM, true, "?platform="));
            Optional<String> hop = Optional.empty();
            List<String> answers = new ArrayList<>();
            while (answers.size() < 10) {
                CompletableFuture<PullAnswer> waiting =
                        images.pull(pull("main", arm, hop, true)).toCompletableFuture();
                assertThat(platforms(served(answer(images, pull("main", AMD))))).containsExactly("amd64");
                bench.clock.advance(HINTED.hop());
                PullAnswer end = waiting.get(20, TimeUnit.SECONDS);
                answers.add(end.getClass().getSimpleName());
                if (!(end instanceof PullAnswer.KeepWaiting keepWaiting)) {
                    break;
                }
                assertThat(keepWaiting.progress()).contains("linux/arm64/v8");
                hop = Optional.of(keepWaiting.hop());
            }
            assertThat(answers).containsExactly("KeepWaiting", "KeepWaiting", "NotYet");
        }
    }

    @Test
    void aPullWhoseClientHasGoneWaitsNoLongerAndItsBuildGoesOn() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            Pull pull = pull("main", ARM);
            CompletableFuture<PullAnswer> gone = images.pull(pull).toCompletableFuture();
            CompletableFuture<PullAnswer> stays = images.pull(pull("main", ARM)).toCompletableFuture();
            bench.awaitAttempt(ARM);

            pull.gone().toCompletableFuture().complete(null);

            assertThat(gone).failsWithin(Duration.ofSeconds(20));
            assertThat(stays).isNotDone();
            bench.succeeds(ARM);
            assertThat(platforms(served(stays.get(20, TimeUnit.SECONDS)))).contains("arm64");
        }
    }

    @Test
    void whoWantsAWholeIndexGetsNoOtherWhateverThePolicySays() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            assertThat(platforms(served(answer(images, pull("main", AMD))))).containsExactly("amd64");
            Pull whole = pull("main", Optional.empty(), Optional.empty(), true, PLAN.forWholeIndex());

            CompletableFuture<PullAnswer> waiting = images.pull(whole).toCompletableFuture();
            bench.clock.advance(HINTED.partialAfter());
            assertThat(platforms(served(answer(images, pull("main"))))).containsExactly("amd64");
            assertThat(waiting).isNotDone();
            bench.awaitAttempt(ARM);
            bench.succeeds(ARM);

            assertThat(platforms(served(waiting.get(20, TimeUnit.SECONDS)))).containsExactly("amd64", "arm64");
        }
    }

    @Test
    void whoWantsAWholeIndexIsToldOfTheFirstPlatformThatFails() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            bench.fails(ARM);

            PullAnswer end =
                    answer(images, pull("main", Optional.empty(), Optional.empty(), true, PLAN.forWholeIndex()));

            assertThat(end)
                    .isInstanceOfSatisfying(
                            PullAnswer.BuildFailed.class,
                            failed -> assertThat(failed.message()).contains("linux/arm64/v8"));
        }
    }

    @Test
    void whoOnlyLooksStartsNothingAndGetsWhatIsThere() throws Exception {
        WaitPlan looks =
                new WaitPlan("looks", PLAN.hop(), PLAN.patience(), true, Duration.ZERO, false, false, PLAN.answers());
        Pull look = pull("main", Optional.empty(), Optional.empty(), true, looks);
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.means(REVISION.value());

            assertProblem(images, look, ProblemCode.MANIFEST_UNKNOWN);
            assertProblem(
                    images,
                    pull(REVISION.value(), Optional.empty(), Optional.empty(), true, looks),
                    ProblemCode.MANIFEST_UNKNOWN);
            assertThat(bench.attempts(AMD) + bench.attempts(ARM)).isZero();

            bench.succeeds(AMD);
            assertThat(platforms(served(answer(images, pull("main", AMD))))).containsExactly("amd64");
            bench.clock.advance(Duration.ofSeconds(3));
            assertThat(platforms(served(answer(images, look)))).containsExactly("amd64");
            assertProblem(
                    images,
                    pull("main", Optional.empty(), Optional.empty(), true, looks.forWholeIndex()),
                    ProblemCode.MANIFEST_UNKNOWN);
            bench.databaseAway.set(Optional.of("the database has not answered"));
            bench.clock.advance(Duration.ofMinutes(10));
            assertThat(platforms(served(answer(images, look)))).containsExactly("amd64");
            bench.databaseAway.set(Optional.empty());

            bench.sources.says("main-linux-arm64", new Meaning.Unknown(false, "no branch is called so"));
            Pull suffixed = pull("main-linux-arm64", Optional.empty(), Optional.empty(), true, looks)
                    .otherwise(Optional.of(
                            pull("main", Optional.of(new Hint(ARM, true, "tag")), Optional.empty(), true, looks)));
            assertThat(platforms(served(answer(images, suffixed)))).containsExactly("amd64");
        }
    }

    @Test
    void whoFollowsNoRedirectsIsHeldOnce() throws Exception {
        WaitPlan once = new WaitPlan("once", PLAN.hop(), PLAN.hop(), false, Duration.ZERO, true, false, PLAN.answers());
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            CompletableFuture<PullAnswer> waiting = images.pull(
                            pull("main", Optional.empty(), Optional.empty(), true, once))
                    .toCompletableFuture();
            bench.awaitAttempt(AMD);

            bench.clock.advance(PLAN.hop());

            assertThat(waiting.get(20, TimeUnit.SECONDS))
                    .isInstanceOfSatisfying(
                            PullAnswer.NotYet.class,
                            end -> assertThat(end.situation()).isEqualTo(Situation.NOTHING_READY));
        }
    }

    @Test
    void whoWaitsIsToldWhenItIsLikelyToBeDoneAndIsNotSentAwayForLonger() throws Exception {
        RepositoryConfig one =
                PullBench.repository(List.of(ARM), new AnswerWhen.Hinted(), Start.ALL, Duration.ofSeconds(25));
        try (PullBench bench = PullBench.start(directory, one)) {
            PullImages images = bench.images(one);
            bench.means("main");
            CompletableFuture<PullAnswer> first = images.pull(pull("main")).toCompletableFuture();
            awaitBuilding(images, ARM);
            bench.clock.advance(one.hop());
            PullAnswer.KeepWaiting unknown = (PullAnswer.KeepWaiting) first.get(20, TimeUnit.SECONDS);
            assertThat(unknown.progress()).isEqualTo("linux/arm64/v8 building for 25 s, ETA unknown");

            bench.usual.put(ARM, new BuildTimes(Duration.ZERO, Duration.ofSeconds(70)));
            CompletableFuture<PullAnswer> second = images.pull(
                            pull("main", Optional.empty(), Optional.of(unknown.hop()), true))
                    .toCompletableFuture();
            bench.clock.advance(one.hop());
            PullAnswer.KeepWaiting known = (PullAnswer.KeepWaiting) second.get(20, TimeUnit.SECONDS);
            assertThat(known.progress()).isEqualTo("linux/arm64/v8 building for 50 s, ETA 20 s");

            CompletableFuture<PullAnswer> third = images.pull(
                            pull("main", Optional.empty(), Optional.of(known.hop()), true))
                    .toCompletableFuture();
            bench.clock.advance(Duration.ofSeconds(10));
            PullAnswer.NotYet end = (PullAnswer.NotYet) third.get(20, TimeUnit.SECONDS);
            assertThat(end.message()).isEqualTo("linux/arm64/v8 building for 60 s, ETA 10 s; pull again");
            assertThat(end.eta()).contains(Duration.ofSeconds(10));
        }
    }

    /** The worker has it at once; who waits hears of it a message later. */
    private static void awaitBuilding(PullImages images, Platform platform) {
        WaitPlan atOnce = Plans.plan(Duration.ZERO, Duration.ofSeconds(60));
        Awaitility.await()
                .until(
                        () -> answer(images, pull("main", Optional.empty(), Optional.empty(), true, atOnce)),
                        answer -> answer instanceof PullAnswer.KeepWaiting waiting
                                && waiting.progress().startsWith(platform + " building"));
    }

    @Test
    void aPullKeepsTheRevisionItBeganWithAndAForgedHopIsAsIfAbsent() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            CompletableFuture<PullAnswer> waiting = images.pull(pull("main")).toCompletableFuture();
            bench.awaitAttempt(AMD);
            bench.clock.advance(HINTED.hop());
            String hop = ((PullAnswer.KeepWaiting) waiting.get(20, TimeUnit.SECONDS)).hop();

            bench.sources.says("main", new Meaning.Unknown(false, "no branch is called main"));
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            assertThat(platforms(served(answer(images, pull("main", Optional.empty(), Optional.of(hop), true)))))
                    .contains("amd64");
            assertProblem(
                    images, pull("main", Optional.empty(), Optional.of(hop + "x"), true), ProblemCode.MANIFEST_UNKNOWN);
            assertProblem(images, pull("other"), ProblemCode.MANIFEST_UNKNOWN, bench);
        }
    }

    /** The last index that there will be. */
    private static PullAnswer wholeAnswer(PullBench bench, Pull pull) {
        return Awaitility.await()
                .until(
                        () -> answer(bench.images(HINTED), pull),
                        answer -> answer instanceof PullAnswer.Served served
                                && served.missing().isEmpty());
    }

    private static void assertProblem(PullImages images, Pull pull, ProblemCode code, PullBench bench) {
        bench.sources.says(pull.tag().value(), new Meaning.Unknown(false, "no branch is called so"));
        assertProblem(images, pull, code);
        assertThat(bench.journal("Tag|" + APP + ":" + pull.tag())).isEmpty();
    }

    @Test
    void whatIsMeantOtherwiseIsPulledWhereTheSourceHasNoSuchTagAndOnAllItsHops() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("v1");
            bench.sources.says("v1-linux-arm64", new Meaning.Unknown(false, "no tag is called v1-linux-arm64"));
            bench.succeeds(AMD);

            CompletableFuture<PullAnswer> waiting =
                    images.pull(dashed(Optional.empty())).toCompletableFuture();
            bench.awaitAttempt(ARM);
            assertThat(platforms(served(answer(images, pull("v1", AMD))))).containsExactly("amd64");
            bench.clock.advance(HINTED.hop());
            String hop = ((PullAnswer.KeepWaiting) waiting.get(20, TimeUnit.SECONDS)).hop();
            bench.sources.says("v1", new Meaning.Unknown(false, "no tag is called v1"));

            CompletableFuture<PullAnswer> next =
                    images.pull(dashed(Optional.of(hop))).toCompletableFuture();
            bench.clock.advance(HINTED.hop());
            assertThat(next.get(20, TimeUnit.SECONDS))
                    .as("it waits for the suffix's platform, though another is built")
                    .isInstanceOf(PullAnswer.KeepWaiting.class);
            bench.succeeds(ARM);
            assertThat(platforms(served(answer(images, dashed(Optional.of(hop))))))
                    .contains("arm64");
            assertProblem(images, dashed(Optional.of(hop + "x")), ProblemCode.MANIFEST_UNKNOWN);
        }
    }

    @Test
    void aTagThatTheSourceHasIsNotReadOtherwise() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("v1-linux-arm64");
            bench.succeeds(AMD);
            CompletableFuture<PullAnswer> pull =
                    images.pull(dashed(Optional.empty())).toCompletableFuture();
            bench.awaitAttempt(AMD);
            Awaitility.await()
                    .until(() -> platforms(served(answer(images, pull("v1-linux-arm64", AMD))))
                            .contains("amd64"));
            bench.clock.advance(Duration.ofSeconds(20));
            assertThat(platforms(served(pull.get(20, TimeUnit.SECONDS))))
                    .as("no hint, so that the default platform is enough")
                    .containsExactly("amd64");
        }
    }

    /** {@code v1-linux-arm64}, or else v1 for linux/arm64. */
    private static Pull dashed(Optional<String> hop) {
        Optional<Hint> suffix = Optional.of(new Hint(ARM, true, "tag suffix"));
        return pull("v1-linux-arm64", Optional.empty(), hop, true)
                .otherwise(Optional.of(pull("v1", suffix, hop, true)));
    }

    @Test
    void whileGitIsDownWhatIsKnownIsServedAndWhatIsNotIsUnavailable() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            PullAnswer before = wholeAnswer(bench, pull("main"));

            PullImages images = bench.images(HINTED);
            bench.sources.says("main", new Meaning.Unavailable("git did not answer"));
            bench.sources.says("other", new Meaning.Unavailable("git did not answer"));
            assertThat(answer(images, pull("main"))).isEqualTo(before);
            assertThat(answer(images, pull(REVISION.value()))).isEqualTo(before);
            assertProblem(images, pull("other"), ProblemCode.UNAVAILABLE);
        }
    }

    @Test
    void whileGitIsDownADashThatMayBeASuffixIsOneWhereTheRestIsKnown() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            PullAnswer before = wholeAnswer(bench, pull("main", ARM));

            PullImages images = bench.images(HINTED);
            List.of("main", "main-linux-arm64", "other", "other-linux-arm64")
                    .forEach(tag -> bench.sources.says(tag, new Meaning.Unavailable("git did not answer")));
            assertThat(answer(images, pull("main-linux-arm64").otherwise(Optional.of(pull("main", ARM)))))
                    .isEqualTo(before);
            assertProblem(
                    images,
                    pull("other-linux-arm64").otherwise(Optional.of(pull("other", ARM))),
                    ProblemCode.UNAVAILABLE);
            bench.sources.says("other", new Meaning.Unknown(false, "no ref of that name"));
            assertProblem(
                    images,
                    pull("other-linux-arm64").otherwise(Optional.of(pull("other", ARM))),
                    ProblemCode.UNAVAILABLE);
        }
    }

    @Test
    void aSourceThatTakesLongerThanAHopCostsHopsAndNothingElse() throws Exception {
        RepositoryConfig quick =
                PullBench.repository(List.of(AMD, ARM), new AnswerWhen.Hinted(), Start.ALL, Duration.ofMillis(200));
        try (PullBench bench = PullBench.start(directory, quick)) {
            PullImages images = bench.images(quick);
            WaitPlan plan = Plans.plan(quick.hop(), quick.patience());
            CompletableFuture<PullAnswer> lookingUp = images.pull(
                            pull("main", Optional.empty(), Optional.empty(), true, plan))
                    .toCompletableFuture();
            bench.clock.advance(quick.hop());
            assertThat(lookingUp.get(20, TimeUnit.SECONDS)).isInstanceOf(PullAnswer.KeepWaiting.class);
        }
        try (PullBench bench = PullBench.start(directory.resolve("second"), HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.sources.archives(REVISION, new ArchiveAnswer.Refused("it has a submodule"));
            bench.means("main");
            assertThat(answer(images, pull("main")))
                    .isEqualTo(new PullAnswer.BuildFailed("it has a submodule", Optional.empty()));
            assertThat(bench.journal("Tag|" + APP + ":" + REVISION)).isEmpty();
        }
    }

    @Test
    void aPlatformConfiguredLaterJoinsByAnExplicitHintOnly() throws Exception {
        RepositoryConfig before = PullBench.repository(List.of(AMD), new AnswerWhen.Hinted(), Start.ALL, HINTED.hop());
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            assertThat(platforms(served(answer(bench.images(before), pull("main")))))
                    .containsExactly("amd64");

            PullImages images = bench.images(HINTED);
            Optional<Hint> weak = Optional.of(new Hint(ARM, false, "User-Agent"));
            assertThat(platforms(served(answer(images, pull("main", weak, Optional.empty(), true)))))
                    .containsExactly("amd64");
            assertThat(platforms(served(answer(images, pull("main"))))).containsExactly("amd64");
            assertThat(bench.journal(ARM)).isEmpty();

            assertThat(platforms(served(answer(images, pull("main", ARM))))).containsExactly("amd64", "arm64");
            assertThat(bench.journal(ARM)).hasAtLeastOneElementOfType(BuildEvent.Built.class);
        }
    }

    @Test
    void aWeakHintThatARevisionCannotFollowStillStartsAndAnswersThePull() throws Exception {
        RepositoryConfig before =
                PullBench.repository(List.of(AMD), new AnswerWhen.Hinted(), Start.HINTED, HINTED.hop());
        RepositoryConfig after = PullBench.repository(new AnswerWhen.Hinted(), Start.HINTED);
        try (PullBench bench = PullBench.start(directory, after)) {
            bench.means("main");
            CompletableFuture<PullAnswer> opens =
                    bench.images(before).pull(pull("main")).toCompletableFuture();
            bench.awaitAttempt(AMD);
            bench.succeeds(AMD);
            opens.get(20, TimeUnit.SECONDS);

            Optional<Hint> weak = Optional.of(new Hint(ARM, false, "User-Agent"));
            PullAnswer.Served manifest =
                    served(answer(bench.images(after), pull("main", weak, Optional.empty(), false)));
            assertThat(manifest.descriptor().mediaType()).isEqualTo(MediaTypes.OCI_MANIFEST);
            assertThat(manifest.bytes().utf8String()).contains("linux/amd64");
        }
    }

    @Test
    void whoTakesNoIndexGetsTheHintedPlatformsManifestOrTheDefaultOnes() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            bench.succeeds(AMD);
            assertThat(served(answer(images, pull("main", Optional.empty(), Optional.empty(), false)))
                            .bytes()
                            .utf8String())
                    .contains("linux/amd64");
            bench.succeeds(ARM);
            Optional<Hint> arm = Optional.of(new Hint(ARM, true, "?platform="));
            assertThat(served(answer(images, pull("main", arm, Optional.empty(), false)))
                            .bytes()
                            .utf8String())
                    .contains("linux/arm64");
        }
    }

    @Test
    void urlPointersListEveryPlatformAtOnceAndStartNothing() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            bench.means("main");
            String before =
                    images.pointers(APP, new Tag("main")).toCompletableFuture().get(20, TimeUnit.SECONDS);
            assertThat(before)
                    .isEqualTo("{\"schemaVersion\":2,\"mediaType\":\"" + MediaTypes.URL_POINTERS + "\",\"manifests\":["
                            + "{\"url\":\"/v2/team/app/manifests/main_linux-amd64\","
                            + "\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}},"
                            + "{\"url\":\"/v2/team/app/manifests/main_linux-arm64\","
                            + "\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}}],"
                            + "\"annotations\":{\"org.opencontainers.image.revision\":\"" + REVISION + "\"}}");
            assertThat(bench.journal("Tag|" + APP + ":" + REVISION)).isEmpty();
            assertThat(bench.journal(AMD)).isEmpty();
            assertThat(bench.journal(ARM)).isEmpty();

            bench.succeeds(AMD);
            PullAnswer.Served index = served(answer(images, pull("main", AMD)));
            JsonNode built = new ObjectMapper()
                    .readTree(images.pointers(APP, new Tag("main"))
                            .toCompletableFuture()
                            .get(20, TimeUnit.SECONDS))
                    .path("manifests");
            assertThat(built.get(0))
                    .isEqualTo(new ObjectMapper()
                            .readTree(index.bytes().toArray())
                            .path("manifests")
                            .get(0));
            assertThat(built.get(1).has("digest")).isFalse();
            assertThat(built.get(1).path("url").asText()).isEqualTo("/v2/team/app/manifests/main_linux-arm64");
        }
    }

    @Test
    void namesThatMeanNothingAreRefusedAtOnceAndLeaveNothing() throws Exception {
        try (PullBench bench = PullBench.start(directory, HINTED)) {
            PullImages images = bench.images(HINTED);
            String commit = "f".repeat(40);
            for (String tag : List.of("nothing", "sha256-" + "0".repeat(64) + ".sig", commit)) {
                assertProblem(images, pull(tag), ProblemCode.MANIFEST_UNKNOWN, bench);
            }
        }
    }

    private static PullAnswer answer(PullImages images, Pull pull) throws Exception {
        return images.pull(pull).toCompletableFuture().get(30, TimeUnit.SECONDS);
    }

    private static void assertProblem(PullImages images, Pull pull, ProblemCode code) {
        assertThatThrownBy(() -> images.pull(pull).toCompletableFuture().join()).satisfies(failure -> {
            Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
            assertThat(cause).isInstanceOf(Problem.class);
            assertThat(((Problem) cause).code()).isEqualTo(code);
        });
    }

    private static List<String> platforms(PullAnswer.Served index) {
        try {
            List<String> architectures = new ArrayList<>();
            new ObjectMapper()
                    .readTree(index.bytes().toArray())
                    .path("manifests")
                    .forEach(m -> architectures.add(
                            m.path("platform").path("architecture").asText()));
            return architectures;
        } catch (IOException e) {
            throw new AssertionError("not JSON: " + index.bytes().utf8String(), e);
        }
    }
}
