package dev.kiln.http;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.Hint;
import dev.kiln.config.AddressRange;
import dev.kiln.config.KilnConfig;
import dev.kiln.image.Pull;
import dev.kiln.testing.Wire;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a pull is handed on with, by the names that a client used; the test is its own proxy. */
class HintsInNamesTest {
    private TestServer server;

    @AfterEach
    void stop() {
        server.close();
    }

    private void start(String... trusted) throws Exception {
        server = new TestServer(
                new KilnConfig.Http(
                        "127.0.0.1",
                        0,
                        Optional.of("https://Reg.example.com:5000"),
                        List.of(trusted).stream()
                                .map(range -> AddressRange.parse(range).orElseThrow())
                                .toList()),
                false);
    }

    private Pull pull(String path, String... lines) throws IOException {
        Wire.Answer answer = send(path, lines);
        assertThat(answer.status()).as(answer.statusLine()).isEqualTo(200);
        return server.fakes.pulls.get(server.fakes.pulls.size() - 1);
    }

    private Wire.Answer send(String path, String... lines) throws IOException {
        return Wire.once(server.port(), "GET /v2/" + path + " HTTP/1.1\r\n" + String.join("\r\n", lines) + "\r\n\r\n");
    }

    @ParameterizedTest
    @CsvSource({
        "linux-arm64.reg.example.com, team/app, latest_linux-amd64, linux/amd64, tag suffix",
        "linux-arm64.reg.example.com, p/linux-amd64/team/app, latest, linux/amd64, path",
        "linux-arm64.reg.example.com, team/app, latest, linux/arm64/v8, host name",
        "LINUX-ARM64.reg.example.com:5000, team/app, latest?platform=linux/amd64, linux/arm64/v8, host name",
        "reg.example.com, team/app, latest?platform=linux/amd64, linux/amd64, ?platform="
    })
    void aNameSaysWhichPlatform(String host, String name, String reference, String platform, String channel)
            throws Exception {
        start();
        Pull pull = pull(name + "/manifests/" + reference, "Host: " + host);
        assertThat(pull.repository().value()).isEqualTo("team/app");
        assertThat(pull.tag().value()).isEqualTo("latest");
        assertThat(pull.hint().map(Hint::toString)).contains(platform + " by " + channel);
        assertThat(pull.cause().get().hint()).isEqualTo(platform + " by " + channel);
        assertThat(pull.cause().get().reference()).isEqualTo(reference.replaceFirst("[?].*", ""));
        assertThat(pull.otherwise()).isEmpty();
    }

    @Test
    void aDashMayBeTheTagsOwn() throws Exception {
        start();
        send("team/app/manifests/v1-linux-arm64", "Host: reg.example.com", "X-Build-Platform: linux/amd64");
        Pull pull = server.fakes.pulls.get(0);
        assertThat(pull.tag().value()).isEqualTo("v1-linux-arm64");
        assertThat(pull.hint().map(Hint::toString)).contains("linux/amd64 by X-Build-Platform");
        Pull otherwise = pull.otherwise().orElseThrow();
        assertThat(otherwise.tag().value()).isEqualTo("v1");
        assertThat(otherwise.repository()).isEqualTo(pull.repository());
        assertThat(otherwise.hint().map(Hint::toString)).contains("linux/arm64/v8 by tag suffix");
        assertThat(otherwise.cause().get().hint()).isEqualTo("linux/arm64/v8 by tag suffix");
        assertThat(otherwise.cause().get().reference()).isEqualTo("v1-linux-arm64");
    }

    @Test
    void aHostNamesUnknownPlatformIsRefused() throws Exception {
        start();
        Wire.Answer answer = send("team/app/manifests/latest", "Host: linux-s390x.reg.example.com");
        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.text()).contains("host name says linux/s390x", "linux/amd64, linux/arm64/v8");
    }

    @Test
    void aStrangersWordOfOthersIsNotBelieved() throws Exception {
        start("10.0.0.0/8");
        Pull pull = pull(
                "team/app/manifests/latest",
                "Host: reg.example.com",
                "X-Forwarded-For: 192.0.2.7",
                "X-Forwarded-Host: linux-arm64.reg.example.com",
                "Forwarded: for=192.0.2.7;host=linux-arm64.reg.example.com");
        assertThat(pull.hint()).isEmpty();
        assertThat(pull.cause().get().address()).isEqualTo("127.0.0.1");
    }

    @Test
    void aTrustedProxyTellsOfTheCallerAndTheHost() throws Exception {
        start("127.0.0.0/8");
        Pull pull = pull(
                "team/app/manifests/latest",
                "Host: inner",
                "X-Forwarded-For: 198.51.100.1, 192.0.2.7",
                "X-Forwarded-Host: linux-arm64.reg.example.com");
        assertThat(pull.hint().map(Hint::toString)).contains("linux/arm64/v8 by host name");
        assertThat(pull.cause().get().address()).isEqualTo("192.0.2.7");

        Pull standard = pull(
                "team/app/manifests/latest", "Host: inner", "Forwarded: for=\"[2001:db8::1]\";host=reg.example.com");
        assertThat(standard.hint()).isEmpty();
        assertThat(standard.cause().get().address()).isEqualTo("2001:db8:0:0:0:0:0:1");
    }

    @Test
    void whatMayChangeAnAnswerIsNamed() throws Exception {
        start("127.0.0.1");
        assertThat(send("team/app/manifests/latest", "Host: reg.example.com").header("Vary"))
                .isEqualTo("Accept, Authorization, User-Agent, X-Build-Platform, X-Meta-Build-Platform, Forwarded,"
                        + " X-Forwarded-Host");
    }

    @Test
    void whatAProxySaysMovesNoRedirectAndNoAddressInAnAnswer() throws Exception {
        start("127.0.0.1");
        String[] lines = {"Host: inner", "X-Forwarded-Host: linux-arm64.reg.example.com", "X-Forwarded-Proto: gopher"};
        assertThat(send("team/app/manifests/waiting", lines).header("Location"))
                .isEqualTo("/v2/team/app/manifests/waiting?w=1.abc-_");
        assertThat(send("team/app/manifests/broken", lines).text()).contains("log: https://Reg.example.com:5000/api/");
    }
}
