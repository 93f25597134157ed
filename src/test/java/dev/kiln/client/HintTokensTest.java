package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.client.HintTokens.Token;
import dev.kiln.oci.Platform;
import dev.kiln.testing.SettableClock;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HintTokensTest {
    private static final byte[] SECRET = "0123456789abcdef".getBytes(StandardCharsets.UTF_8);
    private static final Token ANYONE = new Token(Optional.empty());
    private static final Token ARM =
            new Token(Optional.of(new UsernameHint(Platform.of("linux/arm/v7"), List.of("neon", "vfp"))));

    private final SettableClock clock = new SettableClock(Instant.parse("2026-01-01T00:00:00Z"));
    private final HintTokens tokens = new HintTokens(SECRET, clock);

    @Test
    void everyNodeWithTheSecretReadsWhatOneIssued() {
        HintTokens other = new HintTokens(SECRET, clock);
        assertThat(other.verify(tokens.issue(ARM))).contains(ARM);
        assertThat(other.verify(tokens.issue(ANYONE))).contains(ANYONE);
        assertThat(new HintTokens("another secret!!".getBytes(StandardCharsets.UTF_8), clock).verify(tokens.issue(ARM)))
                .isEmpty();
    }

    @Test
    void aTokenOutlivesTheLongestPatienceAndThenEnds() {
        String token = tokens.issue(ARM);
        clock.advance(HintTokens.LIFE.minusSeconds(1));
        assertThat(tokens.verify(token)).isPresent();
        clock.advance(Duration.ofSeconds(1));
        assertThat(tokens.verify(token)).isEmpty();
        assertThat(HintTokens.LIFE).isGreaterThan(Duration.ofMinutes(5));
    }

    @Test
    void theLargestHintFits() {
        String word = "x".repeat(31);
        List<String> features = IntStream.range(0, 8).mapToObj(i -> word + i).toList();
        Token largest = new Token(Optional.of(new UsernameHint(Platform.of("linux/" + word + "/" + word), features)));
        assertThat(tokens.issue(largest)).matches("[A-Za-z0-9_.-]{1,1024}");
        assertThat(tokens.verify(tokens.issue(largest))).contains(largest);
    }

    @Test
    void noCharacterOfATokenCanBeChanged() {
        String token = tokens.issue(ARM);
        // The last character of the signature holds bits that base64 ignores.
        for (int i = 0; i < token.length() - 1; i++) {
            char other = token.charAt(i) == 'A' ? 'B' : 'A';
            assertThat(tokens.verify(token.substring(0, i) + other + token.substring(i + 1)))
                    .as("changed at %d", i)
                    .isEmpty();
        }
    }

    @Test
    void aHopIsNoTokenAndATokenNoHop() {
        HopSigner hops = new HopSigner(SECRET);
        Hop hop = Hop.first(clock.instant());
        assertThat(tokens.verify(hops.sign(hop, "team/app:main@"))).isEmpty();
        assertThat(hops.verify(tokens.issue(ANYONE), "team/app:main@", Duration.ofHours(9), clock.instant()))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "..", "...", "a.b.c", "1.e30.", "\u0000", "é.é.é", "9999999999999999999999.x.y"})
    void whatIsNoTokenIsNone(String text) {
        assertThat(tokens.verify(text)).isEmpty();
        assertThat(tokens.verify(text.repeat(10_000))).isEmpty();
    }
}
