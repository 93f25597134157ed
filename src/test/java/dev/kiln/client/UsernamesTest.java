package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.Usernames.Reading;
import dev.kiln.oci.Platform;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class UsernamesTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            linux+amd64                                                         | linux/amd64    |
            linux+arm64+v8                                                      | linux/arm64/v8 |
            linux+arm+v7                                                        | linux/arm/v7   |
            Linux+AMD64                                                         | linux/amd64    |
            {"architecture":"amd64","os":"linux"}                               | linux/amd64    |
            {"os":"linux","architecture":"arm64","variant":"v8"}                | linux/arm64/v8 |
            {"architecture":"amd64","os":"linux","features":["sse4"]}           | linux/amd64    | sse4
            {"features":["sse4","avx2","sse4"],"os":"linux","architecture":"386"} | linux/386    | avx2 sse4
            linux+arm64+v8+sve                                                  | linux/arm64/v8+sve |
            windows+amd64+10.0.17763                                            | windows/amd64:10.0.17763 |
            {"os":"windows","architecture":"amd64","os.version":"10.0.17763.1"} | windows/amd64:10.0.17763.1 |
            { "os" : "linux" , "architecture" : "amd64", "features" : [] }      | linux/amd64    |
            """)
    void readsAPlatformWithAnyPassword(String user, String platform, String features) {
        Reading hinted = new Reading.Accepted(Optional.of(new UsernameHint(
                Platform.of(platform), features == null ? List.of() : Arrays.asList(features.split(" ")))));
        for (String password : List.of("", ":", ":secret", ":a:b:{\"os\":1}", ":" + "x".repeat(20_000))) {
            assertThat(Usernames.read(user + password)).as(password).isEqualTo(hinted);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ":",
                ":linux+amd64",
                "alice",
                "alice:linux+amd64",
                "alice+registry",
                "linux",
                "linux-amd64",
                "+linux+amd64",
                " {\"os\":\"linux\"}",
                "00000000-0000-0000-0000-000000000000"
            })
    void aPersonsNameIsNoHint(String credentials) {
        assertThat(Usernames.read(credentials)).isEqualTo(new Reading.Accepted(Optional.empty()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "linux+",
                "linux++",
                "linux+amd64+v1+",
                "linux+amd/64",
                "linux+amd64+hunter2hunter2hunter2",
                "{",
                "{}",
                "{\"architecture\"",
                "{\"architecture\":\"amd64\"}:hunter2",
                "{\"os\":\"linux\",\"architecture\":\"amd64\"}hunter2",
                "{\"os\":\"linux\",\"architecture\":\"amd64\"} :hunter2",
                "{\"os\":\"linux\",\"os\":\"linux\",\"architecture\":\"amd64\"}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"hunter2\":\"x\"}",
                "{\"os\":\"linux\",\"architecture\":\"arm/v7\"}",
                "{\"os\":\"linux\",\"architecture\":\"\"}",
                "{\"os\":\"linux\",\"architecture\":64}",
                "{\"os\":\"linux\",\"architecture\":null}",
                "{\"os\":\"linux\",\"architecture\":[\"amd64\"]}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"features\":\"sse4\"}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"features\":[\"SSE4\"]}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"features\":[4]}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"features\":[[\"a\"]]}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"features\":[\"a b\"]}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"features\":"
                        + "[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}",
                "{\"os\":\"linux\",\"architecture\":\"amd64\",\"os.version\":\"x\"}",
                "{\"os\":\"linux\",\"architecture\":\"amd64+sse4\"}",
                "{'os':'linux','architecture':'amd64'}"
            })
    void whatIsMeantAsAHintAndIsNoneIsRefusedWithoutRepeatingIt(String credentials) {
        assertThat(Usernames.read(credentials))
                .isInstanceOfSatisfying(
                        Reading.Refused.class,
                        refused -> assertThat(refused.message())
                                .startsWith("the username begins ")
                                .hasSizeLessThan(160)
                                .doesNotContain("hunter2"));
    }

    @Test
    void aDocumentOfAnyLengthIsReadWithinBounds() {
        String start = "{\"os\":\"linux\",\"architecture\":\"amd64\"";
        assertThat(Usernames.read(start + " ".repeat(100) + "}")).isInstanceOf(Reading.Accepted.class);
        assertThat(Usernames.read(start + " ".repeat(1000) + "}")).isInstanceOf(Reading.Refused.class);
        assertThat(Usernames.read("{\"features\":" + "[".repeat(100_000))).isInstanceOf(Reading.Refused.class);
    }
}
