package dev.kiln.repository;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Digest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class PinsTest {
    private static final Instant NOW = Instant.parse("2026-11-29T08:00:00Z");
    private static final Digest ONE = digest("one");
    private static final Digest OTHER = digest("other");

    private final Pins pins = new Pins();

    private static Digest digest(String text) {
        return Digest.sha256(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void aQuestionThatIsRepeatedHasOnePin() {
        OptionalLong pin = pins.pin("push", List.of(ONE, OTHER), NOW);

        assertThat(pins.pin("push", List.of(ONE, OTHER), NOW)).isEqualTo(pin);
        assertThat(pins.release(pin.getAsLong(), NOW)).isTrue();
        assertThat(pins.holds(ONE, NOW)).isFalse();
        assertThat(pins.pin("push", List.of(ONE, OTHER), NOW)).isNotEqualTo(pin);
    }

    /** A node that has started again may ask by the name that it had before. */
    @Test
    void anotherQuestionOfTheSameNameHasAPinOfItsOwn() {
        OptionalLong old = pins.pin("push", List.of(ONE), NOW);
        Instant later = NOW.plus(Duration.ofMinutes(1));

        OptionalLong pin = pins.pin("push", List.of(OTHER), later);

        assertThat(pin).isPresent().isNotEqualTo(old);
        assertThat(pins.holds(ONE, later)).isTrue();
        assertThat(pins.holds(OTHER, later)).isTrue();
        Instant end = NOW.plus(Pins.LIFE);
        assertThat(pins.holds(ONE, end)).isFalse();
        assertThat(pins.pin("push", List.of(OTHER), end)).as("still").isEqualTo(pin);
        assertThat(pins.release(pin.getAsLong(), end)).isTrue();
        assertThat(pins.holds(OTHER, end)).isFalse();
    }
}
