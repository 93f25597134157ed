package dev.kiln.build;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.persistence.testkit.javadsl.EventSourcedBehaviorTestKit;
import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.source.SourceArchive;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/** What the tests of this package build, and when. */
final class Samples {
    static final Instant NOW = Instant.parse("2026-11-23T10:00:00.123456789Z");
    static final BuildKey KEY = key("team/app", "linux/arm64/v8");
    static final Cause CAUSE = new Cause("containers/5.30.0", "192.0.2.7", "linux/arm64/v8 by query", "main");
    static final BuildInput INPUT = new BuildInput(new SourceArchive(digest("source"), 10_240, 1_700_000_000L), "make");
    static final Descriptor MANIFEST = new Descriptor(MediaTypes.OCI_MANIFEST, digest("manifest"), 512);
    static final BuildTerms TERMS = new BuildTerms(Optional.of("make"), 3, Duration.ofHours(1), Duration.ofSeconds(5));
    static final KilnConfig.Queue QUEUE = new KilnConfig.Queue(6, 4, Duration.ofSeconds(120), Duration.ofSeconds(5));

    private Samples() {}

    static BuildKey key(String repository, String platform) {
        return BuildKey.of(repository + "@" + "0123456789".repeat(4) + "@" + platform);
    }

    static Digest digest(String of) {
        return Digest.sha256(of.getBytes(StandardCharsets.UTF_8));
    }

    static BuildEvent.Requested requested(int request) {
        return new BuildEvent.Requested(request, CAUSE, INPUT, NOW);
    }

    /** The bindings under which messages travel and events are stored, as the server has them. */
    static Config serialization() {
        Config server = ConfigFactory.parseResources("kiln-akka.conf");
        return Stream.of(
                        "actor.serializers",
                        "actor.serialization-identifiers",
                        "actor.serialization-bindings",
                        "serialization.jackson")
                .map(path -> server.withOnlyPath("akka." + path))
                .reduce(ConfigFactory.empty(), Config::withFallback);
    }

    /** Entities with a journal in memory, and timers that go off when the test says so. */
    static Config entities() {
        return ManualTime.config()
                .withFallback(EventSourcedBehaviorTestKit.config())
                .withFallback(serialization());
    }

    /** The next message; an entity that comes back after a failure of its journal needs time to pass for it. */
    static <A> A receive(TestProbe<A> probe, Runnable passTime) {
        for (int i = 0; i < 500; i++) {
            try {
                return probe.receiveMessage(Duration.ofMillis(20));
            } catch (AssertionError notYet) {
                passTime.run();
            }
        }
        throw new AssertionError("no message, however much time passes");
    }

    /** Asks until it is answered: what is said to an entity while its journal fails is lost. */
    static <C, A> A ask(ActorTestKit testKit, ActorRef<C> entity, Function<ActorRef<A>, C> command, Runnable passTime) {
        TestProbe<A> probe = testKit.createTestProbe();
        entity.tell(command.apply(probe.ref()));
        return receive(probe, () -> {
            passTime.run();
            entity.tell(command.apply(probe.ref()));
        });
    }
}
