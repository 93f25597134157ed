package dev.kiln.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlatformTest {
    @ParameterizedTest
    @CsvSource({
        "linux/amd64, linux/amd64",
        "linux/x86_64, linux/amd64",
        "Linux/AMD64, linux/amd64",
        "linux/amd64/v1, linux/amd64",
        "linux/amd64/v3, linux/amd64/v3",
        "linux/arm64, linux/arm64/v8",
        "linux/arm64/v8, linux/arm64/v8",
        "linux/aarch64, linux/arm64/v8",
        "linux/arm64/8, linux/arm64/v8",
        "linux/arm, linux/arm/v7",
        "linux/arm/7, linux/arm/v7",
        "linux/arm/v6, linux/arm/v6",
        "linux/armhf, linux/arm/v7",
        "linux/armel, linux/arm/v6",
        "linux/i386, linux/386",
        "macos/arm64, darwin/arm64/v8"
    })
    void hasOneNormalForm(String text, String normal) {
        assertThat(Platform.parse(text)).map(Platform::toString).contains(normal);
        assertThat(Platform.of(normal)).isEqualTo(Platform.of(text));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "linux",
                "linux/",
                "/amd64",
                "linux//v8",
                "linux/arm64/",
                "linux/arm64/v8/x",
                "linux/../etc",
                "linux/amd 64",
                "linux/amd64\n",
                "linux/amd64;rm",
                "línux/amd64"
            })
    void refusesWhatIsNoPlatform(String text) {
        assertThat(Platform.parse(text)).isEmpty();
        assertThatThrownBy(() -> Platform.of(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void boundsItsLength() {
        assertThat(Platform.parse("linux/" + "a".repeat(33))).isEmpty();
        assertThat(Platform.parse("l".repeat(1_000_000) + "/a")).isEmpty();
    }
}
