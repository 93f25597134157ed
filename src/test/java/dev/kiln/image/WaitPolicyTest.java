package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.build.FailureClass;
import dev.kiln.config.NamePattern;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.AnswerWhen;
import dev.kiln.config.RepositoryConfig.Start;
import dev.kiln.image.WaitPolicy.Decision;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.testing.Plans;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class WaitPolicyTest {
    private static final Platform AMD = Platform.of("linux/amd64");
    private static final Platform ARM = Platform.of("linux/arm64");
    private static final Platform S390 = Platform.of("linux/s390x");
    private static final Instant FIRST = Instant.parse("2026-01-01T00:00:00Z");
    private static final Duration PARTIAL_AFTER = Duration.ofSeconds(20);
    private static final Instant EARLY = FIRST.plusSeconds(5);
    private static final Instant LATE = FIRST.plusSeconds(20);

    private static final AnswerWhen HINTED = new AnswerWhen.Hinted();
    private static final AnswerWhen ANY = new AnswerWhen.Any();
    private static final AnswerWhen ALL = new AnswerWhen.All();
    private static final AnswerWhen LISTED = new AnswerWhen.Listed(List.of(AMD, S390));

    /** amd64, arm64 and s390x as letters: New, Queued, Running, Built, Failed, and eXpired failure. */
    static Stream<Arguments> table() {
        return Stream.of(
                Arguments.of("the hinted platform is built", HINTED, AMD, "BRR", EARLY, "answer"),
                Arguments.of("the hinted platform is not built, others are", HINTED, ARM, "BRB", LATE, "wait"),
                Arguments.of("the hinted platform failed, others are built", HINTED, ARM, "BFB", EARLY, "failed arm64"),
                Arguments.of("another platform than the hinted failed", HINTED, AMD, "BFF", EARLY, "answer"),
                Arguments.of("another failed while the hinted is built", HINTED, AMD, "RFF", EARLY, "wait"),
                Arguments.of("no hint, all built", HINTED, null, "BBB", EARLY, "answer"),
                Arguments.of("no hint, default built, too early", HINTED, null, "BRR", EARLY, "wait until partial"),
                Arguments.of("no hint, default built, late", HINTED, null, "BRR", LATE, "answer"),
                Arguments.of("no hint, default missing, late", HINTED, null, "RBB", LATE, "wait"),
                Arguments.of("no hint, default failed", HINTED, null, "FBB", EARLY, "failed amd64"),
                Arguments.of("no hint, another failed, rest built", HINTED, null, "BFB", EARLY, "answer"),
                Arguments.of("a forgotten failure is waited for", HINTED, ARM, "BXB", EARLY, "wait"),
                Arguments.of("any: the first to finish", ANY, null, "RBR", EARLY, "answer"),
                Arguments.of("any: nothing finished", ANY, null, "RQR", LATE, "wait"),
                Arguments.of("any: default failed, another built", ANY, null, "FBR", EARLY, "answer"),
                Arguments.of("any: default failed, others run", ANY, null, "FRR", EARLY, "wait"),
                Arguments.of("any: everything failed", ANY, null, "FFF", EARLY, "failed amd64"),
                Arguments.of("any: with a hint, that one", ANY, ARM, "BRB", EARLY, "wait"),
                Arguments.of("all: one is missing", ALL, null, "BRB", LATE, "wait"),
                Arguments.of("all: with a hint, still all", ALL, AMD, "BRB", LATE, "wait"),
                Arguments.of("all: one failed", ALL, AMD, "BFR", EARLY, "failed arm64"),
                Arguments.of("all: every one is built", ALL, null, "BBB", EARLY, "answer"),
                Arguments.of("list: those are built", LISTED, null, "BRB", EARLY, "answer"),
                Arguments.of("list: and the hinted one", LISTED, ARM, "BRB", EARLY, "wait"),
                Arguments.of("list: one of them failed", LISTED, null, "BRF", EARLY, "failed s390x"),
                Arguments.of("list: another failed", LISTED, null, "BFB", EARLY, "answer"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("table")
    void decides(String what, AnswerWhen when, Platform hint, String phases, Instant now, String expected) {
        Decision decision =
                WaitPolicy.decide(config(when, Start.ALL), Optional.ofNullable(hint), statuses(phases), FIRST, now);

        assertThat(describe(decision)).as(what).isEqualTo(expected);
    }

    @Test
    void startsWhatTheConfigurationSays() {
        List<Platform> all = List.of(AMD, ARM, S390);
        assertThat(WaitPolicy.starts(config(HINTED, Start.ALL), all, Optional.of(ARM)))
                .containsExactlyInAnyOrderElementsOf(all);
        assertThat(WaitPolicy.starts(config(HINTED, Start.HINTED), all, Optional.of(ARM)))
                .isEqualTo(Set.of(ARM));
        assertThat(WaitPolicy.starts(config(HINTED, Start.HINTED), all, Optional.empty()))
                .isEqualTo(Set.of(AMD));
        assertThat(WaitPolicy.starts(config(ALL, Start.HINTED), all, Optional.of(ARM)))
                .isEqualTo(Set.copyOf(all));
        assertThat(WaitPolicy.starts(config(LISTED, Start.HINTED), all, Optional.of(ARM)))
                .isEqualTo(Set.copyOf(all));
        assertThat(WaitPolicy.starts(config(LISTED, Start.HINTED), all, Optional.empty()))
                .isEqualTo(Set.of(AMD, S390));
    }

    @Test
    void neitherStartsNorAwaitsAPlatformThatIsNoLongerConfigured() {
        Platform gone = Platform.of("linux/riscv64");
        Map<Platform, BuildStatus> statuses = statuses("BBB");
        statuses.put(gone, status(gone, 'R'));

        assertThat(WaitPolicy.starts(config(ALL, Start.ALL), List.copyOf(statuses.keySet()), Optional.empty()))
                .doesNotContain(gone);
        assertThat(describe(WaitPolicy.decide(config(ALL, Start.ALL), Optional.empty(), statuses, FIRST, EARLY)))
                .isEqualTo("answer");
    }

    @Test
    void withStartHintedAPullWithoutHintWaitsForWhatIsRequestedOnly() {
        assertThat(describe(WaitPolicy.decide(
                        config(HINTED, Start.HINTED), Optional.empty(), statuses("BNN"), FIRST, EARLY)))
                .isEqualTo("answer");
        assertThat(describe(WaitPolicy.decide(
                        config(HINTED, Start.HINTED), Optional.empty(), statuses("BRN"), FIRST, EARLY)))
                .isEqualTo("wait until partial");
    }

    /** Whatever the policy: an answer has something built, a failure is a remembered one, and progress never takes back. */
    @Test
    void holdsItsInvariantsForEveryCombination() {
        long seed = new Random().nextLong();
        Random random = new Random(seed);
        List<AnswerWhen> policies = List.of(HINTED, ANY, ALL, LISTED);
        for (int i = 0; i < 20_000; i++) {
            String phases = phases(random);
            RepositoryConfig config = config(
                    policies.get(random.nextInt(policies.size())), random.nextBoolean() ? Start.ALL : Start.HINTED);
            Optional<Platform> hint = random.nextBoolean()
                    ? Optional.empty()
                    : Optional.of(List.of(AMD, ARM, S390).get(random.nextInt(3)));
            Instant now = FIRST.plusSeconds(random.nextInt(40));
            String label = "seed " + seed + ": " + config.answerWhen() + " " + hint + " " + phases + " " + now;

            Map<Platform, BuildStatus> statuses = statuses(phases);
            Decision decision = WaitPolicy.decide(config, hint, statuses, FIRST, now);
            if (decision instanceof Decision.Answer) {
                assertThat(phases).as(label).contains("B");
                hint.ifPresent(
                        h -> assertThat(statuses.get(h).phase()).as(label).isEqualTo(Phase.BUILT));
                Map<Platform, BuildStatus> later =
                        statuses(phases.replace('R', 'B').replace('Q', 'B'));
                assertThat(describe(WaitPolicy.decide(config, hint, later, FIRST, now)))
                        .as(label + ", later")
                        .isEqualTo("answer");
            } else if (decision instanceof Decision.GiveUp gaveUp) {
                assertThat(statuses.get(gaveUp.platform()).phase()).as(label).isEqualTo(Phase.FAILED);
                hint.filter(h -> config.answerWhen() instanceof AnswerWhen.Hinted)
                        .ifPresent(h -> assertThat(gaveUp.platform()).as(label).isEqualTo(h));
            } else {
                assertThat(phases).as(label).containsAnyOf("N", "Q", "R", "X");
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "all, '', BRN, linux/arm64/v8 linux/s390x",
        "all, linux/amd64, BRF, linux/arm64/v8",
        "hinted, linux/arm64, BRR, linux/arm64/v8",
        "hinted, '', BNB, linux/arm64/v8",
        "hinted, '', BBB, ''"
    })
    void whatIsStillWaitedForIsNeverWhatIsBuiltOrFailed(String when, String hint, String phases, String unsettled) {
        assertThat(WaitPolicy.unsettled(
                                config(when.equals("all") ? ALL : HINTED, Start.ALL),
                                Platform.parse(hint),
                                statuses(phases),
                                EARLY)
                        .stream()
                        .map(Platform::toString)
                        .collect(Collectors.joining(" ")))
                .isEqualTo(unsettled);
    }

    private static String phases(Random random) {
        StringBuilder phases = new StringBuilder();
        for (int i = 0; i < 3; i++) {
            phases.append("NQRBFX".charAt(random.nextInt(6)));
        }
        return phases.toString();
    }

    private static String describe(Decision decision) {
        if (decision instanceof Decision.GiveUp gaveUp) {
            return "failed " + gaveUp.platform().architecture();
        }
        if (decision instanceof Decision.KeepWaiting waiting) {
            return waiting.reconsiderAt().isPresent() ? "wait until partial" : "wait";
        }
        return "answer";
    }

    private static Map<Platform, BuildStatus> statuses(String phases) {
        Map<Platform, BuildStatus> statuses = new LinkedHashMap<>();
        List<Platform> platforms = List.of(AMD, ARM, S390);
        for (int i = 0; i < platforms.size(); i++) {
            statuses.put(platforms.get(i), status(platforms.get(i), phases.charAt(i)));
        }
        return statuses;
    }

    private static BuildStatus status(Platform platform, char phase) {
        BuildKey key = new BuildKey(new RepositoryName("team/app"), new Revision("a".repeat(40)), platform);
        Optional<Descriptor> manifest = phase == 'B'
                ? Optional.of(new Descriptor(
                        MediaTypes.OCI_MANIFEST,
                        Digest.sha256(platform.toString().getBytes(StandardCharsets.UTF_8)),
                        5))
                : Optional.empty();
        Optional<BuildFailure> failure = phase == 'F' || phase == 'X'
                ? Optional.of(new BuildFailure(
                        FailureClass.SOURCE,
                        "exit 1",
                        FIRST,
                        Optional.of(phase == 'X' ? FIRST : FIRST.plusSeconds(3600))))
                : Optional.empty();
        Phase is = Map.of(
                        'N',
                        Phase.NEW,
                        'Q',
                        Phase.QUEUED,
                        'R',
                        Phase.RUNNING,
                        'B',
                        Phase.BUILT,
                        'F',
                        Phase.FAILED,
                        'X',
                        Phase.FAILED)
                .get(phase);
        return new BuildStatus(
                key,
                is,
                1,
                1,
                Optional.of(FIRST),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                manifest,
                failure);
    }

    private static RepositoryConfig config(AnswerWhen when, Start start) {
        return new RepositoryConfig(
                new NamePattern("team/**"),
                Optional.of(new RepositoryConfig.GitSourceConfig(
                        "/srv/git/{name}",
                        new ArrayList<>(List.of("refs/heads/*")),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(20),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty())),
                List.of(AMD, ARM, S390),
                Optional.of(AMD),
                Optional.of("make"),
                start,
                when,
                PARTIAL_AFTER,
                Duration.ofSeconds(25),
                Duration.ofSeconds(250),
                Plans.plans(Duration.ofSeconds(25), Duration.ofSeconds(250)),
                new RepositoryConfig.Build(
                        Duration.ofMinutes(30), 3, Duration.ofHours(1), Duration.ofSeconds(5), 1 << 30, 1 << 20),
                false);
    }
}
