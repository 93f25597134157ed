package dev.kiln.build;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The form of a push's token: whoever is given one can go on with it, and nothing else is taken for one. */
class PushTokenTest {
    private static final String ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";
    private static final List<Platform> PLATFORMS = List.of(
            Platform.of("linux/amd64"),
            Platform.of("linux/arm64"),
            Platform.of("windows/amd64:10.0.17763"),
            Platform.of("linux/amd64+avx2+sse4"),
            Platform.of("a".repeat(30) + "/" + "b".repeat(30) + "/" + "c".repeat(30)));

    private final Random random = new Random(5);

    private Revision revision() {
        return new Revision(random.ints(random.nextBoolean() ? 40 : 64, 0, 16)
                .mapToObj(Integer::toHexString)
                .collect(Collectors.joining()));
    }

    @Test
    void whatIsGivenOutLeadsBackToItsBuild() {
        RepositoryName name = new RepositoryName("team/app");
        for (int i = 0; i < 1000; i++) {
            BuildKey key = new BuildKey(name, revision(), PLATFORMS.get(i % PLATFORMS.size()));
            PushToken token = PushToken.create(key.revision(), key.platform());

            assertThat(token.text()).matches("[a-z2-7]+").hasSizeLessThanOrEqualTo(239);
            PushToken read = PushToken.parse(token.text()).orElseThrow();
            assertThat(read).isEqualTo(token);
            assertThat(read.build(name)).isEqualTo(key);
            assertThat(read.digest()).isEqualTo(token.digest());
            assertThat(RepositoryName.parse("b/" + token.text() + "/" + name))
                    .as("a client takes it for a part of a repository's name")
                    .isPresent();
            assertThat(token.toString()).doesNotContain(token.text());
        }
    }

    @Test
    void noTwoAreTheSame() {
        Revision revision = revision();
        assertThat(PushToken.create(revision, PLATFORMS.get(0)).text())
                .isNotEqualTo(PushToken.create(revision, PLATFORMS.get(0)).text());
    }

    @Test
    void everyTokenHasOneForm() {
        for (int i = 0; i < 200; i++) {
            String text = PushToken.create(revision(), PLATFORMS.get(i % PLATFORMS.size()))
                    .text();
            assertThat(PushToken.parse(text.toUpperCase(Locale.ROOT))).isEmpty();
            assertThat(PushToken.parse(text + "=")).isEmpty();
            assertThat(PushToken.parse(text + "a")).isEmpty();
            for (int c = 0; c < ALPHABET.length(); c++) {
                String other = text.substring(0, text.length() - 1) + ALPHABET.charAt(c);
                PushToken.parse(other)
                        .ifPresent(token -> assertThat(token.text()).isEqualTo(other));
            }
        }
    }

    @Test
    void whatIsNoTokenIsPartOfAName() {
        for (String text : List.of("", "a", "app", "team", "a".repeat(80), "a".repeat(100_000), "ÿ", "b/c", "a b")) {
            assertThat(PushToken.parse(text)).as(text).isEmpty();
        }
        for (int i = 0; i < 10_000; i++) {
            byte[] bytes = new byte[random.nextInt(250)];
            for (int at = 0; at < bytes.length; at++) {
                bytes[at] = (byte) ALPHABET.charAt(random.nextInt(ALPHABET.length()));
            }
            String text = new String(bytes, StandardCharsets.US_ASCII);
            assertThat(PushToken.parse(text)).as(text).isEmpty();
        }
    }
}
