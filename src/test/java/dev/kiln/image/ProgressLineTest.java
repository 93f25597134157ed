package dev.kiln.image;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.build.BuildTimes;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProgressLineTest {
    private static final Instant NOW = Instant.parse("2026-11-23T10:00:00Z");
    private static final Platform AMD = Platform.of("linux/amd64");
    private static final Platform ARM = Platform.of("linux/arm64");
    private static final BuildTimes USUAL = new BuildTimes(Duration.ofMinutes(1), Duration.ofMinutes(6));

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    RUNNING | 150   | linux/arm64/v8 building for 2 min, ETA 3 min
                    RUNNING | 5     | linux/arm64/v8 building for 5 s, ETA 5 min
                    RUNNING | 300   | linux/arm64/v8 building for 5 min, ETA 60 s
                    RUNNING | 400   | linux/arm64/v8 building for 6 min, overdue
                    RUNNING | 90000 | linux/arm64/v8 building for 25 h, overdue
                    QUEUED  | 20    | linux/arm64/v8 queued for 20 s, ETA 6 min
                    QUEUED  | 100   | linux/arm64/v8 queued for 100 s, ETA over 6 min
                    FAILED  | 7     | linux/arm64/v8 failed
                    """)
    void aPlatformIsToldWithItsEta(Phase phase, int since, String line) {
        assertThat(ProgressLine.of(Map.of(ARM, status(ARM, phase, since)), ARM, Map.of(ARM, USUAL), NOW))
                .isEqualTo(line);
    }

    @Test
    void anUnknownEtaIsSaidToBeUnknown() {
        assertThat(ProgressLine.of(Map.of(ARM, status(ARM, Phase.RUNNING, 9)), ARM, Map.of(AMD, USUAL), NOW))
                .isEqualTo("linux/arm64/v8 building for 9 s, ETA unknown");
    }

    @Test
    void thePlaceInTheQueueIsTold() {
        BuildStatus queued = new BuildStatus(
                BuildKey.of("team/app@" + "0".repeat(40) + "@" + ARM),
                Phase.QUEUED,
                1,
                0,
                Optional.of(NOW.minusSeconds(9)),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.of(4));
        assertThat(ProgressLine.of(Map.of(ARM, queued), ARM, Map.of(), NOW))
                .isEqualTo("linux/arm64/v8 queued for 9 s, place 4, ETA unknown");
    }

    @Test
    void whatIsAwaitedStandsFirstAndWhatIsDoneNowhere() {
        Map<Platform, BuildStatus> statuses = new LinkedHashMap<>();
        statuses.put(AMD, status(AMD, Phase.QUEUED, 1));
        statuses.put(Platform.of("linux/s390x"), status(AMD, Phase.BUILT, 1));
        statuses.put(Platform.of("linux/riscv64"), status(AMD, Phase.NEW, 1));
        statuses.put(ARM, status(ARM, Phase.RUNNING, 9));
        assertThat(ProgressLine.of(statuses, ARM, Map.of(), NOW))
                .isEqualTo("linux/arm64/v8 building for 9 s, ETA unknown; linux/amd64 queued for 1 s, ETA unknown");
        assertThat(ProgressLine.of(statuses, AMD, Map.of(), NOW)).startsWith("linux/amd64 queued");
        assertThat(ProgressLine.of(Map.of(), AMD, Map.of(), NOW)).isEqualTo("building");
    }

    @Test
    void whatIsAwaitedIsToldBeforeItsBuildSaysAnything() {
        Map<Platform, BuildStatus> statuses = new LinkedHashMap<>();
        statuses.put(AMD, status(AMD, Phase.RUNNING, 9));
        statuses.put(ARM, status(ARM, Phase.NEW, 1));
        assertThat(ProgressLine.of(statuses, ARM, Map.of(), NOW))
                .isEqualTo("linux/arm64/v8 queued; linux/amd64 building for 9 s, ETA unknown");
    }

    @Test
    void manyPlatformsStillMakeOneShortLine() {
        Map<Platform, BuildStatus> statuses = new LinkedHashMap<>();
        for (int i = 0; i < 30; i++) {
            Platform platform = Platform.of("linux/architecture-number-" + i + "/a-variant-of-it");
            statuses.put(platform, status(platform, Phase.RUNNING, 1000));
        }
        String line =
                ProgressLine.of(statuses, Platform.of("linux/architecture-number-7/a-variant-of-it"), Map.of(), NOW);
        assertThat(line)
                .startsWith("linux/architecture-number-7/a-variant-of-it building for 16 min, ETA unknown; ")
                .endsWith("more")
                .hasSizeLessThanOrEqualTo(180)
                .matches("[ -~]+");
    }

    private static BuildStatus status(Platform platform, Phase phase, int since) {
        Optional<Instant> at = Optional.of(NOW.minusSeconds(since)).filter(t -> phase != Phase.NEW);
        return new BuildStatus(
                BuildKey.of("team/app@" + "0".repeat(40) + "@" + platform),
                phase,
                1,
                1,
                at,
                at.filter(t -> phase == Phase.RUNNING),
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }
}
