package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Revision;
import dev.kiln.testing.Plans;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class HopSignerTest {
    private static final String SCOPE = "team/app:main@linux/amd64";
    private static final Duration PATIENCE = Duration.ofSeconds(250);
    private static final Instant START = Instant.parse("2026-01-01T00:00:00Z");

    private final HopSigner signer = new HopSigner("0123456789abcdef".getBytes(StandardCharsets.UTF_8));
    private final Hop hop = new Hop(3, START, Optional.of(new Revision("b".repeat(40))));

    @Test
    void everyNodeWithTheSecretReadsWhatOneSigned() {
        HopSigner other = new HopSigner("0123456789abcdef".getBytes(StandardCharsets.UTF_8));
        assertThat(other.verify(signer.sign(hop, SCOPE), SCOPE, PATIENCE, START))
                .contains(hop);
        Hop early = Hop.first(START);
        assertThat(other.verify(signer.sign(early, SCOPE), SCOPE, PATIENCE, START))
                .contains(early);
    }

    @Test
    void aHopIsWorthNothingForAnotherPull() {
        String token = signer.sign(hop, SCOPE);
        assertThat(signer.verify(token, "team/app:main@linux/arm64/v8", PATIENCE, START))
                .isEmpty();
        assertThat(signer.verify(token, "team/other:main@linux/amd64", PATIENCE, START))
                .isEmpty();
    }

    @Test
    void aHopIsForgottenAMinuteAfterItsPatience() {
        String token = signer.sign(hop, SCOPE);
        Instant end = START.plus(PATIENCE).plusSeconds(60);
        assertThat(signer.verify(token, SCOPE, PATIENCE, end)).isPresent();
        assertThat(signer.verify(token, SCOPE, PATIENCE, end.plusSeconds(1))).isEmpty();
    }

    @Test
    void noCharacterOfAHopCanBeChanged() {
        String token = signer.sign(hop, SCOPE);
        for (int i = 0; i < token.length(); i++) {
            char other = token.charAt(i) == '1' ? '2' : '1';
            String forged = token.substring(0, i) + other + token.substring(i + 1);
            // The last character of the signature holds two bits that base64 ignores.
            if (i < token.length() - 1) {
                assertThat(signer.verify(forged, SCOPE, PATIENCE, START))
                        .as(forged)
                        .isEmpty();
            }
        }
        HopSigner stranger = new HopSigner("fedcba9876543210".getBytes(StandardCharsets.UTF_8));
        assertThat(signer.verify(stranger.sign(hop, SCOPE), SCOPE, PATIENCE, START))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "...", "9", "9.0..", "x.y.z.AAAA", "1.1..====", "1.1..%%%"})
    void garbageIsAsIfAbsent(String token) {
        assertThat(signer.verify(token, SCOPE, PATIENCE, START)).isEmpty();
        assertThat(signer.verify(token + "a".repeat(10_000), SCOPE, PATIENCE, START))
                .isEmpty();
    }

    @Test
    void aPullIsHeldNoLongerThanItsPatienceAndSentBackNineTimesAtMost() {
        Duration second = Duration.ofSeconds(1);
        int redirects = 0;
        Duration held = Duration.ZERO;
        Hop at = Hop.first(START);
        held = held.plus(at.hold(Plans.plan(second, PATIENCE)));
        while (at.mayGoOn(Plans.plan(second, PATIENCE))) {
            at = at.next();
            redirects++;
            held = held.plus(at.hold(Plans.plan(second, PATIENCE)));
        }
        assertThat(redirects).isEqualTo(9);

        Duration patience = Duration.ofMillis(2500);
        at = Hop.first(START);
        held = at.hold(Plans.plan(second, patience));
        while (at.mayGoOn(Plans.plan(second, patience))) {
            at = at.next();
            held = held.plus(at.hold(Plans.plan(second, patience)));
        }
        assertThat(held).isEqualTo(patience);
    }
}
