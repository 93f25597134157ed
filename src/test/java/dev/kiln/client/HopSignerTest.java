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
        assertThat(heldOverAllHops(Duration.ofSeconds(1), PATIENCE)).isEqualTo(Duration.ofSeconds(10));
        assertThat(heldOverAllHops(Duration.ofSeconds(1), Duration.ofMillis(2500)))
                .isEqualTo(Duration.ofMillis(2500));
    }

    private static Duration heldOverAllHops(Duration hop, Duration patience) {
        WaitPlan plan = Plans.plan(hop, patience);
        Hop at = Hop.first(START);
        Duration held = at.hold(plan, START);
        while (at.mayGoOn(plan)) {
            at = at.next();
            held = held.plus(at.hold(plan, START.plus(held)));
        }
        return held;
    }

    @Test
    void whoRepeatsA429AtOnceIsHeldBeforeEachHoweverLittlePatienceIsLeft() {
        WaitPlan plain = Plans.plan(Duration.ofSeconds(25), Duration.ofSeconds(26));
        WaitPlan plan = new WaitPlan(
                plain.family(),
                plain.hop(),
                plain.patience(),
                true,
                Duration.ofSeconds(10),
                true,
                false,
                plain.answers());
        Hop last = new Hop(1, START, Optional.empty());

        assertThat(last.hold(plan, START.plusSeconds(25))).isEqualTo(Duration.ofSeconds(10));
        assertThat(last.hold(plan, START.plusSeconds(27))).isEqualTo(Duration.ofSeconds(10));
        assertThat(last.hold(plain, START.plusSeconds(25))).isEqualTo(Duration.ofSeconds(1));
    }

    @Test
    void whoRepeatsTheLastHopIsToldSoonThatItsPatienceHasPassed() {
        WaitPlan plan = Plans.plan(Duration.ofSeconds(25), Duration.ofSeconds(250));
        Hop last = new Hop(9, START, Optional.empty());

        assertThat(last.hold(plan, START.plusSeconds(249))).isEqualTo(Duration.ofSeconds(25));
        assertThat(last.hold(plan, START.plusSeconds(250))).isEqualTo(Duration.ofSeconds(1));
    }
}
