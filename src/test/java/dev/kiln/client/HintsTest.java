package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Platform;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HintsTest {
    private static final List<Platform> PLATFORMS = platforms("linux/amd64", "linux/arm64/v8", "linux/arm/v6");
    private static final String DOCKER = "docker/29.7.2 go/go1.26.3 git-commit/abc1234 kernel/6.8.0-41-generic os/linux"
            + " arch/arm64 containerd-client/2.3.3+unknown storage-driver/overlayfs"
            + " UpstreamClient(Docker-Client/29.7.2 \\(linux\\))";

    @Test
    void saysNothingWhenNothingIsSaid() {
        assertThat(accepted(List.of(), List.of(), "containerd/2.1.4")).isEmpty();
        assertThat(Hints.read(List.of(), List.of(), Optional.empty(), PLATFORMS))
                .isEqualTo(new Hints.Reading.Accepted(Optional.empty()));
    }

    @Test
    void theParameterBeatsTheHeaderAndTheHeaderTheUserAgent() {
        assertThat(accepted(List.of("linux/amd64"), List.of("linux/arm/v6"), DOCKER))
                .contains(new Hint(Platform.of("linux/amd64"), true, "?platform="));
        assertThat(accepted(List.of(), List.of("linux/arm/v6"), DOCKER))
                .contains(new Hint(Platform.of("linux/arm/v6"), true, "X-Build-Platform"));
        assertThat(accepted(List.of(), List.of(), DOCKER))
                .contains(new Hint(Platform.of("linux/arm64/v8"), false, "User-Agent"));
    }

    @Test
    void whatABetterChannelSaysLeavesTheOthersUnread() {
        assertThat(accepted(List.of("linux/amd64"), List.of("nonsense"), "")).isPresent();
    }

    @ParameterizedTest
    @CsvSource({
        "linux/x86_64, linux/amd64",
        "LINUX/ARM64, linux/arm64/v8",
        "linux/aarch64, linux/arm64/v8",
        "' linux/arm64 ', linux/arm64/v8",
        "linux/arm/6, linux/arm/v6"
    })
    void readsEveryNameOfAPlatform(String said, String meant) {
        assertThat(accepted(List.of(), List.of(said), "").orElseThrow().platform())
                .hasToString(meant);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "linux",
                "linux/",
                "linux/amd64/",
                "linux/amd64/v1/x",
                "linux/amd64,linux/arm64",
                "linux/../etc",
                "linux/riscv64",
                "windows/amd64",
                "linux/amd64/v3",
                "linux/arm",
                "*"
            })
    void refusesAnExplicitHintThatNamesNothingHereAndListsWhatThereIs(String said) {
        assertThat(refused(List.of(said), List.of()))
                .contains("?platform=", "linux/amd64, linux/arm64/v8, linux/arm/v6");
        assertThat(refused(List.of(), List.of(said))).contains("X-Build-Platform");
    }

    @Test
    void refusesContradictionsButNotRepetitions() {
        assertThat(refused(List.of("linux/amd64", "linux/arm64"), List.of())).contains("2 platforms");
        assertThat(accepted(List.of("linux/arm64", "linux/arm64/v8"), List.of(), ""))
                .isPresent();
    }

    @Test
    void neverRepeatsMuchOfWhatWasSent() {
        assertThat(refused(List.of("x".repeat(10_000)), List.of()).length()).isLessThan(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "docker/29 go/go1 os/plan9 arch/amd64",
                "docker/29 os/linux",
                "docker/29 arch/amd64",
                "docker/29 os/ arch/",
                "docker/29 os/linux arch/amd64/v3",
                "docker/29 os/linux arch/../..",
                "docker/29 os/linux arch/s390x",
                "Mozilla/5.0 os/linux arch/amd64",
                "docker/29 UpstreamClient(x os/linux arch/amd64)",
                "docker/",
                ""
            })
    void aUserAgentThatNamesNothingHereIsNoHint(String userAgent) {
        assertThat(accepted(List.of(), List.of(), userAgent)).isEmpty();
    }

    @Test
    void anEnginesArmMeansTheOnlyVariantThereIs() {
        String arm = "docker/29 os/linux arch/arm";
        assertThat(accepted(List.of(), List.of(), arm).orElseThrow().platform()).hasToString("linux/arm/v6");
        assertThat(Hints.read(List.of(), List.of(), Optional.of(arm), platforms("linux/arm/v6", "linux/arm/v7")))
                .isEqualTo(new Hints.Reading.Accepted(Optional.empty()));
    }

    private static Optional<Hint> accepted(List<String> parameters, List<String> headers, String userAgent) {
        Hints.Reading reading = Hints.read(parameters, headers, Optional.of(userAgent), PLATFORMS);
        assertThat(reading).isInstanceOf(Hints.Reading.Accepted.class);
        return ((Hints.Reading.Accepted) reading).hint();
    }

    private static String refused(List<String> parameters, List<String> headers) {
        Hints.Reading reading = Hints.read(parameters, headers, Optional.of(DOCKER), PLATFORMS);
        assertThat(reading).isInstanceOf(Hints.Reading.Refused.class);
        return ((Hints.Reading.Refused) reading).message();
    }

    private static List<Platform> platforms(String... texts) {
        return Stream.of(texts).map(Platform::of).toList();
    }
}
