package dev.kiln.cluster;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.Behaviors;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import dev.kiln.blob.BuildLogs;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Wire;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;

/**
 * Where other nodes read the logs that are being written on this one, since the shared folder may show them late. Each
 * question is for what comes next, so nothing is sent that nobody wants, and nothing is kept.
 */
final class LogDesk {
    static final String NAME = "kiln-logs";
    /** How long a question for more waits for it. */
    static final Duration PATIENCE = Duration.ofSeconds(10);

    sealed interface Question extends Wire {}

    /** Whether the attempt's log is being written here. */
    record IsGrowing(BuildKey key, int attempt, ActorRef<Growing> replyTo) implements Question {}

    /**
     * What the log has from {@code offset} on, as soon as there is something.
     *
     * @param upToNow whether it ends where the log ends now
     */
    record ReadOn(BuildKey key, int attempt, long offset, boolean upToNow, ActorRef<More> replyTo)
            implements Question {}

    record Growing(boolean here) implements Wire {}

    /**
     * A part of a log.
     *
     * @param bytes none when there was nothing new for a while
     * @param ended whether this is all that there will be
     */
    @SuppressWarnings("ArrayRecordComponent") // a message, never compared
    record More(byte[] bytes, boolean ended) implements Wire {}

    private LogDesk() {}

    /** Opens this node's desk. Once for each actor system. */
    static void open(ActorSystem<?> system, BuildLogs logs) {
        Behavior<Question> desk = Behaviors.receive(Question.class)
                .onMessage(IsGrowing.class, question -> {
                    question.replyTo().tell(new Growing(logs.isGrowing(question.key(), question.attempt())));
                    return Behaviors.same();
                })
                .onMessage(ReadOn.class, question -> {
                    readOn(system, logs, question);
                    return Behaviors.same();
                })
                .build();
        system.systemActorOf(desk, NAME, Props.empty());
    }

    private static void readOn(ActorSystem<?> system, BuildLogs logs, ReadOn question) {
        logs.read(question.key(), question.attempt(), question.offset(), !question.upToNow())
                .initialTimeout(PATIENCE)
                .runWith(Sink.headOption(), system)
                .thenApply(next -> next.map(bytes -> new More(bytes.toArray(), false))
                        .orElseGet(() -> new More(ByteString.emptyByteString().toArray(), true)))
                .exceptionally(failure -> {
                    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
                    return new More(new byte[0], !(cause instanceof TimeoutException));
                })
                .thenAccept(question.replyTo()::tell);
    }
}
