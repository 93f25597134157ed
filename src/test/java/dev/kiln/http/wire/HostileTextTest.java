package dev.kiln.http.wire;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.http.registry.RegistryPath;
import dev.kiln.problem.Problem;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;

/** Random text, seeded by the repetition: nothing that reads it throws, and what it writes keeps its bounds. */
class HostileTextTest {
    private static final List<String> PIECES = List.of(
            "/",
            "//",
            "..",
            "%2F",
            "%3A",
            "v2",
            "manifests",
            "blobs",
            "uploads",
            "tags",
            "list",
            "referrers",
            "sha256:",
            "0".repeat(64),
            "a",
            "-",
            "_",
            "\u0000",
            "\r\n",
            "\"",
            "\\",
            "é",
            "\ud83d\ude00",
            "=",
            "&",
            "w",
            "%",
            "bytes=",
            "9".repeat(30),
            ",",
            ";q=0",
            "W/",
            "*/*",
            "A".repeat(300));

    @RepeatedTest(300)
    void isReadWithinBounds(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        for (int i = 0; i < 100; i++) {
            String text = text(random);
            RegistryPath.parse("/v2/" + text);
            RegistryPath.parse("/v2/p/linux-arm64" + text);
            RegistryPath.hint("/v2/p/" + text);
            readForm(text);
            EntityTags.named(List.of(text), "\"" + text + "\"");
            Accept.form(List.of(text));
            if (ByteRange.parse("bytes=" + text, 1000) instanceof ByteRange.Part part) {
                assertThat(part.offset()).isBetween(0L, 999L);
                assertThat(part.length()).isBetween(1L, 1000 - part.offset());
            }
            String line = OneLine.of(text, 80);
            assertThat(line).matches("[ -~]{0,80}").isEqualTo(OneLine.of(line, 80));
            assertThat(OneLine.warning(line)).matches("299 - \"([^\"\\\\]|\\\\[\"\\\\])*\"");
        }
    }

    private static void readForm(String text) {
        try {
            Form.parse(text).field("username");
        } catch (Problem refused) {
            assertThat(refused.status()).isEqualTo(400);
        }
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(8); i >= 0; i--) {
            text.append(PIECES.get(random.nextInt(PIECES.size())));
        }
        return text.toString();
    }
}
