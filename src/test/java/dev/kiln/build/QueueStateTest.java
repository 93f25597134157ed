package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.key;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.HandOut.Offer;
import dev.kiln.oci.BuildKey;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

class QueueStateTest {
    private static final BuildKey A = key("team/a", "linux/amd64");
    private static final BuildKey B = key("team/b", "linux/arm64/v8");
    private static final BuildKey C = key("team/c", "linux/amd64");

    @Test
    void workIsHandedOutInTheOrderInWhichItCame() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1), enqueued(C, 1));

        assertThat(grants(state, List.of(offer("w", 2)), NOW))
                .extracting(QueueEvent.Granted::key)
                .containsExactly(A, B);
    }

    @Test
    void aWorkerGetsOnlyWhatItOffers() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1));

        assertThat(grants(state, List.of(offer("arm", 2, "linux/arm64/v8", "*")), NOW))
                .extracting(QueueEvent.Granted::key)
                .containsExactly(B);
        assertThat(grants(state, List.of(offer("jib", 2, "*", "jib")), NOW)).isEmpty();
        assertThat(grants(state, List.of(offer("make", 2, "linux/amd64", "make")), NOW))
                .hasSize(1);
    }

    @Test
    void workSpreadsOverTheWorkersWithTheMostFreeSlots() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1), enqueued(C, 1));

        assertThat(grants(state, List.of(offer("w1", 2), offer("w2", 3), offer("w3", 0)), NOW))
                .extracting(QueueEvent.Granted::worker)
                .containsExactly("w2", "w1", "w2");
    }

    @Test
    void everyLeaseHasAHigherFenceThanAnyBefore() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1));
        List<QueueEvent.Granted> first = grants(state, List.of(offer("w", 2)), NOW);
        assertThat(first).extracting(QueueEvent.Granted::fence).containsExactly(1L, 2L);

        state = after(state, first.get(0), first.get(1), new QueueEvent.Removed(A, 1, NOW), enqueued(C, 1));
        assertThat(grants(state, List.of(offer("w", 2)), NOW))
                .extracting(QueueEvent.Granted::fence)
                .containsExactly(3L);
    }

    @Test
    void whatIsLeasedOrMustWaitIsNotHandedOut() {
        QueueState state = queue(enqueued(A, 1), granted(A, 1));
        assertThat(grants(state, List.of(offer("w", 1)), NOW)).isEmpty();

        state = after(state, new QueueEvent.Returned(A, 1, "failed", Optional.of(NOW.plusSeconds(5)), NOW));
        assertThat(grants(state, List.of(offer("w", 1)), NOW)).isEmpty();
        assertThat(state.nextReady(NOW)).contains(NOW.plusSeconds(5));
        assertThat(grants(state, List.of(offer("w", 1)), NOW.plusSeconds(5))).hasSize(1);
        assertThat(state.nextReady(NOW.plusSeconds(5))).isEmpty();
    }

    @Test
    void enqueuingAgainChangesNothing() {
        QueueState state = queue(enqueued(A, 2));

        assertThat(state.holds(A, 1)).isTrue();
        assertThat(state.holds(A, 2)).isTrue();
        assertThat(state.holds(A, 3)).isFalse();
        assertThat(state.holds(B, 1)).isFalse();
    }

    @Test
    void aLaterRequestTakesThePlaceOfTheEarlierAndOfItsLease() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1), granted(A, 1), enqueued(A, 2));

        assertThat(state.entries()).extracting(QueueState.Entry::key).containsExactly(B, A);
        assertThat(state.find(A).orElseThrow().lease()).isEmpty();
        assertThat(state.leasedTo("w")).isEmpty();
        assertThat(after(state, new QueueEvent.Removed(A, 1, NOW)).find(A))
                .as("a late word about the earlier request")
                .isPresent();
    }

    @Test
    void aReturnOfAnotherLeaseChangesNothing() {
        QueueState state = queue(enqueued(A, 1), granted(A, 1));

        assertThat(after(state, new QueueEvent.Returned(A, 9, "late", Optional.empty(), NOW)))
                .isEqualTo(state);
    }

    @Test
    void removingTwiceChangesNothing() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1), new QueueEvent.Removed(A, 1, NOW));

        assertThat(state.entries()).extracting(QueueState.Entry::key).containsExactly(B);
        assertThat(after(state, new QueueEvent.Removed(A, 1, NOW))).isEqualTo(state);
    }

    @Test
    void theQueueAndEachRepositoryHaveALimitThatALaterRequestPasses() {
        QueueState state = queue(enqueued(A, 1), enqueued(B, 1));
        BuildKey otherOfA = key("team/a", "linux/s390x");

        assertThat(state.refusal(C, 2, 5)).contains(QueueState.Refusal.FULL);
        assertThat(state.refusal(C, 3, 1)).isEmpty();
        assertThat(state.refusal(otherOfA, 3, 1)).contains(QueueState.Refusal.REPOSITORY_FULL);
        assertThat(state.refusal(A, 2, 1)).isEmpty();
    }

    private static List<QueueEvent.Granted> grants(QueueState state, List<Offer> offers, Instant now) {
        return HandOut.grants(state, offers, Set.of(), now);
    }

    private static QueueEvent enqueued(BuildKey key, int request) {
        return new QueueEvent.Enqueued(key, request, CAUSE, INPUT, NOW, Optional.empty());
    }

    private static QueueEvent granted(BuildKey key, long fence) {
        return new QueueEvent.Granted(key, 1, fence, "w", "life", NOW);
    }

    private static Offer offer(String worker, int free) {
        return offer(worker, free, "*", "*");
    }

    private static Offer offer(String worker, int free, String platform, String builder) {
        return new Offer(worker, "life", free, List.of(platform), List.of(builder), 0);
    }

    private static QueueState queue(QueueEvent... events) {
        return after(QueueState.EMPTY, events);
    }

    private static QueueState after(QueueState state, QueueEvent... events) {
        for (QueueEvent event : events) {
            state = state.apply(event);
        }
        return state;
    }
}
