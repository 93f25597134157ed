package dev.kiln.image;

import static dev.kiln.testing.PullBench.AMD;
import static dev.kiln.testing.PullBench.APP;
import static dev.kiln.testing.PullBench.ARM;
import static dev.kiln.testing.PullBench.PLAN;
import static dev.kiln.testing.PullBench.REVISION;
import static dev.kiln.testing.PullBench.pull;
import static dev.kiln.testing.PullBench.served;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.kiln.client.Hint;
import dev.kiln.client.WaitPlan;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Tag;
import dev.kiln.testing.PullBench;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Pulls of a repository one of whose platforms asks for features. */
@Timeout(60)
class FlavourPullsTest {
    private static final RepositoryConfig PLAIN = PullBench.repository(new AnswerWhen.Hinted(), Start.ALL);

    @TempDir
    Path directory;

    private static final WaitPlan WHOLE = PLAN.forWholeIndex();
    private static final Platform SSE = Platform.of("linux/amd64+sse4");

    private static RepositoryConfig flavoured(Start start, AnswerWhen answerWhen) {
        return PullBench.repository(List.of(AMD, ARM, SSE), answerWhen, start, Duration.ofSeconds(25));
    }

    @Test
    void nobodyGetsStartsOrWaitsForAFlavourUnlessItIsAskedFor() throws Exception {
        RepositoryConfig repository = flavoured(Start.ALL, new AnswerWhen.All());
        try (PullBench bench = PullBench.start(directory, repository)) {
            PullImages images = bench.images(repository);
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);

            PullAnswer.Served common = served(answer(images, pull("main")));

            assertThat(platforms(common)).containsExactly("amd64", "arm64");
            assertThat(common.missing()).isEmpty();
            assertThat(bench.journal(SSE)).isEmpty();
        }
    }

    @Test
    void aFlavourHasIndexesOfItsOwnInWhichItStandsForItsPlainPlatform() throws Exception {
        RepositoryConfig repository = flavoured(Start.ALL, new AnswerWhen.Hinted());
        try (PullBench bench = PullBench.startForgetful(directory, repository)) {
            PullImages images = bench.images(repository);
            bench.means("main");
            bench.succeeds(SSE);

            PullAnswer.Served partial = served(answer(images, pull("main", SSE)));
            assertThat(platforms(partial)).containsExactly("amd64");
            assertThat(partial.missing()).containsExactly(ARM);
            assertThat(bench.journal(AMD))
                    .as("the plain platform is not of this series")
                    .isEmpty();
            bench.awaitAttempt(ARM);
            bench.succeeds(ARM);
            bench.succeeds(AMD);
            PullAnswer.Served common =
                    served(answer(images, pull("main", Optional.empty(), Optional.empty(), true, WHOLE)));
            bench.clock.advance(Duration.ofSeconds(3));
            Optional<Hint> sse = Optional.of(new Hint(SSE, true, "tag suffix"));
            PullAnswer.Served complete = served(answer(images, pull("main", sse, Optional.empty(), true, WHOLE)));

            assertThat(platforms(complete)).containsExactly("amd64", "arm64");
            assertThat(children(complete).get(1)).isEqualTo(children(common).get(1));
            assertThat(children(complete).get(0)).isNotEqualTo(children(common).get(0));
            assertThat(common.bytes().utf8String()).doesNotContain("sse4");
            assertThat(complete.bytes().utf8String()).contains("sse4");
            PullImages restarted = bench.images(repository);
            for (PullAnswer.Served index : List.of(partial, common, complete)) {
                assertThat(restarted
                                .manifest(APP, index.descriptor().digest())
                                .toCompletableFuture()
                                .get(10, TimeUnit.SECONDS))
                        .hasValueSatisfying(m -> assertThat(m.bytes()).isEqualTo(index.bytes()));
            }
            assertThat(served(answer(restarted, pull("main", SSE)))).isEqualTo(complete);
            assertThat(served(answer(restarted, pull("main")))).isEqualTo(common);
        }
    }

    @Test
    void aFlavourThatWasConfiguredLaterJoinsWhenItIsAskedFor() throws Exception {
        RepositoryConfig later = flavoured(Start.ALL, new AnswerWhen.Hinted());
        try (PullBench bench = PullBench.start(directory, PLAIN)) {
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            bench.succeeds(SSE);
            PullAnswer.Served common =
                    served(answer(bench.images(PLAIN), pull("main", Optional.empty(), Optional.empty(), true, WHOLE)));

            PullImages images = bench.images(later);
            Optional<Hint> sse = Optional.of(new Hint(SSE, true, "?platform="));
            PullAnswer.Served flavour = served(answer(images, pull("main", sse, Optional.empty(), true, WHOLE)));

            assertThat(platforms(flavour)).containsExactly("amd64", "arm64");
            assertThat(flavour.descriptor()).isNotEqualTo(common.descriptor());
            assertThat(served(answer(images, pull("main"))).descriptor()).isEqualTo(common.descriptor());
        }
    }

    @Test
    void theFailureOfAFlavourIsToldToThoseWhoAskForItAlone() throws Exception {
        RepositoryConfig repository = flavoured(Start.ALL, new AnswerWhen.All());
        try (PullBench bench = PullBench.start(directory, repository)) {
            PullImages images = bench.images(repository);
            bench.means("main");
            bench.succeeds(AMD);
            bench.succeeds(ARM);
            bench.fails(SSE);

            assertThat(((PullAnswer.BuildFailed) answer(images, pull("main", SSE))).message())
                    .contains("linux/amd64+sse4");
            assertThat(platforms(served(answer(images, pull("main"))))).containsExactly("amd64", "arm64");
        }
    }

    @Test
    void theIndexesOfASeriesAreToldWithWhatIsMissing() throws Exception {
        RepositoryConfig repository = flavoured(Start.HINTED, new AnswerWhen.Hinted());
        try (PullBench bench = PullBench.start(directory, repository)) {
            PullImages images = bench.images(repository);
            bench.means("main");
            IndexHistory none = indexes(images, Optional.empty());
            assertThat(none.missing()).containsExactly(AMD, ARM);
            assertThat(none.indexes()).isEmpty();

            bench.succeeds(AMD);
            bench.succeeds(SSE);
            PullAnswer.Served common = served(answer(images, pull("main", AMD)));
            PullAnswer.Served flavour = served(answer(images, pull("main", SSE)));

            assertThat(indexes(images, Optional.of(AMD)).missing()).containsExactly(ARM);
            assertThat(indexes(images, Optional.of(AMD)).newest().orElseThrow().descriptor())
                    .isEqualTo(common.descriptor());
            IndexHistory series = indexes(images, Optional.of(SSE));
            assertThat(series.platforms()).containsExactly(SSE, ARM);
            assertThat(series.missing()).containsExactly(ARM);
            assertThat(series.indexes())
                    .singleElement()
                    .satisfies(index -> assertThat(index.descriptor()).isEqualTo(flavour.descriptor()));
            assertThat(images.indexes(APP, new Tag("main"), Optional.of(Platform.of("linux/amd64+mmx"))))
                    .failsWithin(Duration.ofSeconds(20))
                    .withThrowableThat()
                    .withMessageContaining("linux/amd64+mmx is not built here");
            assertThat(bench.journal(ARM)).as("to ask starts nothing").isEmpty();
        }
    }

    private static IndexHistory indexes(PullImages images, Optional<Platform> platform) throws Exception {
        return images.indexes(APP, new Tag("main"), platform)
                .toCompletableFuture()
                .get(20, TimeUnit.SECONDS);
    }

    @Test
    void whoCausedAnIndexIsRecordedWithIt() throws Exception {
        try (PullBench bench = PullBench.start(directory, PLAIN)) {
            PullImages images = bench.images(PLAIN);
            bench.means("main");
            bench.succeeds(AMD);
            answer(images, pull("main", AMD));

            assertThat(bench.journal("Tag|" + APP + ":" + REVISION))
                    .filteredOn(TagEvent.IndexComposed.class::isInstance)
                    .singleElement()
                    .satisfies(event -> assertThat(((TagEvent.IndexComposed) event).cause())
                            .hasValueSatisfying(
                                    cause -> assertThat(cause.reference()).isEqualTo("main")));
        }
    }

    private static PullAnswer answer(PullImages images, Pull pull) throws Exception {
        return images.pull(pull).toCompletableFuture().get(30, TimeUnit.SECONDS);
    }

    private static List<String> platforms(PullAnswer.Served index) {
        return entries(index).stream()
                .map(entry -> entry.path("platform").path("architecture").asText())
                .toList();
    }

    private static List<String> children(PullAnswer.Served index) {
        return entries(index).stream()
                .map(entry -> entry.path("digest").asText())
                .toList();
    }

    private static List<JsonNode> entries(PullAnswer.Served index) {
        try {
            List<JsonNode> entries = new ArrayList<>();
            new ObjectMapper()
                    .readTree(index.bytes().toArray())
                    .path("manifests")
                    .forEach(entries::add);
            return entries;
        } catch (IOException e) {
            throw new AssertionError("not JSON: " + index.bytes().utf8String(), e);
        }
    }
}
