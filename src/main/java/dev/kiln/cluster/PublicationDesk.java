package dev.kiln.cluster;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorRefResolver;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import akka.cluster.ClusterEvent;
import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Subscribe;
import dev.kiln.blob.SettlingContent.Publishers;
import dev.kiln.blob.SettlingContent.Word;
import dev.kiln.blob.SharedFolder;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Wire;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Where other nodes ask whether this one has published a link lately, and how it asks them: the store is shared, and may show
 * late what another node wrote. Thread-safe.
 */
public final class PublicationDesk implements Publishers {
    private static final String NAME = "kiln-publications";
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** The question. */
    record HaveYou(RepositoryName repository, Digest digest, ActorRef<Have> replyTo) implements Wire {}

    /** The answer. */
    record Have(boolean published) implements Wire {}

    private final ActorSystem<?> system;
    private final Cluster cluster;
    private final Duration settle;
    private volatile long lastLoss;

    private PublicationDesk(ActorSystem<?> system, Duration settle) {
        this.system = system;
        this.cluster = Cluster.get(system);
        this.settle = settle;
        // What a node wrote that was lost before this one came is not known either.
        this.lastLoss = System.nanoTime();
    }

    /**
     * Opens this node's desk. Once for each actor system.
     *
     * @param settle for how long a node that is no longer there may have left what does not show yet
     * @param blocking runs look-ups in the store
     */
    public static PublicationDesk open(ActorSystem<?> system, SharedFolder folder, Duration settle, Executor blocking) {
        PublicationDesk desk = new PublicationDesk(system, settle);
        system.systemActorOf(answering(folder, blocking), NAME, Props.empty());
        system.systemActorOf(desk.watching(), NAME + "-losses", Props.empty());
        return desk;
    }

    private static Behavior<HaveYou> answering(SharedFolder folder, Executor blocking) {
        return Behaviors.receiveMessage(question -> {
            blocking.execute(() -> {
                try {
                    question.replyTo().tell(new Have(folder.hasPublished(question.repository(), question.digest())));
                } catch (IOException e) {
                    // No answer: who asks then takes it for possible.
                }
            });
            return Behaviors.same();
        });
    }

    private Behavior<ClusterEvent.MemberRemoved> watching() {
        return Behaviors.setup(context -> {
            cluster.subscriptions().tell(Subscribe.create(context.getSelf(), ClusterEvent.MemberRemoved.class));
            return Behaviors.receiveMessage(removed -> {
                lastLoss = System.nanoTime();
                return Behaviors.same();
            });
        });
    }

    /** All members at once; whoever is out of reach may have published anything. */
    @Override
    public CompletionStage<Word> ask(RepositoryName repository, Digest digest) {
        List<CompletableFuture<Word>> words = others().map(
                        member -> ask(member, repository, digest).toCompletableFuture())
                .toList();
        boolean complete = cluster.selfMember().status() == MemberStatus.up()
                && cluster.state().getUnreachable().isEmpty()
                && System.nanoTime() - lastLoss > settle.toNanos();
        return CompletableFuture.allOf(words.toArray(CompletableFuture[]::new))
                .thenApply(done -> words.stream()
                        .map(CompletableFuture::join)
                        .reduce(complete ? Word.ABSENT : Word.UNKNOWN, PublicationDesk::stronger));
    }

    private Stream<Member> others() {
        return StreamSupport.stream(cluster.state().getMembers().spliterator(), false)
                .filter(member ->
                        !member.uniqueAddress().equals(cluster.selfMember().uniqueAddress()))
                .filter(member -> !cluster.state().getUnreachable().contains(member));
    }

    private CompletionStage<Word> ask(Member member, RepositoryName repository, Digest digest) {
        ActorRef<HaveYou> desk = ActorRefResolver.get(system).resolveActorRef(member.address() + "/system/" + NAME);
        return AskPattern.<HaveYou, Have>ask(
                        desk, replyTo -> new HaveYou(repository, digest, replyTo), TIMEOUT, system.scheduler())
                .handle((have, silence) ->
                        silence != null ? Word.UNKNOWN : have.published() ? Word.PUBLISHED : Word.ABSENT);
    }

    private static Word stronger(Word a, Word b) {
        return a == Word.PUBLISHED || b == Word.PUBLISHED
                ? Word.PUBLISHED
                : a == Word.UNKNOWN || b == Word.UNKNOWN ? Word.UNKNOWN : Word.ABSENT;
    }
}
