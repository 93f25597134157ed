package dev.kiln.boot;

import akka.actor.typed.ActorRef;
import akka.actor.typed.Behavior;
import akka.actor.typed.Terminated;
import akka.actor.typed.javadsl.Behaviors;
import java.util.function.Consumer;

/** Parent of an actor without which the node would go on and do half of its work. */
final class VitalActor {
    private VitalActor() {}

    /**
     * The parent's behaviour.
     *
     * @param started told who the child is, once
     * @param gone run when the child has stopped or failed
     */
    static <A> Behavior<Void> create(Behavior<A> child, String name, Consumer<ActorRef<A>> started, Runnable gone) {
        return Behaviors.setup(context -> {
            ActorRef<A> actor = context.spawn(child, name);
            context.watch(actor);
            started.accept(actor);
            return Behaviors.receive(Void.class)
                    .onSignal(Terminated.class, signal -> {
                        gone.run();
                        return Behaviors.stopped();
                    })
                    .build();
        });
    }
}
