package dev.kiln.worker;

import static org.assertj.core.api.Assertions.assertThat;

import akka.Done;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.javadsl.Behaviors;
import com.typesafe.config.ConfigFactory;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildInput;
import dev.kiln.build.BuildQueue;
import dev.kiln.build.BuildQueue.WorkerNews;
import dev.kiln.build.Cause;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.source.SourceArchive;
import dev.kiln.testing.ActorSystemExtension;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Slots, asks and leases of a node; what an attempt does is {@link AttemptTest}'s. */
class WorkerTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(
            ManualTime.config().withFallback(ConfigFactory.parseString("akka.actor.provider = local")));

    private static final Duration ASK = Duration.ofSeconds(3);
    private static final Duration LEASE = Duration.ofMinutes(2);
    private static final Duration TERM = LEASE.minus(ASK);
    private static final KilnConfig.Queue QUEUE = new KilnConfig.Queue(10, 10, LEASE, ASK);
    private static final KilnConfig.Worker TWO_SLOTS =
            new KilnConfig.Worker(2, List.of("*"), List.of("*"), 60000, Duration.ofSeconds(2));

    /** An attempt as the worker made it. */
    private record Made(int slot, long leaseEnd, Runnable free, TestProbe<Attempt.Message> told) {}

    private final Map<Long, Made> made = new ConcurrentHashMap<>();
    private final AtomicLong nanos = new AtomicLong(1_000_000_000L);
    private final ManualTime time = ManualTime.get(ACTORS.system());
    private TestProbe<BuildQueue.Command> queue;
    private ActorRef<Worker.Message> worker;

    @BeforeEach
    void begin() {
        queue = ACTORS.testKit().createTestProbe();
        worker = ACTORS.testKit()
                .spawn(Worker.create("w1", "life", TWO_SLOTS, QUEUE, queue.ref()::tell, this::make, nanos::get));
    }

    private Behavior<Attempt.Message> make(BuildQueue.Granted lease, int slot, long leaseEnd, Runnable free) {
        TestProbe<Attempt.Message> told = ACTORS.testKit().createTestProbe();
        made.put(lease.fence(), new Made(slot, leaseEnd, free, told));
        return Behaviors.receiveMessage(message -> {
            told.ref().tell(message);
            return Behaviors.same();
        });
    }

    @Test
    void anAskNamesWhatIsFreeAndHeldAndIsRepeated() {
        BuildQueue.Ask first = ask();
        assertThat(first.free()).isEqualTo(2);
        assertThat(first.slots()).isEqualTo(2);
        assertThat(first.held()).isEmpty();
        time.timePasses(ASK);
        BuildQueue.Ask second = ask();
        assertThat(second.sequence()).isGreaterThan(first.sequence());
        assertThat(second.incarnation()).isEqualTo(first.incarnation());
    }

    @Test
    void aGrantTakesASlotAndIsNamedAtOnce() {
        grant(ask(), 7);
        BuildQueue.Ask next = ask();
        assertThat(next.held()).containsExactly(7L);
        assertThat(next.free()).isEqualTo(1);
        grant(next, 8);
        assertThat(ask().free()).isZero();
        assertThat(List.of(made.get(7L).slot(), made.get(8L).slot())).containsExactly(0, 1);
    }

    @Test
    void aGrantThatIsHeardTwiceIsOneAttemptEvenWithoutAFreeSlot() {
        BuildQueue.Ask ask = ask();
        grant(ask, 7);
        ask();
        grant(ask, 8);
        ask();
        grant(ask, 7);
        grant(ask, 9);
        assertThat(queue.expectMessageClass(BuildQueue.Return.class).fence()).isEqualTo(9);
        assertThat(made).containsOnlyKeys(7L, 8L);
    }

    @Test
    void aSlotIsFreeWhenNothingOfItsAttemptIsLeft() {
        grant(ask(), 7);
        ask();
        made.get(7L).free().run();

        BuildQueue.Ask next = ask();
        assertThat(next.held()).isEmpty();
        assertThat(next.free()).isEqualTo(2);
    }

    @Test
    void aNewLeaseCountsFromTheLastAskThatWasAnsweredBeforeIt() {
        BuildQueue.Ask first = ask();
        long answeredAt = nanos.get();
        renewed(first, Set.of());
        nanos.addAndGet(ASK.toNanos());
        time.timePasses(ASK);
        ask();
        grant(first, 7);
        ask();

        assertThat(made.get(7L).leaseEnd()).isEqualTo(answeredAt + TERM.toNanos());
    }

    @Test
    void aRenewalCountsFromTheAskThatItAnswers() {
        grant(ask(), 7);
        BuildQueue.Ask naming = ask();
        long sentAt = nanos.get();
        nanos.addAndGet(Duration.ofSeconds(10).toNanos());
        renewed(naming, Set.of(7L));

        made.get(7L).told().expectMessage(new Attempt.Renew(sentAt + TERM.toNanos()));
    }

    @Test
    void aLeaseThatWasNamedAndIsNotRenewedIsStoppedAndOneThatWasNotNamedIsNot() {
        BuildQueue.Ask empty = ask();
        grant(empty, 7);
        BuildQueue.Ask naming = ask();
        renewed(empty, Set.of());
        made.get(7L).told().expectNoMessage(Duration.ZERO);
        renewed(naming, Set.of());
        made.get(7L).told().expectMessageClass(Attempt.Stop.class);
    }

    @Test
    void whenTheNodeEndsWhatRunsIsStoppedAndNothingNewIsTaken() {
        BuildQueue.Ask ask = ask();
        grant(ask, 7);
        ask();
        TestProbe<Done> done = ACTORS.testKit().createTestProbe();
        worker.tell(new Worker.HandBack(done.ref()));
        made.get(7L).told().expectMessageClass(Attempt.Stop.class);
        grant(ask, 8);
        assertThat(queue.expectMessageClass(BuildQueue.Return.class).fence()).isEqualTo(8);
        done.expectNoMessage(Duration.ZERO);

        made.get(7L).free().run();

        done.expectMessage(Done.getInstance());
        assertThat(ask().free()).isZero();
    }

    @Test
    void whenTheNodeEndsAndNothingRunsItIsToldAtOnce() {
        TestProbe<Done> done = ACTORS.testKit().createTestProbe();
        worker.tell(new Worker.HandBack(done.ref()));
        done.expectMessage(Done.getInstance());
    }

    private BuildQueue.Ask ask() {
        return queue.expectMessageClass(BuildQueue.Ask.class);
    }

    private void grant(BuildQueue.Ask ask, long fence) {
        BuildKey key = BuildKey.of("team/app" + fence + "@" + "0123456789".repeat(4) + "@linux/amd64");
        BuildInput input = new BuildInput(new SourceArchive(Digest.sha256(new byte[0]), 0, 0), "make");
        Cause cause = new Cause("", "", "", "main");
        news(ask, new BuildQueue.Granted(key, new BuildEvent.Requested(1, cause, input, Instant.EPOCH), fence));
    }

    private static void renewed(BuildQueue.Ask ask, Set<Long> valid) {
        news(ask, new BuildQueue.Renewed(ask.sequence(), valid, LEASE));
    }

    private static void news(BuildQueue.Ask ask, WorkerNews news) {
        ask.worker().tell(news);
    }
}
