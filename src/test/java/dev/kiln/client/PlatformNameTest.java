package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Platform;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlatformNameTest {
    @ParameterizedTest
    @CsvSource({
        "linux-amd64, linux/amd64",
        "linux-arm64, linux/arm64/v8",
        "linux-arm-v7, linux/arm/v7",
        "linux-aarch64, linux/arm64/v8",
        "windows-amd64, windows/amd64",
        "windows-amd64-10.0.17763, windows/amd64:10.0.17763",
        "linux-arm64-v8-sve, linux/arm64/v8+sve",
        "linux-amd64-v1-x, linux/amd64+x",
        "linux-amd64-v3-sse4-avx2, linux/amd64/v3+avx2+sse4",
        "windows-amd64-v2-10.0.17763-win32k, windows/amd64/v2:10.0.17763+win32k"
    })
    void readsWordsWithDashes(String name, String platform) {
        assertThat(PlatformName.parse(name)).get().hasToString(platform);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-",
                "linux",
                "linux-",
                "-linux",
                "linux--amd64",
                "linux-amd64-",
                "linux-amd64-10.0.1-10.0.2",
                "linux-amd64-1.",
                "linux-amd64-v8-a-b-c-d-e-f-g-h-i",
                "linux/amd64",
                "Linux-amd64",
                "linux-amd_64",
                "linux-amd.64",
                "linux-aaaaaaaaaaaaaaaaa",
                "eu-west",
                "my-app",
                "linux -amd64",
                "linux-amd64\n",
                "linux-ämd64"
            })
    void readsNothingElse(String text) {
        assertThat(PlatformName.parse(text)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "linux-amd64, linux/amd64",
        "linux-amd64-sse4, linux/amd64+sse4",
        "linux-amd64-v3, linux/amd64/v3",
        "linux-arm64-sve, linux/arm64/v8+sve",
        "linux-arm64-v8-sve, linux/arm64/v8+sve"
    })
    void aThirdWordThatIsNoVariantHereIsAFeature(String name, String platform) {
        List<Platform> platforms = Stream.of(
                        "linux/amd64", "linux/amd64/v3", "linux/amd64+v3", "linux/amd64+sse4", "linux/arm64+sve")
                .map(Platform::of)
                .toList();
        assertThat(PlatformName.parse(name).flatMap(named -> PlatformName.among(platforms, named)))
                .get()
                .hasToString(platform);
        assertThat(PlatformName.among(platforms, Platform.of("linux/amd64/v4"))).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "linux-arm64.reg.example.com, linux/arm64/v8",
        "linux-arm64.reg.example.com:5000, linux/arm64/v8",
        "LINUX-ARM64.Reg.Example.Com, linux/arm64/v8",
        "linux-arm-v7.reg.example.com, linux/arm/v7",
        "linux-amd64-v2-sse4.reg.example.com, linux/amd64/v2+sse4"
    })
    void readsTheFirstLabelOfAHostName(String host, String platform) {
        assertThat(PlatformName.ofHost(host, "reg.example.com")).get().hasToString(platform);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                ":",
                "reg.example.com",
                "www.reg.example.com",
                "eu-west.reg.example.com",
                "linux-arm64.example.com",
                "linux-arm64.evil.com",
                "linux-arm64.reg.example.com.evil.com",
                "x.linux-arm64.reg.example.com",
                "linux-arm64reg.example.com",
                "linux-arm64:80.reg.example.com",
                "linux-arm64",
                "[::1]:80"
            })
    void readsNoOtherHostName(String host) {
        assertThat(PlatformName.ofHost(host, "reg.example.com")).isEmpty();
    }
}
