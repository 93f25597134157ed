package dev.kiln.cluster;

import static dev.kiln.cluster.LoneOutage.BORNE;
import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Test;

class LoneOutageTest {
    /** The clock that is asked may have any origin, and overflow. */
    private static final long START = Long.MAX_VALUE - 5;

    private final LoneOutage outage = new LoneOutage();

    private boolean leaves(boolean away, boolean elsewhere, Duration after) {
        return outage.leaves(away, elsewhere, START + after.toNanos());
    }

    @Test
    void whoAloneDoesNotReachTheDatabaseLeavesAfterAWhile() {
        assertThat(leaves(true, true, Duration.ZERO)).isFalse();
        assertThat(leaves(true, true, BORNE.minusNanos(1))).isFalse();
        assertThat(leaves(true, true, BORNE)).isTrue();
    }

    @Test
    void whileNobodyReachesItAllStay() {
        assertThat(leaves(true, false, Duration.ZERO)).isFalse();
        assertThat(leaves(true, false, BORNE.multipliedBy(100))).isFalse();
        assertThat(leaves(true, true, BORNE.multipliedBy(100)))
                .as("others reach it first when it is back")
                .isFalse();
    }

    @Test
    void oneBreakBeginsTheWaitAnew() {
        assertThat(leaves(true, true, Duration.ZERO)).isFalse();
        assertThat(leaves(false, true, Duration.ofSeconds(1))).isFalse();
        assertThat(leaves(true, true, Duration.ofSeconds(2))).isFalse();
        assertThat(leaves(true, false, Duration.ofSeconds(3))).isFalse();
        assertThat(leaves(true, true, Duration.ofSeconds(4))).isFalse();
        assertThat(leaves(true, true, BORNE.plusSeconds(3))).isFalse();
        assertThat(leaves(true, true, BORNE.plusSeconds(4))).isTrue();
    }

    @Test
    void whoReachesItStays() {
        assertThat(leaves(false, true, Duration.ZERO)).isFalse();
        assertThat(leaves(false, true, BORNE)).isFalse();
    }
}
