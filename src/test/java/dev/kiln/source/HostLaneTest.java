package dev.kiln.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.typesafe.config.ConfigFactory;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.Test;

class HostLaneTest {
    private final Queue<Runnable> threads = new ArrayDeque<>();
    private final List<String> done = new ArrayList<>();
    private final HostLane lane = new HostLane(threads::add, 2);

    @Test
    void runsNoMoreAtATimeThanItIsWideAndEveryOneInTurn() {
        for (String call : List.of("a", "b", "c", "d")) {
            lane.execute(() -> done.add(call));
        }
        assertThat(threads).hasSize(2);

        while (!threads.isEmpty()) {
            threads.remove().run();
            assertThat(threads).hasSizeLessThanOrEqualTo(2);
        }

        assertThat(done).containsExactly("a", "b", "c", "d");
    }

    @Test
    void fetchesThatDoNotEndLeaveTheirHostsLookUpsAllTheirThreads() {
        HostLanes host = HostLanes.on(threads::add);
        for (int i = 0; i < 100; i++) {
            host.fetching().execute(() -> done.add("fetch"));
        }
        assertThat(threads).hasSize(4);
        threads.clear();

        for (int i = 0; i < 100; i++) {
            host.quick().execute(() -> done.add("look-up"));
        }
        assertThat(threads).hasSize(8);
        threads.remove().run();
        assertThat(done).containsExactly("look-up");
    }

    @Test
    void threeHostsThatHangLeaveThreadsForAFourth() {
        int all = ConfigFactory.parseResources("kiln-akka.conf")
                .getInt("kiln-git-dispatcher.thread-pool-executor.fixed-pool-size");

        assertThat(all).isEqualTo(4 * HostLanes.WIDTH);
    }

    @Test
    void aCallThatFailsMakesRoomForTheNext() {
        for (int i = 0; i < 2; i++) {
            lane.execute(() -> {
                throw new IllegalStateException("as git does");
            });
        }
        lane.execute(() -> done.add("after"));

        assertThatThrownBy(() -> threads.remove().run()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> threads.remove().run()).isInstanceOf(IllegalStateException.class);
        threads.remove().run();
        lane.execute(() -> done.add("later"));
        threads.remove().run();

        assertThat(done).containsExactly("after", "later");
    }

    @Test
    void aRefusedCallTakesNoRoom() {
        HostLane refused = new HostLane(
                call -> {
                    throw new RejectedExecutionException("shut down");
                },
                1);

        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(() -> refused.execute(() -> done.add("never")))
                    .isInstanceOf(RejectedExecutionException.class);
        }
    }
}
