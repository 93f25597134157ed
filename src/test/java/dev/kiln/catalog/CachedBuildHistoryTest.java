package dev.kiln.catalog;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.BuildTimes;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class CachedBuildHistoryTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Map<Platform, BuildTimes> TIMES =
            Map.of(Platform.of("linux/amd64"), new BuildTimes(Duration.ZERO, Duration.ofMinutes(4)));
    private static final Map<Platform, BuildTimes> LATER =
            Map.of(Platform.of("linux/amd64"), new BuildTimes(Duration.ZERO, Duration.ofMinutes(5)));

    private final AtomicLong nanos = new AtomicLong();
    private final List<CompletableFuture<Map<Platform, BuildTimes>>> queries = new ArrayList<>();
    private final CachedBuildHistory history = new CachedBuildHistory(
            repository -> {
                CompletableFuture<Map<Platform, BuildTimes>> query = new CompletableFuture<>();
                queries.add(query);
                return query;
            },
            nanos::get);

    @Test
    void howeverManyAskTheCatalogIsAskedOnceAMinute() {
        assertThat(history.known(APP)).isEmpty();
        assertThat(history.times(APP).toCompletableFuture()).isNotDone();
        assertThat(history.known(APP)).isEmpty();
        queries.get(0).complete(TIMES);
        for (int i = 0; i < 100; i++) {
            assertThat(history.known(APP)).isEqualTo(TIMES);
        }
        assertThat(history.times(APP).toCompletableFuture()).isCompletedWithValue(TIMES);
        assertThat(queries).hasSize(1);

        nanos.addAndGet(Duration.ofSeconds(61).toNanos());
        assertThat(history.known(APP)).as("while it is looked up anew").isEqualTo(TIMES);
        assertThat(history.known(APP)).isEqualTo(TIMES);
        assertThat(queries).hasSize(2);
        queries.get(1).complete(LATER);
        assertThat(history.known(APP)).isEqualTo(LATER);
    }

    @Test
    void aDatabaseThatIsAwayIsNotAskedMoreOftenAndTakesNothingAway() {
        history.known(APP);
        queries.get(0).completeExceptionally(new IllegalStateException("away"));
        for (int i = 0; i < 100; i++) {
            assertThat(history.known(APP)).isEmpty();
        }
        assertThat(queries).hasSize(1);

        nanos.addAndGet(Duration.ofSeconds(61).toNanos());
        history.known(APP);
        queries.get(1).complete(TIMES);
        nanos.addAndGet(Duration.ofSeconds(61).toNanos());
        history.known(APP);
        queries.get(2).completeExceptionally(new IllegalStateException("away"));
        assertThat(history.known(APP)).isEqualTo(TIMES);
        assertThat(queries).hasSize(3);
    }
}
