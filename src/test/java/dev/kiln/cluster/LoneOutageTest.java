package dev.kiln.cluster;

import static dev.kiln.cluster.LoneOutage.BORNE;
import static dev.kiln.cluster.LoneOutage.LOOKING;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoneOutageTest {
    /** The clock that is asked may have any origin, and overflow. */
    private static final long START = Long.MAX_VALUE - 5;

    private static final Duration SECOND = Duration.ofSeconds(1);

    private final LoneOutage outage = new LoneOutage();

    /** One look, of a cluster of three. */
    private boolean leaves(boolean away, boolean elsewhere, Duration after) {
        return leaves(away, elsewhere ? 2 : 0, 2, after);
    }

    private boolean leaves(boolean away, int reaching, int others, Duration after) {
        return outage.leaves(away, reaching, others, START + after.toNanos());
    }

    /** Looks every second, until just before the given time, of a node that does not reach what most others do. */
    private void looks(Duration from, Duration until) {
        for (Duration at = from; at.compareTo(until) < 0; at = at.plus(SECOND)) {
            assertThat(leaves(true, true, at)).as("after " + at).isFalse();
        }
    }

    @Test
    void whoAloneDoesNotReachTheDatabaseLeavesAfterAWhile() {
        looks(Duration.ZERO, BORNE);
        assertThat(leaves(true, true, BORNE.minusNanos(1))).isFalse();
        assertThat(leaves(true, true, BORNE)).isTrue();
    }

    @Test
    void whileNobodyReachesItAllStay() {
        for (Duration at = Duration.ZERO; at.compareTo(BORNE.multipliedBy(5)) < 0; at = at.plus(SECOND)) {
            assertThat(leaves(true, false, at)).isFalse();
        }
        assertThat(leaves(true, true, BORNE.multipliedBy(5)))
                .as("others reach it first when it is back")
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "1, 1, true",
        "1, 2, false",
        "2, 2, true",
        "1, 3, false",
        "2, 3, true",
        "1, 4, false",
        "2, 4, false",
        "3, 4, true"
    })
    void whoLeavesIsOneOfTheFewer(int reaching, int others, boolean leaves) {
        for (Duration at = Duration.ZERO; at.compareTo(BORNE) < 0; at = at.plus(SECOND)) {
            assertThat(leaves(true, reaching, others, at)).isFalse();
        }
        assertThat(leaves(true, reaching, others, BORNE)).isEqualTo(leaves);
    }

    @Test
    void oneBreakBeginsTheWaitAnew() {
        assertThat(leaves(true, true, Duration.ZERO)).isFalse();
        assertThat(leaves(false, true, SECOND)).isFalse();
        assertThat(leaves(true, true, Duration.ofSeconds(2))).isFalse();
        assertThat(leaves(true, false, Duration.ofSeconds(3))).isFalse();
        looks(Duration.ofSeconds(4), BORNE.plusSeconds(4));
        assertThat(leaves(true, true, BORNE.plusSeconds(4))).isTrue();
    }

    /** Nobody knows what others would have said while this node stood still. */
    @Test
    void timeInWhichNobodyLookedDoesNotCount() {
        looks(Duration.ZERO, Duration.ofSeconds(5));
        Duration awake = BORNE.plusSeconds(10);
        looks(awake, awake.plus(BORNE));
        assertThat(leaves(true, true, awake.plus(BORNE))).isTrue();
    }

    @Test
    void lateLooksCount() {
        Duration at = Duration.ZERO;
        for (; at.compareTo(BORNE) < 0; at = at.plus(LOOKING)) {
            assertThat(leaves(true, true, at)).isFalse();
        }
        assertThat(leaves(true, true, at)).isTrue();
    }

    @Test
    void whoReachesItStays() {
        for (Duration at = Duration.ZERO; at.compareTo(BORNE) <= 0; at = at.plus(SECOND)) {
            assertThat(leaves(false, true, at)).isFalse();
        }
    }
}
