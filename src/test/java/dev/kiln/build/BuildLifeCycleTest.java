package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.KEY;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.TERMS;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.kiln.build.BuildLifeCycle.Transition;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.BuildState.StartAnswer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * One build, its queue and two workers, in every order that a seed comes upon: messages are lost, repeated and late, and
 * build and queue forget at any moment all that is not in their journals.
 */
class BuildLifeCycleTest {
    private static final int STEPS = 400;

    static LongStream seeds() {
        return LongStream.range(0, 300);
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void whateverHappensTheBuildEndsAndKeepsItsWord(long seed) {
        new World(seed).live();
    }

    @Test
    void everyStepOfTheTableIsTaken() {
        Set<Transition> taken = new HashSet<>();
        seeds().forEach(seed -> {
            World world = new World(seed);
            world.live();
            taken.addAll(world.taken);
        });

        assertThat(taken).containsExactlyInAnyOrderElementsOf(BuildLifeCycle.TRANSITIONS);
    }

    @Test
    void theDiagramInTheDocumentationShowsTheTable() throws IOException {
        assertThat(Files.readString(Path.of("docs/build-life-cycle.md"))).contains(diagram());
    }

    private static String diagram() {
        StringBuilder lines = new StringBuilder("```mermaid\nstateDiagram-v2\n    [*] --> NEW\n");
        Map<String, List<String>> byEnds = new LinkedHashMap<>();
        for (Transition t : BuildLifeCycle.TRANSITIONS) {
            byEnds.computeIfAbsent(t.from() + " --> " + t.to(), ends -> new ArrayList<>())
                    .add(t.event().getSimpleName());
        }
        byEnds.forEach((ends, events) -> lines.append("    ")
                .append(ends)
                .append(" : ")
                .append(String.join(", ", events))
                .append('\n'));
        return lines.append("```\n").toString();
    }

    /** A lease as a worker knows it. */
    private record Lease(BuildEvent.Requested request, long fence, String worker) {}

    private record Attempt(int attempt, long fence) {}

    private static final class World {
        private final long seed;
        private final RandomGenerator random;
        private final List<Runnable> underWay = new ArrayList<>();
        private final List<BuildEvent> journal = new ArrayList<>();
        private final Set<Transition> taken = new HashSet<>();
        private final List<Lease> leases = new ArrayList<>();
        private final Map<Attempt, Result> unacknowledged = new LinkedHashMap<>();
        private final Set<Integer> retried = new HashSet<>();
        private BuildState build = BuildState.EMPTY;
        private QueueState queue = QueueState.EMPTY;
        private Instant now = NOW;
        private boolean calm;

        World(long seed) {
            this.seed = seed;
            this.random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
        }

        void live() {
            try {
                for (int step = 0; step < STEPS; step++) {
                    step(random.nextInt(12));
                }
                calm = true;
                for (int step = 0; step < STEPS && !atRest(); step++) {
                    step(step % 9);
                }
                assertThat(atRest())
                        .as("it ends, and nothing is left in the queue: %s %s", build, queue)
                        .isTrue();
                check();
            } catch (AssertionError | RuntimeException e) {
                fail(
                        "seed " + seed + ": " + e.getMessage() + "\n"
                                + journal.stream().map(Object::toString).collect(Collectors.joining("\n")),
                        e);
            }
        }

        private boolean atRest() {
            return (build.hasEnded() || build.phase() == BuildStatus.Phase.NEW)
                    && queue.entries().isEmpty()
                    && underWay.isEmpty();
        }

        private void step(int kind) {
            now = now.plus(Duration.ofMillis(random.nextInt(3000)));
            switch (kind) {
                case 0, 1, 2 -> deliver();
                case 3 -> grant();
                case 4 -> leases.forEach(this::start);
                case 5 -> endAnAttempt();
                case 6 -> unacknowledged.forEach((attempt, result) -> send(() -> finished(attempt, result)));
                case 7 -> workerForgetsAndQueueNotices();
                case 8 -> send(this::request);
                case 9 -> leaseExpires();
                case 10 -> crash();
                case 11 -> operator();
                default -> throw new IllegalStateException();
            }
        }

        /** Sent, and in bad times lost, repeated or delivered out of order. */
        private void send(Runnable message) {
            int copies = calm ? 1 : List.of(0, 1, 1, 1, 2).get(random.nextInt(5));
            for (int i = 0; i < copies; i++) {
                underWay.add(message);
            }
        }

        private void deliver() {
            for (int i = calm ? underWay.size() : Math.min(underWay.size(), 1); i > 0; i--) {
                underWay.remove(calm ? 0 : random.nextInt(underWay.size())).run();
            }
        }

        private void request() {
            if (!calm && build.wantsRequest(now)) {
                enqueue();
            }
        }

        private void enqueue() {
            int next = build.request() + 1;
            send(() -> {
                if (!queue.holds(KEY, next)) {
                    persist(new QueueEvent.Enqueued(KEY, next, CAUSE, INPUT, now, Optional.empty()));
                }
                send(() -> {
                    if (build.request() < next) {
                        persist(List.of(new BuildEvent.Requested(next, CAUSE, INPUT, now)));
                    }
                });
            });
        }

        private void operator() {
            if (build.stage() instanceof BuildState.Stage.Failed && random.nextBoolean()) {
                retried.add(build.request() + 1);
                enqueue();
            } else if (random.nextInt(20) == 0) {
                now = now.plus(Duration.ofHours(2));
            } else if (random.nextInt(10) == 0) {
                persist(build.decideCancel("ann", now));
                sendRemoveIfEnded();
            }
        }

        private void grant() {
            String worker = random.nextBoolean() ? "w1" : "w2";
            HandOut.Offer offer = new HandOut.Offer(worker, "life", 1, List.of("*"), List.of("*"), 0);
            for (QueueEvent.Granted granted : HandOut.grants(queue, List.of(offer), Set.of(), now)) {
                persist(granted);
                BuildEvent.Requested request = new BuildEvent.Requested(granted.request(), CAUSE, INPUT, now);
                send(() -> leases.add(new Lease(request, granted.fence(), worker)));
            }
        }

        private void start(Lease lease) {
            send(() -> {
                var decision = build.decideStart(lease.request(), lease.fence(), lease.worker(), TERMS, now);
                persist(decision.events());
                StartAnswer answer = decision.answer();
                if (answer instanceof StartAnswer.Drop) {
                    send(() -> remove(lease.request().request()));
                } else if (answer instanceof StartAnswer.NotBefore notBefore) {
                    send(() -> giveBack(lease.fence(), Optional.of(notBefore.time())));
                }
                send(() -> answered(lease, answer));
            });
        }

        private void answered(Lease lease, StartAnswer answer) {
            if (!(answer instanceof StartAnswer.Start)) {
                leases.remove(lease);
            }
        }

        private void endAnAttempt() {
            if (build.stage() instanceof BuildState.Stage.Running
                    && leases.stream().anyMatch(l -> l.fence() == build.fence())) {
                Result result = switch (calm ? 0 : random.nextInt(6)) {
                    case 0 -> new Result.Succeeded(MANIFEST);
                    case 1 -> new Result.Failed(FailureClass.SOURCE, "exit 2");
                    case 2 -> new Result.Failed(FailureClass.TIMEOUT, "too long");
                    case 3 -> new Result.HandedBack("draining");
                    default -> new Result.Failed(FailureClass.INFRASTRUCTURE, "exit 75");
                };
                unacknowledged.putIfAbsent(new Attempt(build.attempt(), build.fence()), result);
            }
        }

        private void finished(Attempt attempt, Result result) {
            boolean current = build.isCurrent(attempt.attempt(), attempt.fence());
            var decision = build.decideFinished(attempt.attempt(), attempt.fence(), result, TERMS, now);
            persist(decision.events());
            assertThat(current && !decision.answer()).isFalse();
            if (build.stage() instanceof BuildState.Stage.Queued queued) {
                send(() -> giveBack(attempt.fence(), queued.notBefore()));
            }
            sendRemoveIfEnded();
            send(() -> {
                unacknowledged.remove(attempt);
                leases.removeIf(lease -> lease.fence() == attempt.fence());
            });
        }

        private void workerForgetsAndQueueNotices() {
            if (!calm && !leases.isEmpty() && random.nextInt(10) == 0) {
                leases.remove(random.nextInt(leases.size()));
            }
            leasedFence()
                    .filter(f -> leases.stream().noneMatch(l -> l.fence() == f))
                    .ifPresent(this::takeAway);
        }

        private void leaseExpires() {
            if (random.nextInt(3) == 0) {
                leasedFence().ifPresent(this::takeAway);
            }
        }

        private Optional<Long> leasedFence() {
            return queue.find(KEY).flatMap(QueueState.Entry::lease).map(QueueState.Lease::fence);
        }

        private void takeAway(long fence) {
            giveBack(fence, Optional.empty());
            send(() -> {
                persist(build.decideLost(fence, "silence", TERMS, now));
                sendRemoveIfEnded();
            });
        }

        private void giveBack(long fence, Optional<Instant> notBefore) {
            if (queue.leased(fence).isPresent()) {
                persist(new QueueEvent.Returned(KEY, fence, "over", notBefore, now));
            }
        }

        private void sendRemoveIfEnded() {
            if (build.hasEnded()) {
                int request = build.request();
                send(() -> remove(request));
            }
        }

        private void remove(int request) {
            if (queue.find(KEY).map(e -> e.request() <= request).orElse(false)) {
                persist(new QueueEvent.Removed(KEY, request, now));
            }
        }

        private void crash() {
            BuildState recovered = BuildState.EMPTY;
            for (BuildEvent event : journal) {
                recovered = recovered.apply(event);
            }
            assertThat(recovered).isEqualTo(build);
        }

        private void persist(QueueEvent event) {
            long before = queue.lastFence();
            queue = queue.apply(event);
            if (event instanceof QueueEvent.Granted granted) {
                assertThat(granted.fence()).as("fences only grow").isEqualTo(before + 1);
            }
        }

        private void persist(List<BuildEvent> events) {
            for (BuildEvent event : events) {
                BuildStatus.Phase from = build.phase();
                if (event instanceof BuildEvent.Requested requested
                        && build.stage() instanceof BuildState.Stage.Failed failed
                        && failed.failure().failureClass() == FailureClass.CANCELLED) {
                    assertThat(retried)
                            .as("what was cancelled stays so until a retry")
                            .contains(requested.request());
                }
                build = build.apply(event);
                journal.add(event);
                taken.add(new Transition(from, event.getClass(), build.phase()));
            }
        }

        private void check() {
            JournalRules.check(journal);
        }
    }
}
