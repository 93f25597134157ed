package dev.kiln.build;

import static dev.kiln.build.Samples.CAUSE;
import static dev.kiln.build.Samples.INPUT;
import static dev.kiln.build.Samples.KEY;
import static dev.kiln.build.Samples.MANIFEST;
import static dev.kiln.build.Samples.NOW;
import static dev.kiln.build.Samples.QUEUE;
import static dev.kiln.build.Samples.key;
import static dev.kiln.build.Samples.requested;
import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.typed.ActorRef;
import akka.serialization.SerializationExtension;
import com.typesafe.config.ConfigFactory;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Wire;
import dev.kiln.testing.ActorSystemExtension;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** All that travels between nodes, there and back through its serialisation. */
class WireTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(Samples.serialization());

    private static final List<Class<?>> FAMILIES = List.of(
            BuildEntity.Command.class,
            BuildEntity.RequestAnswer.class,
            BuildEntity.Acknowledged.class,
            BuildState.StartAnswer.class,
            AttemptCommand.class,
            PushAnswer.class,
            BuildStatus.class,
            BuildQueue.Command.class,
            BuildQueue.EnqueueAnswer.class,
            BuildQueue.WorkerNews.class,
            QueueStatus.class);

    @Test
    void everyMessageComesBackEqual() {
        for (Object message : messages()) {
            ACTORS.testKit().serializationTestKit().verifySerialization(message, true);
        }
    }

    @Test
    void everyKindOfMessageIsAmongThem() {
        assertThat(messages().stream().map(Object::getClass).distinct().toList())
                .containsAll(FAMILIES.stream().flatMap(WireTest::kinds).toList());
    }

    /** Strangers may say what they like in their User-Agent, and nothing of it can be compressed. */
    @Test
    void aFullQueueFitsIntoOneMessage() {
        Random random = new Random(1);
        List<QueueStatus.Entry> entries = IntStream.range(0, 10_000)
                .mapToObj(i -> new QueueStatus.Entry(
                        BuildKey.of(
                                "group/team/" + text(random, 'a', 'z', 40) + "@" + revision(random) + "@linux/amd64"),
                        1,
                        new Cause(
                                text(random, ' ', '~', 256),
                                "2001:db8:" + text(random, 'a', 'f', 20),
                                "linux/amd64 by ?platform=",
                                text(random, 'A', 'z', 128)),
                        NOW.plusNanos(random.nextInt()),
                        Optional.empty(),
                        Optional.empty(),
                        Optional.empty(),
                        true,
                        Optional.of(i)))
                .toList();
        long largest = ConfigFactory.parseResources("kiln-akka.conf")
                .getBytes("akka.remote.artery.advanced.maximum-frame-size");

        byte[] bytes = SerializationExtension.get(ACTORS.system())
                .serialize(new QueueStatus(entries, List.of()))
                .get();
        assertThat(bytes.length).isLessThan((int) largest * 5 / 6);
    }

    private static String revision(Random random) {
        byte[] bytes = new byte[20];
        random.nextBytes(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    private static String text(Random random, char from, char to, int length) {
        return random.ints(length, from, to + 1)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    /** A worker repeats its result until it is heard, and holds the slot so long. */
    @Test
    void aResultFitsIntoOneMessageWhateverTheOutputOfABuildSays() {
        String said = "\ud83d\ude00".repeat(2_000_000);
        for (BuildState.Result result : List.of(
                new BuildState.Result.Failed(FailureClass.SOURCE, said), new BuildState.Result.HandedBack(said))) {
            byte[] bytes = SerializationExtension.get(ACTORS.system())
                    .serialize(new BuildEntity.Finished(1, 7, result, ref()))
                    .get();
            assertThat(bytes).hasSizeLessThan(10_000);
        }
    }

    @Test
    void theQueuesSnapshotComesBackEqual() {
        QueueState state = QueueState.EMPTY
                .apply(new QueueEvent.Enqueued(KEY, 3, CAUSE, INPUT, NOW, Optional.of(true)))
                .apply(new QueueEvent.Enqueued(key("team/b", "linux/amd64"), 1, CAUSE, INPUT, NOW, Optional.empty()))
                .apply(new QueueEvent.Granted(KEY, 3, 9_000_000_000L, "w1", "life", NOW))
                .apply(new QueueEvent.Granted(key("team/b", "linux/amd64"), 1, 9_000_000_001L, "w2", "life", NOW))
                .apply(new QueueEvent.Returned(KEY, 9_000_000_000L, "failed", Optional.of(NOW), NOW));

        ACTORS.testKit().serializationTestKit().verifySerialization(state, true);
    }

    /** Private ones never leave their actor. */
    private static Stream<Class<?>> kinds(Class<?> family) {
        return family.isSealed()
                ? Stream.of(family.getPermittedSubclasses()).filter(kind -> !Modifier.isPrivate(kind.getModifiers()))
                : Stream.of(family);
    }

    private static <T> ActorRef<T> ref() {
        return ACTORS.testKit().<T>createTestProbe().ref();
    }

    private static List<Wire> messages() {
        BuildState running =
                BuildState.EMPTY.apply(requested(1)).apply(new BuildEvent.AttemptStarted(1, 1, 7, "w1", NOW));
        BuildStatus failed = running.apply(
                        new BuildEvent.Failed(1, FailureClass.SOURCE, "exit 2", Optional.of(NOW), NOW))
                .status(KEY);
        BuildStatus built =
                running.apply(new BuildEvent.Built(1, 7, MANIFEST, NOW)).status(KEY);
        List<Wire> messages = new ArrayList<>(List.of(
                new BuildEntity.Request(CAUSE, INPUT, ref()),
                new BuildEntity.Retry("ann", ref()),
                new BuildEntity.Cancel("ann", ref()),
                new BuildEntity.Get(ref()),
                new BuildEntity.Subscribe(ref(), QUEUE.ask(), true),
                new BuildEntity.Placed(1, 3),
                new BuildEntity.Start(requested(1), 9_000_000_000L, "w1", ref(), ref()),
                new BuildEntity.Report(1, 7, ref()),
                new BuildEntity.LeaseLost(7, "silence"),
                new BuildEntity.Push(MANIFEST.digest(), Optional.of(MANIFEST), ref()),
                new AttemptCommand.Push(MANIFEST.digest(), Optional.empty(), ref()),
                new PushAnswer.Open(),
                new PushAnswer.Stored(),
                new PushAnswer.Rejected("for linux/arm64"),
                new PushAnswer.NotTaken("the disk is full"),
                new PushAnswer.Refused("no attempt runs"),
                new BuildEntity.Acknowledged(1, 7, true),
                new BuildEntity.RequestAnswer.Joined(failed, true),
                new BuildEntity.RequestAnswer.QueueFull(QueueState.Refusal.REPOSITORY_FULL),
                new BuildEntity.RequestAnswer.Unavailable(),
                new BuildEntity.RequestAnswer.Conflict(built),
                new BuildState.StartAnswer.Start(3),
                new BuildState.StartAnswer.NotBefore(NOW),
                new BuildState.StartAnswer.Drop(),
                new BuildState.StartAnswer.Superseded(),
                new AttemptCommand.Stop("cancelled"),
                BuildState.EMPTY.status(KEY),
                running.status(KEY),
                new BuildQueue.Enqueue(KEY, 1, CAUSE, INPUT, true, ref()),
                new BuildQueue.Awaited(KEY, 1, QUEUE.ask()),
                new BuildQueue.SetDrained("w1", true, "ann", ref()),
                new BuildQueue.DrainAnswer.Unknown(),
                new BuildQueue.DrainAnswer.TooMany(),
                new BuildQueue.DrainAnswer.Done(new QueueStatus.Worker("w1", 2, 1, List.of("*"), List.of("*"), true)),
                new BuildQueue.Remove(KEY, 1),
                new BuildQueue.Return(KEY, 7, "later", Optional.of(NOW)),
                new BuildQueue.Ask(ref(), "w1", "life", 5, 2, 1, List.of("*"), List.of("make"), Set.of(7L)),
                new BuildQueue.GetStatus(ref()),
                new BuildQueue.EnqueueAnswer.Accepted(),
                new BuildQueue.EnqueueAnswer.Refused(QueueState.Refusal.FULL),
                new BuildQueue.Granted(KEY, requested(2), 7),
                new BuildQueue.Renewed(5, Set.of(7L, 9_000_000_000L), QUEUE.lease()),
                new QueueStatus(
                        List.of(new QueueStatus.Entry(
                                KEY,
                                1,
                                CAUSE,
                                NOW,
                                Optional.of(NOW),
                                Optional.of("w1"),
                                Optional.of(7L),
                                true,
                                Optional.of(2))),
                        List.of(new QueueStatus.Worker("w1", 2, 1, List.of("*"), List.of("*"), false)))));
        Stream.of(
                        new BuildState.Result.Succeeded(MANIFEST),
                        new BuildState.Result.Failed(FailureClass.TIMEOUT, "too long"),
                        new BuildState.Result.HandedBack("draining"))
                .forEach(result -> messages.add(new BuildEntity.Finished(1, 7, result, ref())));
        return messages;
    }
}
