package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.QUEUE;
import static dev.kiln.build.Samples.TERMS;
import static dev.kiln.build.Samples.key;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.actor.typed.javadsl.Behaviors;
import akka.persistence.testkit.javadsl.PersistenceTestKit;
import dev.kiln.build.BuildState.Result;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.ActorSystemExtension;
import dev.kiln.testing.SettableClock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The actors themselves, with two workers, while messages are lost, repeated and late, journals fail, and entities and
 * workers restart. What a seed does depends a little on the threads' order; it is printed on failure all the same.
 */
class BuildsUnderFaultsTest {
    private static final int STEPS = 80;
    private static final List<BuildKey> KEYS =
            List.of(key("team/a", "linux/amd64"), key("team/a", "linux/arm64/v8"), key("team/b", "linux/amd64"));

    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(Samples.entities());

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(longs = {1, 2, 3})
    void everyRequestedBuildEnds(long seed) {
        live(seed);
    }

    @Tag("long")
    @ParameterizedTest(name = "seed {0}")
    @MethodSource("moreSeeds")
    void everyRequestedBuildEndsInManyMoreWorlds(long seed) {
        live(seed);
    }

    static LongStream moreSeeds() {
        return LongStream.range(4, 100);
    }

    private static void live(long seed) {
        PersistenceTestKit.create(ACTORS.system()).clearAll();
        World world = new World(seed);
        try {
            world.live();
        } catch (AssertionError | RuntimeException e) {
            fail("seed " + seed + ": " + e.getMessage(), e);
        } finally {
            world.end();
        }
    }

    private static final class World {
        private final ActorTestKit testKit = ACTORS.testKit();
        private final ManualTime time = ManualTime.get(ACTORS.system());
        private final PersistenceTestKit journal = PersistenceTestKit.create(ACTORS.system());
        private final SettableClock clock = new SettableClock(NOW);
        private final RandomGenerator random;
        private final List<Runnable> late = new ArrayList<>();
        private final Map<BuildKey, ActorRef<BuildEntity.Command>> builds = new ConcurrentHashMap<>();
        private final ActorRef<BuildQueue.Command> towardsQueue;
        private final TestProbe<BuildEntity.RequestAnswer> client;
        private final List<ScriptedWorker> workers = new ArrayList<>();
        private volatile ActorRef<BuildQueue.Command> queue;
        private volatile boolean calm;

        World(long seed) {
            random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
            client = testKit.createTestProbe();
            towardsQueue = testKit.spawn(Behaviors.receiveMessage(command -> {
                send(() -> queue.tell(command));
                return Behaviors.same();
            }));
            KEYS.forEach(this::startBuild);
            startQueue();
            ScriptedWorker.Network network = new ScriptedWorker.Network(
                    ACTORS.system(), this::send, command -> send(() -> queue.tell(command)), this::tellBuild);
            for (String name : List.of("w1", "w2")) {
                workers.add(new ScriptedWorker(name, network, this::endOfAnAttempt));
            }
        }

        void live() {
            for (int step = 0; step < STEPS; step++) {
                disturb();
                workers.get(random(2)).tick();
                deliverLate(random(4));
                pass(Duration.ofMillis(random(3000)));
                settle();
            }
            calm = true;
            journal.resetPolicy();
            for (int step = 0; step < 200 && !atRest(); step++) {
                workers.forEach(ScriptedWorker::tick);
                deliverLate(Integer.MAX_VALUE);
                pass(Duration.ofSeconds(2));
                settle();
            }
            assertThat(atRest())
                    .as("all end, and nothing is left in the queue: %s", statuses())
                    .isTrue();
            KEYS.forEach(key -> JournalRules.check(events(key)));
        }

        private void disturb() {
            BuildKey key = KEYS.get(random(KEYS.size()));
            switch (random(14)) {
                case 0, 1, 2, 3 -> tellBuild(key, new BuildEntity.Request(CAUSE, INPUT, client.ref()));
                case 4 -> {
                    testKit.stop(builds.get(key));
                    startBuild(key);
                }
                case 5 -> {
                    testKit.stop(queue);
                    startQueue();
                }
                case 6 -> workers.get(random(2)).restart();
                case 7 ->
                    journal.failNextPersisted(BuildEntity.persistenceId(key).id());
                case 8 -> journal.failNextPersisted("BuildQueue|queue");
                case 9 -> tellBuild(key, new BuildEntity.Retry("ann", client.ref()));
                case 10 -> {
                    if (random(4) == 0) {
                        tellBuild(key, new BuildEntity.Cancel("ann", client.ref()));
                    }
                }
                default -> pass(Duration.ofSeconds(random(20)));
            }
        }

        private Optional<Result> endOfAnAttempt() {
            return switch (calm ? 0 : random(8)) {
                case 0 -> Optional.of(new Result.Succeeded(MANIFEST));
                case 1 -> Optional.of(new Result.Failed(FailureClass.SOURCE, "exit 2"));
                case 2, 3 -> Optional.of(new Result.Failed(FailureClass.INFRASTRUCTURE, "exit 75"));
                case 4 -> Optional.of(new Result.HandedBack("draining"));
                default -> Optional.empty();
            };
        }

        private void send(Runnable message) {
            int luck = calm ? 9 : random(10);
            switch (luck) {
                case 0, 1 -> {}
                case 2 -> {
                    message.run();
                    message.run();
                }
                case 3, 4 -> {
                    synchronized (late) {
                        late.add(message);
                    }
                }
                default -> message.run();
            }
        }

        private void deliverLate(int atMost) {
            for (int i = 0; i < atMost; i++) {
                Runnable message;
                synchronized (late) {
                    if (late.isEmpty()) {
                        return;
                    }
                    message = late.remove(random(late.size()));
                }
                message.run();
            }
        }

        private void tellBuild(BuildKey key, BuildEntity.Command command) {
            send(() -> builds.get(key).tell(command));
        }

        private void startBuild(BuildKey key) {
            builds.put(key, testKit.spawn(BuildEntity.create(key, any -> TERMS, towardsQueue, clock)));
        }

        private void startQueue() {
            queue = testKit.spawn(BuildQueue.create(this::tellBuild, QUEUE, clock));
        }

        private void pass(Duration duration) {
            clock.advance(duration);
            time.timePasses(duration);
        }

        /** Until all that was said so far has been heard. */
        private void settle() {
            statuses();
            ask(queue, BuildQueue.GetStatus::new);
        }

        private Map<BuildKey, BuildStatus> statuses() {
            Map<BuildKey, BuildStatus> statuses = new HashMap<>();
            KEYS.forEach(key -> statuses.put(key, ask(builds.get(key), BuildEntity.Get::new)));
            return statuses;
        }

        private boolean atRest() {
            return ask(queue, BuildQueue.GetStatus::new).entries().isEmpty()
                    && statuses().values().stream()
                            .map(BuildStatus::phase)
                            .allMatch(phase -> phase != BuildStatus.Phase.QUEUED && phase != BuildStatus.Phase.RUNNING);
        }

        private <C, A> A ask(ActorRef<C> entity, Function<ActorRef<A>, C> command) {
            return Samples.ask(testKit, entity, command, () -> pass(Duration.ofSeconds(1)));
        }

        private List<BuildEvent> events(BuildKey key) {
            return journal.persistedInStorage(BuildEntity.persistenceId(key).id()).stream()
                    .map(BuildEvent.class::cast)
                    .toList();
        }

        private int random(int bound) {
            synchronized (random) {
                return random.nextInt(bound);
            }
        }

        void end() {
            journal.resetPolicy();
            builds.values().forEach(testKit::stop);
            testKit.stop(queue);
        }
    }
}
