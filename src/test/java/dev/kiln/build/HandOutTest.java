package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.NOW;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.build.HandOut.Offer;
import dev.kiln.build.QueueEvent.Granted;
import dev.kiln.oci.BuildKey;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who gets work next: examples, and properties over random farms. */
class HandOutTest {
    private static final String ARM = "linux/arm64/v8";
    private static final String AMD = "linux/amd64";
    /** Not the first of its leases, so that it does not go by age. */
    private static final long NOT_BY_AGE = 1;

    @Test
    void repositoriesTakeTurnsHoweverManyBuildsOneOfThemHas() {
        QueueState state = enqueued("team/a", 6, 0);
        state = after(state, enqueue(key("team/b", 100), false), enqueue(key("team/b", 101), false));

        assertThat(repositories(state, offer("w", 4, NOT_BY_AGE)))
                .containsExactly("team/a", "team/b", "team/a", "team/b");
    }

    @Test
    void whoRunsLessComesFirst() {
        QueueState state = enqueued("team/a", 3, 0);
        state = after(state, granted(state, key("team/a", 0)), enqueue(key("team/b", 50), false));

        assertThat(repositories(state, offer("w", 2, NOT_BY_AGE))).containsExactly("team/b", "team/a");
    }

    @Test
    void whatSomebodyWaitsForComesBeforeWhatNobodyDoesAndWhatAnOperatorAskedForToo() {
        QueueState state = enqueued("team/a", 4, 0);
        BuildKey retried = key("team/a", 9);
        state = after(state, enqueue(retried, true));
        Set<BuildKey> awaited = Set.of(key("team/a", 2));

        assertThat(HandOut.grants(state, List.of(offer("w", 3, NOT_BY_AGE)), awaited, NOW))
                .extracting(Granted::key)
                .containsExactly(key("team/a", 2), retried, key("team/a", 0));
    }

    @Test
    void eachFifthLeaseOfAWorkerGoesByAge() {
        QueueState state = enqueued("team/a", 3, 0);
        Set<BuildKey> awaited = Set.of(key("team/a", 2));

        assertThat(HandOut.grants(state, List.of(offer("w", 1, 5)), awaited, NOW))
                .extracting(Granted::key)
                .containsExactly(key("team/a", 0));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, NOT_BY_AGE})
    void whatAWorkerReturnedGoesToAnotherThatHasRoomHoweverFreeTheFirstIs(long taken) {
        QueueState state = enqueued("team/a", 2, 0);
        BuildKey build = key("team/a", 0);
        state = after(
                state,
                granted(state, build),
                new QueueEvent.Returned(build, 1, "its attempt ended", Optional.empty(), NOW));
        Offer first = offer("w", 2, taken);
        Offer other = offer("other", 1, taken);

        assertThat(HandOut.grants(state, List.of(first, other), Set.of(), NOW))
                .extracting(Granted::key, Granted::worker)
                .containsExactlyInAnyOrder(Tuple.tuple(build, "other"), Tuple.tuple(key("team/a", 1), "w"));
        assertThat(HandOut.grants(state, List.of(first, offer("other", 0, taken)), Set.of(), NOW))
                .extracting(Granted::key, Granted::worker)
                .contains(Tuple.tuple(build, "w"));
    }

    @Test
    void aDrainedWorkerGetsNothing() {
        QueueState state = after(enqueued("team/a", 3, 0), new QueueEvent.Drained("w", "ann", NOW));

        assertThat(repositories(state, offer("w", 3, 0))).isEmpty();
        assertThat(repositories(state, offer("other", 1, 0))).hasSize(1);
        assertThat(repositories(after(state, new QueueEvent.Undrained("w", "ann", NOW)), offer("w", 3, 0)))
                .hasSize(3);
    }

    @Test
    void placesAreCountedByPlatformAndWhatMayNotStartYetIsLast() {
        BuildKey late = key("team/a", 0);
        QueueState state = enqueued("team/a", 4, 0);
        state = after(state, granted(state, late));
        state = after(
                state,
                new QueueEvent.Returned(late, state.lastFence(), "failed", Optional.of(NOW.plusSeconds(9)), NOW));

        assertThat(HandOut.places(state, Set.of(key("team/a", 3)), NOW))
                .containsExactlyInAnyOrderEntriesOf(
                        Map.of(key("team/a", 1), 2, key("team/a", 3), 1, key("team/a", 2), 1, late, 2));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void inAnyFarmNobodyStarvesAndNobodyGetsTooMuch(long seed) {
        Farm farm = new Farm(seed);
        for (int step = 0; step < 600; step++) {
            farm.step();
        }
    }

    /** Twice the same world: the same leases. */
    @Test
    void theSameHistoryLeadsToTheSameLeases() {
        Farm one = new Farm(42);
        Farm two = new Farm(42);
        for (int step = 0; step < 200; step++) {
            one.step();
            two.step();
            assertThat(one.state).isEqualTo(two.state);
        }
        assertThat(one.state.lastFence()).isGreaterThan(50);
    }

    @Test
    void ofEquallyHungryRepositoriesNoneGetsMoreThanItsShareAndWhatGoesByAge() {
        // The large one has all the oldest entries; each of four has always one more waiting.
        QueueState state = enqueued("team/large", 900, 0);
        int next = 1000;
        Map<String, Integer> leases = new HashMap<>();
        for (String name : List.of("team/b", "team/c", "team/d")) {
            state = after(state, enqueue(key(name, next++), false));
        }
        for (int taken = 0; taken < 400; taken++) {
            Granted granted = HandOut.grants(state, List.of(offer("w", 1, taken)), Set.of(), NOW)
                    .get(0);
            String name = granted.key().repository().value();
            leases.merge(name, 1, Integer::sum);
            state = after(
                    state, granted, new QueueEvent.Removed(granted.key(), 1, NOW), enqueue(key(name, next++), false));
        }

        for (String name : List.of("team/b", "team/c", "team/d")) {
            // four fifths of a fair quarter
            assertThat(leases.get(name)).as(name).isBetween(75, 100);
        }
    }

    /** Workers of some platforms, builds of any length, people who wait now and then; checks what is promised. */
    private static final class Farm {
        private final RandomGenerator random;
        private final long seed;
        private final Map<String, Offer> workers = new HashMap<>();
        private final Map<String, Long> taken = new HashMap<>();
        /** For each entry that waits: how many leases each worker that takes it has had since it came. */
        private final Map<BuildKey, Map<String, Integer>> passedOver = new HashMap<>();

        private final Map<BuildKey, Integer> older = new HashMap<>();
        private QueueState state = QueueState.EMPTY;
        private int builds;

        Farm(long seed) {
            this.seed = seed;
            random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
            workers.put("amd", new Offer("amd", "life", 2, List.of(AMD), List.of("*"), 0));
            workers.put("arm", new Offer("arm", "life", 1, List.of(ARM), List.of("*"), 0));
            workers.put("any", new Offer("any", "life", 3, List.of("*"), List.of("*"), 0));
        }

        void step() {
            for (int i = random.nextInt(3); i > 0; i--) {
                String repository = random.nextInt(3) == 0 ? "team/r" + random.nextInt(12) : "team/large";
                BuildKey build = key(repository, builds++);
                older.put(build, (int) waiting());
                passedOver.put(build, new HashMap<>());
                state = after(state, enqueue(build, random.nextInt(20) == 0));
            }
            if (random.nextInt(40) == 0) {
                state = after(
                        state,
                        state.drained().isEmpty()
                                ? new QueueEvent.Drained("amd", "ann", NOW)
                                : new QueueEvent.Undrained("amd", "ann", NOW));
            }
            for (QueueState.Entry entry : List.copyOf(state.entries())) {
                if (entry.lease().isPresent() && random.nextInt(6) == 0) {
                    state = after(state, new QueueEvent.Removed(entry.key(), 1, NOW));
                }
            }
            grant();
        }

        private long waiting() {
            return state.entries().stream().filter(e -> e.lease().isEmpty()).count();
        }

        private void grant() {
            Set<BuildKey> awaited = new HashSet<>();
            state.entries().forEach(e -> {
                if (random.nextInt(3) == 0) {
                    awaited.add(e.key());
                }
            });
            List<Offer> offers = new ArrayList<>();
            for (String name : List.of("amd", "arm", "any")) {
                Offer full = workers.get(name);
                int free = full.free() - (int) state.leasedTo(name).count();
                offers.add(
                        new Offer(name, "life", free, full.platforms(), full.builders(), taken.getOrDefault(name, 0L)));
            }
            for (Granted granted : HandOut.grants(state, offers, awaited, NOW)) {
                QueueState.Entry entry = state.find(granted.key()).orElseThrow();
                String worker = granted.worker();
                assertThat(workers.get(worker).fits(entry)).as("seed %d", seed).isTrue();
                assertThat(state.drained()).as("seed %d", seed).doesNotContain(worker);
                assertThat(entry.lease()).as("seed %d", seed).isEmpty();
                state = after(state, granted);
                assertThat(state.leasedTo(worker).count())
                        .as("seed %d: slots of %s", seed, worker)
                        .isLessThanOrEqualTo(workers.get(worker).free());
                taken.merge(worker, 1L, Long::sum);
                passedOver.remove(granted.key());
                passedOver.forEach((key, leases) -> {
                    if (workers.get(worker).fits(state.find(key).orElseThrow())) {
                        int passed = leases.merge(worker, 1, Integer::sum);
                        assertThat(passed)
                                .as("seed %d: leases of %s while %s waits", seed, worker, key)
                                .isLessThanOrEqualTo(HandOut.BY_AGE * (older.get(key) + 1));
                    }
                });
            }
        }
    }

    private static QueueState enqueued(String repository, int builds, int from) {
        QueueState state = QueueState.EMPTY;
        for (int i = from; i < from + builds; i++) {
            state = after(state, enqueue(key(repository, i), false));
        }
        return state;
    }

    private static List<String> repositories(QueueState state, Offer offer) {
        return HandOut.grants(state, List.of(offer), Set.of(), NOW).stream()
                .map(granted -> granted.key().repository().value())
                .toList();
    }

    private static Offer offer(String worker, int free, long taken) {
        return new Offer(worker, "life", free, List.of("*"), List.of("*"), taken);
    }

    /** Even ones for one platform, odd ones for the other. */
    private static BuildKey key(String repository, int number) {
        return BuildKey.of(repository + "@" + String.format("%040x", number) + "@" + (number % 2 == 0 ? AMD : ARM));
    }

    private static QueueEvent enqueue(BuildKey key, boolean urgent) {
        return new QueueEvent.Enqueued(key, 1, CAUSE, INPUT, NOW, Optional.of(urgent));
    }

    private static Granted granted(QueueState state, BuildKey key) {
        return new Granted(key, 1, state.lastFence() + 1, "w", "life", NOW);
    }

    private static QueueState after(QueueState state, QueueEvent... events) {
        QueueState next = state;
        for (QueueEvent event : events) {
            next = next.apply(event);
        }
        return next;
    }
}
