package dev.kiln.cluster;

import akka.actor.Address;
import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorRefResolver;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import dev.kiln.oci.Wire;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Where a node that wants to join asks this one for its terms, over the same port that members use. */
final class TermsDesk {
    private static final String NAME = "kiln-terms";
    private static final Duration TIMEOUT = Duration.ofSeconds(3);

    /** The question. */
    record Tell(ActorRef<Terms> replyTo) implements Wire {}

    private TermsDesk() {}

    static void open(ActorSystem<?> system, Terms terms) {
        Behavior<Tell> desk = Behaviors.receiveMessage(question -> {
            question.replyTo().tell(terms);
            return Behaviors.same();
        });
        system.systemActorOf(desk, NAME, Props.empty());
    }

    /** The terms of those that answer. Blocks for some seconds when one does not. */
    static List<Terms> ask(ActorSystem<?> system, Collection<Address> nodes) {
        List<CompletableFuture<List<Terms>>> questions = nodes.stream()
                .map(node -> {
                    ActorRef<Tell> desk = ActorRefResolver.get(system).resolveActorRef(node + "/system/" + NAME);
                    return AskPattern.<Tell, Terms>ask(desk, Tell::new, TIMEOUT, system.scheduler())
                            .handle((terms, silence) -> silence == null ? List.of(terms) : List.<Terms>of())
                            .toCompletableFuture();
                })
                .toList();
        List<Terms> answers = new ArrayList<>();
        questions.forEach(question -> answers.addAll(question.join()));
        return answers;
    }
}
