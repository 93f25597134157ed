package dev.kiln.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class SpaceWatchTest {
    private final AtomicLong nanos = new AtomicLong(Long.MAX_VALUE);
    private final AtomicInteger looks = new AtomicInteger();
    private Optional<String> shortage = Optional.empty();
    private final SpaceWatch watch = new SpaceWatch(
            () -> {
                looks.incrementAndGet();
                return shortage;
            },
            nanos::get);

    @Test
    void theDiskIsLookedAtFirstAndThenNotMoreOftenThanEachTenthOfASecond() {
        for (int i = 0; i < 1000; i++) {
            assertThat(watch.isCancelled()).isFalse();
        }
        assertThat(looks).hasValue(1);

        shortage = Optional.of("full");
        nanos.addAndGet(Duration.ofMillis(99).toNanos());
        assertThat(watch.isCancelled()).isFalse();
        nanos.addAndGet(Duration.ofMillis(1).toNanos());
        assertThat(watch.isCancelled()).isTrue();
        assertThat(watch.shortage()).contains("full");
    }

    @Test
    void whatWasBrokenOffStaysSo() {
        shortage = Optional.of("full");
        assertThat(watch.isCancelled()).isTrue();

        shortage = Optional.empty();
        nanos.addAndGet(Duration.ofSeconds(1).toNanos());
        assertThat(watch.isCancelled()).isTrue();
        assertThat(watch.shortage()).contains("full");
    }

    @Test
    void aDiskThatCannotBeAskedBreaksNothingOff() {
        SpaceWatch blind = new SpaceWatch(
                () -> {
                    throw new IOException("no answer");
                },
                nanos::get);

        assertThat(blind.isCancelled()).isFalse();
    }
}
