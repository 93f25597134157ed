package dev.kiln.repository;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.Dropped;
import akka.actor.testkit.typed.javadsl.ManualTime;
import akka.actor.testkit.typed.javadsl.TestProbe;
import akka.actor.typed.ActorRef;
import akka.actor.typed.eventstream.EventStream;
import akka.persistence.testkit.PersistenceTestKitPlugin;
import akka.persistence.testkit.PersistenceTestKitSnapshotPlugin;
import akka.persistence.testkit.ProcessingSuccess;
import akka.persistence.testkit.WriteEvents;
import akka.persistence.testkit.javadsl.PersistenceTestKit;
import com.typesafe.config.ConfigFactory;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.MediaTypes;
import dev.kiln.oci.RepositoryName;
import dev.kiln.repository.RepositoryCommand.BeginAnswer;
import dev.kiln.repository.RepositoryCommand.DeleteAnswer;
import dev.kiln.repository.RepositoryCommand.Found;
import dev.kiln.repository.RepositoryCommand.PutAnswer;
import dev.kiln.testing.ActorSystemExtension;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A repository's owner that is told more than it can keep while it writes. */
class FullStashTest {
    @RegisterExtension
    static final ActorSystemExtension ACTORS = ActorSystemExtension.with(ManualTime.config()
            .withFallback(PersistenceTestKitPlugin.config())
            .withFallback(PersistenceTestKitSnapshotPlugin.config())
            .withFallback(ConfigFactory.parseString("akka.actor.provider = local"))
            .withFallback(ConfigFactory.parseResources("kiln-akka.conf")));

    private static final RepositoryName NAME = new RepositoryName("team/app");
    private static final Digest LAYER = Digest.sha256(new byte[] {1});
    private static final Digest IMAGE = Digest.sha256(new byte[] {2});

    private final CompletableFuture<Boolean> removal = new CompletableFuture<>();
    private final ActorRef<RepositoryCommand> owner = ACTORS.testKit()
            .spawn(RepositoryEntity.create(
                    NAME, 3, (name, digest, kinds, untouchedSince) -> removal, Clock.systemUTC()));

    private static <A> TestProbe<A> probe() {
        return ACTORS.testKit().createTestProbe();
    }

    private BeginAnswer.Pinned pin(Digest digest) {
        TestProbe<BeginAnswer> begun = probe();
        owner.tell(new RepositoryCommand.Begin(List.of(digest), begun.ref()));
        return begun.expectMessageClass(BeginAnswer.Pinned.class, Duration.ofSeconds(20));
    }

    @Test
    void anOwnerForgetsARemovalOfWhoseEndItWasNotTold() {
        CountDownLatch written = new CountDownLatch(1);
        PersistenceTestKit.create(ACTORS.system()).withPolicy((id, operation) -> {
            if (operation instanceof WriteEvents) {
                await(written);
            }
            return ProcessingSuccess.getInstance();
        });
        TestProbe<Dropped> dropped = probe();
        ACTORS.system().eventStream().tell(new EventStream.Subscribe<>(Dropped.class, dropped.ref()));
        BeginAnswer.Pinned pin = pin(IMAGE);
        TestProbe<DeleteAnswer> deleted = probe();
        owner.tell(new RepositoryCommand.Drop(LAYER, Optional.empty(), deleted.ref()));
        PushedManifest image = new PushedManifest(
                new Descriptor(MediaTypes.OCI_MANIFEST, IMAGE, 1), List.of(), Optional.empty(), Optional.empty());
        TestProbe<PutAnswer> put = probe();
        owner.tell(new RepositoryCommand.Put(
                pin.incarnation(), pin.pin(), image, List.of(), new Pusher("docker/29", "192.0.2.7"), put.ref()));
        TestProbe<Found> found = probe();
        int stash = ACTORS.system().settings().config().getInt("akka.persistence.typed.stash-capacity");
        for (int i = 0; i < stash; i++) {
            owner.tell(new RepositoryCommand.GetManifest(IMAGE, found.ref()));
        }
        removal.complete(true);
        assertThat(dropped.receiveMessage(Duration.ofSeconds(20)).message().toString())
                .contains("Unlinked");
        written.countDown();
        put.expectMessage(Duration.ofSeconds(20), new PutAnswer.Stored());
        TestProbe<BeginAnswer> again = probe();
        owner.tell(new RepositoryCommand.Begin(List.of(LAYER), again.ref()));
        owner.tell(new RepositoryEntity.Stop());
        assertThat(pin(IMAGE)).as("it goes on").isNotNull();

        ManualTime.get(ACTORS.system()).timePasses(Duration.ofSeconds(20));

        again.expectMessageClass(BeginAnswer.Pinned.class, Duration.ofSeconds(20));
        again.expectTerminated(owner, Duration.ofSeconds(20));
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
