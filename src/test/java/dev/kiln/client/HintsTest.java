package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.Hints.Asked;
import dev.kiln.client.Hints.Reading;
import dev.kiln.client.Hints.Said;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Tag;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class HintsTest {
    private static final List<Platform> PLATFORMS = Stream.of("linux/amd64", "linux/arm64/v8", "linux/arm/v6")
            .map(Platform::of)
            .toList();
    private static final Optional<Asked> NONE = Optional.empty();
    private static final String DOCKER = "docker/29.7.2 go/go1.26.3 git-commit/abc1234 kernel/6.8.0-41-generic os/linux"
            + " arch/arm64 containerd-client/2.3.3+unknown storage-driver/overlayfs"
            + " UpstreamClient(Docker-Client/29.7.2 \\(linux\\))";

    private static final Said NOTHING = new Said(
            new Tag("v1.2.3"),
            Optional.empty(),
            Optional.empty(),
            List.of(),
            List.of(),
            List.of(),
            Optional.empty(),
            Optional.empty());

    @Test
    void saysNothingWhenNothingIsSaid() {
        assertThat(read(NOTHING)).isEqualTo(new Reading.Accepted(new Asked(NOTHING.tag(), Optional.empty()), NONE));
        assertThat(accepted(agent("containerd/2.1.4")).hint()).isEmpty();
    }

    /** Each row has one channel less than the one before, and each channel names another platform than the next. */
    static Stream<Arguments> precedence() {
        Said all = new Said(
                new Tag("v1.2.3_linux-arm64"),
                platform("linux/amd64"),
                platform("linux/arm/v6"),
                List.of("linux/arm64"),
                List.of("linux/amd64"),
                List.of("linux/amd64"),
                Optional.of(new UsernameHint(Platform.of("linux/arm/v6"), List.of("sse4"))),
                Optional.of(DOCKER));
        Said untagged = tag(all, "v1.2.3");
        Said unpathed = path(untagged, Optional.empty());
        Said unhosted = host(unpathed, Optional.empty());
        Said unasked = parameters(unhosted);
        Said unheaded = headers(unasked, List.of(), all.metaHeaders());
        Said unmetaed = headers(unheaded, List.of(), List.of());
        Said unnamed = username(unmetaed, Optional.empty());
        return Stream.of(
                Arguments.of(all, "linux/arm64/v8 by tag suffix"),
                Arguments.of(untagged, "linux/amd64 by path"),
                Arguments.of(unpathed, "linux/arm/v6 by host name"),
                Arguments.of(unhosted, "linux/arm64/v8 by ?platform="),
                Arguments.of(unasked, "linux/amd64 by X-Build-Platform"),
                Arguments.of(unheaded, "linux/amd64 by X-Meta-Build-Platform"),
                Arguments.of(unmetaed, "linux/arm/v6 by username"),
                Arguments.of(unnamed, "linux/arm64/v8 by User-Agent"));
    }

    @ParameterizedTest
    @MethodSource("precedence")
    void theMoreSpecificChannelDecides(Said said, String winner) {
        Asked asked = accepted(said);
        assertThat(asked.hint()).get().hasToString(winner);
        assertThat(asked.hint().orElseThrow().explicit()).isEqualTo(!winner.endsWith("User-Agent"));
        assertThat(asked.tag()).isEqualTo(NOTHING.tag());
    }

    @Test
    void whatABetterChannelSaysLeavesTheOthersUnread() {
        Said nonsense = headers(parameters(NOTHING, "nonsense"), List.of("nonsense"), List.of("nonsense"));
        assertThat(accepted(path(nonsense, platform("linux/amd64"))).hint()).isPresent();
        assertThat(accepted(headers(parameters(NOTHING, "linux/amd64"), List.of("nonsense"), List.of()))
                        .hint())
                .isPresent();
    }

    @ParameterizedTest
    @CsvSource({
        "linux/x86_64, linux/amd64",
        "LINUX/ARM64, linux/arm64/v8",
        "linux/aarch64, linux/arm64/v8",
        "' linux/arm64 ', linux/arm64/v8",
        "linux/arm/6, linux/arm/v6"
    })
    void readsEveryNameOfAPlatform(String text, String meant) {
        assertThat(accepted(parameters(NOTHING, text)).hint().orElseThrow().platform())
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
    void refusesAnExplicitHintThatNamesNothingHereAndListsWhatThereIs(String text) {
        String choices = "choose from linux/amd64, linux/arm64/v8, linux/arm/v6";
        assertThat(refused(parameters(NOTHING, text)))
                .startsWith("?platform= says")
                .contains(choices);
        assertThat(refused(headers(NOTHING, List.of(text), List.of())))
                .startsWith("X-Build-Platform says")
                .contains(choices);
        assertThat(refused(headers(NOTHING, List.of(), List.of(text))))
                .startsWith("X-Meta-Build-Platform says")
                .contains(choices);
    }

    @Test
    void refusesAnUnknownPlatformOfAName() {
        assertThat(refused(path(NOTHING, platform("linux/s390x")))).startsWith("path says linux/s390x, which is not");
        assertThat(refused(host(NOTHING, platform("linux/s390x")))).startsWith("host name says linux/s390x");
        assertThat(refused(username(
                        NOTHING, Optional.of(new UsernameHint(Platform.of("linux/s390x"), List.of("secret"))))))
                .startsWith("username says linux/s390x, which is not")
                .doesNotContain("secret");
    }

    @Test
    void refusesContradictionsOfOneChannelButNotRepetitions() {
        assertThat(refused(parameters(NOTHING, "linux/amd64", "linux/arm64"))).contains("2 platforms");
        assertThat(refused(headers(NOTHING, List.of("linux/amd64"), List.of("linux/arm64"))))
                .contains("2 platforms");
        assertThat(accepted(parameters(NOTHING, "linux/arm64", "linux/arm64/v8"))
                        .hint())
                .isPresent();
        assertThat(accepted(headers(NOTHING, List.of("linux/arm64"), List.of("linux/arm64/v8")))
                        .hint())
                .get()
                .hasToString("linux/arm64/v8 by X-Build-Platform");
    }

    @Test
    void neverRepeatsMuchOfWhatWasSent() {
        assertThat(refused(parameters(NOTHING, "x".repeat(10_000))).length()).isLessThan(200);
    }

    @ParameterizedTest
    @CsvSource({
        "v1_linux-amd64, v1, linux/amd64",
        "v1_linux-arm64, v1, linux/arm64/v8",
        "v1_linux-arm64-v8, v1, linux/arm64/v8",
        "v1_linux-arm-v6, v1, linux/arm/v6",
        "v1_linux-aarch64, v1, linux/arm64/v8",
        "a_b_linux-amd64, a_b, linux/amd64",
        "v1__linux-amd64, v1_, linux/amd64",
    })
    void anUnderscoreAndAPlatformAreASuffixAlways(String tag, String rest, String platform) {
        assertThat(read(tag(NOTHING, tag)))
                .isEqualTo(new Reading.Accepted(
                        new Asked(new Tag(rest), Optional.of(new Hint(Platform.of(platform), true, "tag suffix"))),
                        NONE));
    }

    @ParameterizedTest
    @CsvSource({
        "v1-linux-amd64, v1, linux/amd64",
        "v1.2.3-rc1-linux-arm64, v1.2.3-rc1, linux/arm64/v8",
        "v1-linux-arm-v6, v1, linux/arm/v6",
        "v1-linux-linux-amd64, v1-linux, linux/amd64",
        "v1_linux-s390x-linux-amd64, v1_linux-s390x, linux/amd64",
    })
    void aDashAndAPlatformAreASuffixOnlyWhereThereIsNoSuchTag(String tag, String rest, String platform) {
        Hint suffix = new Hint(Platform.of(platform), true, "tag suffix");
        Said said = path(tag(NOTHING, tag), platform("linux/amd64"));
        assertThat(read(said))
                .isEqualTo(new Reading.Accepted(
                        new Asked(new Tag(tag), Optional.of(new Hint(Platform.of("linux/amd64"), true, "path"))),
                        Optional.of(new Asked(new Tag(rest), Optional.of(suffix)))));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "v1_linux-s390x",
                "v1_linux-arm",
                "v1_linux",
                "v1_linux-",
                "v1_Linux-amd64",
                "v1_linux-amd64-v3",
                "v1_linux-amd64-v1-x",
                "v1_linux_amd64",
                "v1-linux-s390x",
                "v1-linux",
                "linux-amd64",
                "_linux-amd64",
                "v1-my-app",
                "v1.linux-amd64",
                "v1linux-amd64",
                "v1--amd64",
                "v1",
            })
    void anyOtherEndingIsPartOfTheTag(String text) {
        assertThat(read(tag(NOTHING, text)))
                .isEqualTo(new Reading.Accepted(new Asked(new Tag(text), Optional.empty()), NONE));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            docker/29.7.2 go/go1.26.3 os/linux arch/arm64 UpstreamClient(Docker-Client/29 os/linux arch/amd64) | linux/arm64/v8
            cri-o/1.30.1 go/go1.22.0 os/linux arch/arm64                                                       | linux/arm64/v8
            Apptainer/1.3.1 (Linux amd64) Go/1.21.9                                                            | linux/amd64
            cosign/v3.1.2 (linux; amd64) go-containerregistry/v0.21.0                                          | linux/amd64
            docker/29 os/linux arch/arm                                                                        | linux/arm/v6
            cosign/v3.1.2 (linux; arm)                                                                         | linux/arm/v6
            """)
    void someUserAgentsTell(String userAgent, String platform) {
        assertThat(accepted(agent(userAgent)).hint()).contains(new Hint(Platform.of(platform), false, "User-Agent"));
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
                "cri-o/1.30",
                "cri-o/1 os/linux arch/s390x",
                "Apptainer/1.3.1",
                "Apptainer/1.3.1 (Linux",
                "Apptainer/1.3.1 (Linux amd64 x)",
                "Apptainer/1.3.1 (Linux)",
                "cosign/v3 ()",
                "cosign/v3 (; )",
                "cosign/v3 (linux amd64)",
                "cosign/v3 )linux; amd64(",
                "Mozilla/5.0 (Linux amd64)",
                "containers/5.41 (github.com/containers/image)",
                ""
            })
    void aUserAgentThatNamesNothingHereIsNoHint(String userAgent) {
        assertThat(accepted(agent(userAgent)).hint()).isEmpty();
    }

    @Test
    void anArmMeansTheOnlyVariantThereIs() {
        List<Platform> two = List.of(Platform.of("linux/arm/v6"), Platform.of("linux/arm/v7"));
        assertThat(((Reading.Accepted) Hints.read(agent("docker/29 os/linux arch/arm"), two))
                        .asked()
                        .hint())
                .isEmpty();
    }

    private static Reading read(Said said) {
        return Hints.read(said, PLATFORMS);
    }

    private static Asked accepted(Said said) {
        assertThat(read(said)).isInstanceOf(Reading.Accepted.class);
        return ((Reading.Accepted) read(said)).asked();
    }

    private static String refused(Said said) {
        assertThat(read(said)).isInstanceOf(Reading.Refused.class);
        return ((Reading.Refused) read(said)).message();
    }

    private static Optional<Platform> platform(String text) {
        return Optional.of(Platform.of(text));
    }

    private static Said tag(Said s, String tag) {
        return new Said(
                new Tag(tag),
                s.path(),
                s.host(),
                s.parameters(),
                s.headers(),
                s.metaHeaders(),
                s.username(),
                s.userAgent());
    }

    private static Said path(Said s, Optional<Platform> path) {
        return new Said(
                s.tag(), path, s.host(), s.parameters(), s.headers(), s.metaHeaders(), s.username(), s.userAgent());
    }

    private static Said host(Said s, Optional<Platform> host) {
        return new Said(
                s.tag(), s.path(), host, s.parameters(), s.headers(), s.metaHeaders(), s.username(), s.userAgent());
    }

    private static Said parameters(Said s, String... parameters) {
        return new Said(
                s.tag(),
                s.path(),
                s.host(),
                List.of(parameters),
                s.headers(),
                s.metaHeaders(),
                s.username(),
                s.userAgent());
    }

    private static Said headers(Said s, List<String> headers, List<String> metaHeaders) {
        return new Said(s.tag(), s.path(), s.host(), s.parameters(), headers, metaHeaders, s.username(), s.userAgent());
    }

    private static Said username(Said s, Optional<UsernameHint> username) {
        return new Said(
                s.tag(), s.path(), s.host(), s.parameters(), s.headers(), s.metaHeaders(), username, s.userAgent());
    }

    private static Said agent(String userAgent) {
        Said s = NOTHING;
        return new Said(
                s.tag(),
                s.path(),
                s.host(),
                s.parameters(),
                s.headers(),
                s.metaHeaders(),
                s.username(),
                Optional.of(userAgent));
    }

    private static final List<Platform> FLAVOURED = Stream.of(
                    "linux/amd64",
                    "linux/amd64+sse4",
                    "linux/amd64+avx2+sse4",
                    "linux/arm64",
                    "linux/arm64+sve",
                    "windows/amd64:10.0.17763",
                    "windows/amd64:10.0.20348")
            .map(Platform::of)
            .toList();

    private static String flavour(Said said) {
        Reading reading = Hints.read(said, FLAVOURED);
        return reading instanceof Reading.Accepted accepted
                ? accepted.asked().tag()
                        + accepted.asked().hint().map(hint -> " " + hint).orElse("")
                : ((Reading.Refused) reading).message();
    }

    @Test
    void everyChannelCanAskForAFlavour() {
        String flavour = "v1.2.3 linux/amd64+sse4 by ";
        assertThat(flavour(tag(NOTHING, "v1.2.3_linux-amd64-sse4"))).isEqualTo(flavour + "tag suffix");
        assertThat(flavour(path(NOTHING, PlatformName.parse("linux-amd64-sse4"))))
                .isEqualTo(flavour + "path");
        assertThat(flavour(host(NOTHING, PlatformName.ofHost("linux-amd64-sse4.reg.example.com", "reg.example.com"))))
                .isEqualTo(flavour + "host name");
        assertThat(flavour(parameters(NOTHING, "linux/amd64+sse4"))).isEqualTo(flavour + "?platform=");
        assertThat(flavour(headers(NOTHING, List.of("linux/amd64+SSE4"), List.of())))
                .isEqualTo(flavour + "X-Build-Platform");
        assertThat(flavour(user("linux+amd64+sse4"))).isEqualTo(flavour + "username");
        assertThat(flavour(user("linux+arm64+v8+sve"))).isEqualTo("v1.2.3 linux/arm64/v8+sve by username");
        assertThat(flavour(tag(NOTHING, "v1.2.3_windows-amd64-10.0.20348")))
                .isEqualTo("v1.2.3 windows/amd64:10.0.20348 by tag suffix");
        assertThat(Hints.read(tag(NOTHING, "v1.2.3-linux-amd64-sse4-avx2"), FLAVOURED))
                .isEqualTo(new Reading.Accepted(
                        new Asked(new Tag("v1.2.3-linux-amd64-sse4-avx2"), Optional.empty()),
                        Optional.of(new Asked(
                                NOTHING.tag(),
                                Optional.of(new Hint(Platform.of("linux/amd64+avx2+sse4"), true, "tag suffix"))))));
    }

    @Test
    void aFlavourThatIsNotBuiltIsRefusedAndThoseThereAreAreListed() {
        for (Said said : List.of(
                path(NOTHING, PlatformName.parse("linux-amd64-mmx")),
                parameters(NOTHING, "linux/amd64+mmx"),
                headers(NOTHING, List.of(), List.of("linux/amd64+sse4+mmx")),
                user("linux+amd64+mmx"),
                user("linux+arm64+v8+sve+mmx"))) {
            assertThat(flavour(said)).contains("which is not built here").contains("linux/amd64+sse4, ");
        }
        assertThat(flavour(tag(NOTHING, "v1_linux-amd64-mmx")))
                .as("an ending that is no platform here is part of the tag")
                .isEqualTo("v1_linux-amd64-mmx");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            {"os":"linux","architecture":"amd64"}                                        | linux/amd64
            {"os":"linux","architecture":"amd64","features":["sse4"]}                    | linux/amd64+sse4
            {"os":"linux","architecture":"amd64","features":["mmx","sse4","avx2"]}       | linux/amd64+avx2+sse4
            {"os":"linux","architecture":"amd64","features":["avx2"]}                    | linux/amd64
            {"os":"linux","architecture":"amd64","os.version":"6.1","features":["sse4"]} | linux/amd64+sse4
            {"os":"linux","architecture":"arm64","variant":"v8","features":["neon"]}     | linux/arm64/v8
            {"os":"windows","architecture":"amd64","os.version":"10.0.20348.587"}        | windows/amd64:10.0.20348
            """)
    void ofAMachineThatIsDescribedTheMostDemandingPlatformThatRunsThere(String document, String platform) {
        assertThat(flavour(user(document))).isEqualTo("v1.2.3 " + platform + " by username");
    }

    @Test
    void aUserAgentNeverSuggestsAFlavour() {
        assertThat(Hints.read(agent("docker/20.10.24 os/linux arch/arm"), List.of(Platform.of("linux/arm/v7+neon"))))
                .isEqualTo(new Reading.Accepted(new Asked(NOTHING.tag(), Optional.empty()), NONE));
    }

    private static Said user(String credentials) {
        return username(NOTHING, ((Usernames.Reading.Accepted) Usernames.read(credentials)).hint());
    }
}
