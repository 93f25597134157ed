package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

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
        "windows-amd64, windows/amd64"
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
                "linux-amd64-v1-x",
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
        "linux-arm64.reg.example.com, linux/arm64/v8",
        "linux-arm64.reg.example.com:5000, linux/arm64/v8",
        "LINUX-ARM64.Reg.Example.Com, linux/arm64/v8",
        "linux-arm-v7.reg.example.com, linux/arm/v7"
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
