package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.Hints.Reading;
import dev.kiln.client.Hints.Said;
import dev.kiln.oci.Platform;
import dev.kiln.oci.Tag;
import dev.kiln.testing.SettableClock;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;

/** Random text, seeded by the repetition, in every channel: nothing throws, and nothing that is accepted is new. */
class HostileHintsTest {
    private static final List<Platform> PLATFORMS =
            List.of(Platform.of("linux/amd64"), Platform.of("linux/arm64"), Platform.of("linux/arm/v7"));

    private static final List<String> PIECES = List.of(
            "linux",
            "windows",
            "amd64",
            "arm64",
            "arm",
            "v7",
            "v8",
            "-",
            "_",
            "+",
            "/",
            ".",
            ":",
            ";",
            " ",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ",",
            "\\",
            "\\u0041",
            "\"os\":\"linux\"",
            "\"architecture\":\"amd64\"",
            "\"features\":[\"sse4\"]",
            "docker/29",
            "cri-o/1",
            "Apptainer/1",
            "cosign/3",
            " os/",
            " arch/",
            "UpstreamClient(",
            "reg.example.com",
            "\u0000",
            "\r\n",
            "é",
            "\ud83d",
            "9".repeat(40),
            "a".repeat(600));

    private final HintTokens tokens =
            new HintTokens(new byte[16], new SettableClock(Instant.parse("2026-01-01T00:00:00Z")));

    @RepeatedTest(200)
    void isReadWithinBounds(RepetitionInfo repetition) {
        Random random = new Random(repetition.getCurrentRepetition());
        for (int i = 0; i < 200; i++) {
            String text = text(random);
            PlatformName.parse(text);
            PlatformName.ofHost(text, "reg.example.com");
            Said said = new Said(
                    Tag.parse(text).orElse(new Tag("v1")),
                    PlatformName.parse(text),
                    PlatformName.ofHost(text + ".reg.example.com", "reg.example.com"),
                    values(random),
                    values(random),
                    values(random),
                    username(text),
                    Optional.of(text(random)));
            check(said);
        }
    }

    private static void check(Said said) {
        Reading reading = Hints.read(said, PLATFORMS);
        if (reading instanceof Reading.Refused refused) {
            assertThat(refused.message()).hasSizeLessThan(220).endsWith("linux/arm/v7");
            return;
        }
        Reading.Accepted accepted = (Reading.Accepted) reading;
        accepted.asked().hint().ifPresent(hint -> assertThat(PLATFORMS).contains(hint.platform()));
        accepted.otherwise().ifPresent(asked -> {
            assertThat(asked.hint()).isPresent();
            assertThat(said.tag().value())
                    .startsWith(asked.tag().value())
                    .isNotEqualTo(asked.tag().value());
        });
    }

    private Optional<UsernameHint> username(String text) {
        tokens.verify(text);
        Usernames.Reading reading = Usernames.read(text);
        if (reading instanceof Usernames.Reading.Refused refused) {
            assertThat(refused.message()).hasSizeLessThan(160);
            return Optional.empty();
        }
        Optional<UsernameHint> hint = ((Usernames.Reading.Accepted) reading).hint();
        HintTokens.Token token = new HintTokens.Token(hint);
        assertThat(tokens.verify(tokens.issue(token))).contains(token);
        return hint;
    }

    private static List<String> values(Random random) {
        return random.nextInt(3) > 0 ? List.of() : List.of(text(random), text(random));
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = random.nextInt(9); i >= 0; i--) {
            text.append(PIECES.get(random.nextInt(PIECES.size())));
        }
        return text.toString();
    }
}
