package dev.kiln.worker.builder;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MaskedOutputTest {
    private static String masked(String secret, String text, Random pieces) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        MaskedOutput masked = new MaskedOutput(out, secret);
        for (int from = 0; from < bytes.length; ) {
            int length = Math.min(bytes.length - from, 1 + pieces.nextInt(4));
            masked.write(bytes, from, length);
            from += length;
        }
        masked.close();
        return out.toString(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @CsvSource({
        "at /v2/b/aabaac/app, at /v2/b/********/app",
        "aabaabaac, aab********",
        "aabaacaabaac, ****************",
        "aabaa, aabaa",
        "aabaad é, aabaad é",
    })
    void hidesTheSecretAndNothingElse(String text, String shown) throws IOException {
        for (int seed = 0; seed < 20; seed++) {
            assertThat(masked("aabaac", text, new Random(seed)))
                    .as("seed " + seed)
                    .isEqualTo(shown);
        }
    }

    @Test
    void isAsReplacingInWhatWasWrittenAsAWhole() throws IOException {
        for (int seed = 0; seed < 2000; seed++) {
            Random random = new Random(seed);
            String secret = letters(random, 1 + random.nextInt(6));
            String text = letters(random, random.nextInt(60));
            assertThat(masked(secret, text, random)).as("seed " + seed).isEqualTo(text.replace(secret, "********"));
        }
    }

    private static String letters(Random random, int length) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < length; i++) {
            text.append((char) ('a' + random.nextInt(2)));
        }
        return text.toString();
    }
}
