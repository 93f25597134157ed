package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import dev.kiln.client.UserAgent.Product;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class UserAgentTest {
    @Test
    void theDaemonsProductsAreReadAndTheCommandLinesAreNot() {
        UserAgent agent =
                UserAgent.parse("docker/29.7.2 go/go1.26.3 git-commit/abc1234 kernel/6.8.0-41-generic os/linux"
                        + " arch/amd64 containerd-client/2.3.3+unknown storage-driver/overlayfs"
                        + " UpstreamClient(Docker-Client/29.7.2 \\(linux\\)) last/1");

        assertThat(agent.products())
                .startsWith(new Product("docker", "29.7.2"), new Product("go", "go1.26.3"))
                .endsWith(new Product("last", "1"))
                .extracting(Product::name)
                .doesNotContain("docker-client", "upstreamclient");
        assertThat(agent.product("containerd-client")).contains(new Product("containerd-client", "2.3.3+unknown"));
    }

    @Test
    void commentsMayNest() {
        assertThat(UserAgent.parse("a/1 (b/2 (c/3) d/4) e/5").products())
                .containsExactly(new Product("a", "1"), new Product("e", "5"));
    }

    @Test
    void oneThatGoesOnForEverIsCut() {
        assertThat(UserAgent.parse("x/1 ".repeat(100_000)).products()).hasSize(16);
        assertThat(UserAgent.parse("x".repeat(100_000)).products().get(0).name())
                .hasSize(1024);
    }

    @RepeatedTest(50)
    void anythingCanBeRead() {
        Random random = new Random();
        String text = random.ints(random.nextInt(2000), 0, 256)
                .map(i -> random.nextBoolean() ? "()\\/ ".charAt(i % 5) : i)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();

        assertThatCode(() -> UserAgent.parse(text)).as(text).doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource(nullValues = "-", textBlock = """
            2.3.0              | 2.3.0
            v0.21.9            | 0.21.9
            2.3.3+unknown      | 2.3.3
            2.3.0-rc.1         | 2.3.0
            1.28               | 1.28.0
            5                  | 5.0.0
            1.2.3.4            | 1.2.3
            1.                 | 1.0.0
            regctl             | -
            v                  | -
            ''                 | -
            99999999999.1      | -
            1.99999999999      | -
            """, delimiter = '|')
    void versionsAreReadAsFarAsTheyGo(String text, String version) {
        assertThat(Version.parse(text).map(Version::toString).orElse(null)).isEqualTo(version);
    }
}
