package dev.kiln.cluster;

import akka.NotUsed;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorRefResolver;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.javadsl.AskPattern;
import akka.cluster.Member;
import akka.cluster.typed.Cluster;
import akka.japi.Pair;
import akka.stream.javadsl.Source;
import akka.util.ByteString;
import dev.kiln.blob.BuildLogs;
import dev.kiln.oci.BuildKey;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.NoSuchFileException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.StreamSupport;

/**
 * The logs of attempts on all nodes of a cluster: one that is being written on another node is followed there. Thread-safe.
 */
public final class ClusterLogs implements BuildLogs {
    private static final String BUILDER = "builder";
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    private final BuildLogs logs;
    private final ActorSystem<?> system;
    private final Cluster cluster;

    private ClusterLogs(BuildLogs logs, ActorSystem<?> system) {
        this.logs = logs;
        this.system = system;
        this.cluster = Cluster.get(system);
    }

    /** Lets other nodes follow {@code logs}, and follows theirs. Once for each actor system. */
    public static ClusterLogs open(ActorSystem<?> system, BuildLogs logs) {
        LogDesk.open(system, logs);
        return new ClusterLogs(logs, system);
    }

    @Override
    public OutputStream create(BuildKey key, int attempt) throws IOException {
        return logs.create(key, attempt);
    }

    @Override
    public boolean exists(BuildKey key, int attempt) throws IOException {
        return logs.exists(key, attempt);
    }

    @Override
    public CompletionStage<Boolean> isGrowingElsewhere(BuildKey key, int attempt) {
        return growing(key, attempt).thenApply(Optional::isPresent);
    }

    @Override
    public boolean isGrowing(BuildKey key, int attempt) {
        return logs.isGrowing(key, attempt);
    }

    /** Ends where the other node is no longer heard of: the folder shows the rest in a moment. */
    @Override
    public Source<ByteString, NotUsed> read(BuildKey key, int attempt, long offset, boolean follow) {
        if (logs.isGrowing(key, attempt)) {
            return logs.read(key, attempt, offset, follow);
        }
        return follow
                ? thereOrHere(key, attempt, offset, true)
                // where the folder does not show it yet
                : logs.read(key, attempt, offset, false)
                        .recoverWithRetries(
                                1, NoSuchFileException.class, () -> thereOrHere(key, attempt, offset, false));
    }

    private Source<ByteString, NotUsed> thereOrHere(BuildKey key, int attempt, long offset, boolean follow) {
        return Source.completionStageSource(growing(key, attempt)
                        .thenApply(desk -> desk.map(there -> there(there, key, attempt, offset, follow))
                                .orElseGet(() -> logs.read(key, attempt, offset, false))))
                .mapMaterializedValue(unused -> NotUsed.getInstance());
    }

    private Source<ByteString, NotUsed> there(
            ActorRef<LogDesk.Question> desk, BuildKey key, int attempt, long offset, boolean follow) {
        return Source.unfoldAsync(
                        offset,
                        position -> AskPattern.<LogDesk.Question, LogDesk.More>ask(
                                        desk,
                                        replyTo -> new LogDesk.ReadOn(key, attempt, position, !follow, replyTo),
                                        LogDesk.PATIENCE.plus(TIMEOUT),
                                        system.scheduler())
                                .handle((more, silence) -> silence != null || more.ended()
                                        ? Optional.<Pair<Long, ByteString>>empty()
                                        : Optional.of(Pair.create(
                                                position + more.bytes().length,
                                                ByteString.fromArrayUnsafe(more.bytes())))))
                .filter(bytes -> !bytes.isEmpty());
    }

    /** The desk of the node that writes the log; asks all that run builds, at once. */
    private CompletableFuture<Optional<ActorRef<LogDesk.Question>>> growing(BuildKey key, int attempt) {
        List<CompletableFuture<Optional<ActorRef<LogDesk.Question>>>> answers = StreamSupport.stream(
                        cluster.state().getMembers().spliterator(), false)
                .filter(member -> member.hasRole(BUILDER))
                .filter(member ->
                        !member.uniqueAddress().equals(cluster.selfMember().uniqueAddress()))
                .filter(member -> !cluster.state().getUnreachable().contains(member))
                .map(member -> ask(member, key, attempt).toCompletableFuture())
                .toList();
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new))
                .thenApply(done -> answers.stream()
                        .flatMap(answer -> answer.join().stream())
                        .findFirst());
    }

    private CompletionStage<Optional<ActorRef<LogDesk.Question>>> ask(Member member, BuildKey key, int attempt) {
        ActorRef<LogDesk.Question> desk =
                ActorRefResolver.get(system).resolveActorRef(member.address() + "/system/" + LogDesk.NAME);
        return AskPattern.<LogDesk.Question, LogDesk.Growing>ask(
                        desk, replyTo -> new LogDesk.IsGrowing(key, attempt, replyTo), TIMEOUT, system.scheduler())
                .handle((growing, silence) -> Optional.of(desk).filter(d -> silence == null && growing.here()));
    }
}
