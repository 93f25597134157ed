package dev.kiln.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
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
        "macos/arm64, darwin/arm64/v8",
        "linux/amd64+sse4, linux/amd64+sse4",
        "linux/amd64+sse4+AVX2+sse4, linux/amd64+avx2+sse4",
        "linux/arm64+sve, linux/arm64/v8+sve",
        "windows/amd64:10.0.17763, windows/amd64:10.0.17763",
        "windows/x86_64/v2:10.0+win32k, windows/amd64/v2:10.0+win32k"
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
                "línux/amd64",
                "linux/amd64+",
                "linux/amd64++sse4",
                "linux/amd64+sse4/x",
                "linux/amd64+a+b+c+d+e+f+g+h+i",
                "linux/amd64+sse4:1.0",
                "linux/amd64:",
                "linux/amd64:10",
                "linux/amd64:1.x",
                "linux/amd64:1.0:1.0",
                "linux+x/amd64"
            })
    void refusesWhatIsNoPlatform(String text) {
        assertThat(Platform.parse(text)).isEmpty();
        assertThatThrownBy(() -> Platform.of(text)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void boundsItsLength() {
        assertThat(Platform.parse("linux/" + "a".repeat(33))).isEmpty();
        assertThat(Platform.parse("linux/amd64+" + "a".repeat(32) + "+" + "b".repeat(32)))
                .isPresent();
        assertThat(Platform.parse("linux/amd64+" + "a".repeat(32) + "+" + "b".repeat(32) + "+" + "c".repeat(32)))
                .isEmpty();
        assertThatThrownBy(() ->
                        new Platform("linux", "arm64", "", "", List.of("a".repeat(32), "b".repeat(32), "c".repeat(32))))
                .isInstanceOf(IllegalArgumentException.class);
        assertThat(Platform.parse("l".repeat(1_000_000) + "/a")).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "linux/amd64, false, linux/amd64",
        "linux/amd64/v3, false, linux/amd64/v3",
        "linux/amd64+sse4, true, linux/amd64",
        "linux/amd64:6.1, true, linux/amd64",
        "windows/amd64:10.0.17763, false, windows/amd64:10.0.17763",
        "windows/amd64:10.0.17763+win32k, true, windows/amd64:10.0.17763"
    })
    void isAFlavourWhenClientsCannotTellItFromItsPlainPlatform(String text, boolean flavour, String plain) {
        assertThat(Platform.of(text).isFlavour()).isEqualTo(flavour);
        assertThat(Platform.of(text).plain()).isEqualTo(Platform.of(plain));
    }
}
