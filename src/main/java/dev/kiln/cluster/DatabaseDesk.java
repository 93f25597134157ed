package dev.kiln.cluster;

import akka.actor.typed.ActorRef;
import akka.actor.typed.ActorRefResolver;
import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.AskPattern;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.actor.typed.javadsl.TimerScheduler;
import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import dev.kiln.oci.Wire;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import java.util.stream.StreamSupport;

/**
 * Where registry nodes ask each other whether they reach the database. Who does not, and for long, while most others do,
 * leaves: what it owns could go on elsewhere.
 */
public final class DatabaseDesk extends AbstractBehavior<DatabaseDesk.Message> {
    private static final String NAME = "kiln-database";
    private static final Duration EVERY = Duration.ofSeconds(1);
    private static final Duration TIMEOUT = Duration.ofSeconds(2);

    /** What the desk is told. */
    sealed interface Message {}

    /** Another node's question. */
    record DoYouReachIt(ActorRef<Reached> replyTo) implements Message, Wire {}

    /** The answer. */
    record Reached(boolean reached) implements Wire {}

    private record Heard(long reaching, long others) implements Message {}

    private enum Tick implements Message {
        LOOK
    }

    private final Cluster cluster;
    private final TimerScheduler<Message> timers;
    private final BooleanSupplier away;
    private final Runnable leave;
    private final LoneOutage outage = new LoneOutage();

    private DatabaseDesk(
            ActorContext<Message> context, TimerScheduler<Message> timers, BooleanSupplier away, Runnable leave) {
        super(context);
        this.cluster = Cluster.get(context.getSystem());
        this.timers = timers;
        this.away = away;
        this.leave = leave;
        lookSoon();
    }

    /**
     * Opens this node's desk. Once for each actor system.
     *
     * @param away whether this node does not reach the database; quick
     * @param leave run once, when this node should leave; quick
     */
    public static void open(ActorSystem<?> system, BooleanSupplier away, Runnable leave) {
        Behavior<Message> desk = Behaviors.setup(
                context -> Behaviors.withTimers(timers -> new DatabaseDesk(context, timers, away, leave)));
        system.systemActorOf(desk, NAME, Props.empty());
    }

    @Override
    public Receive<Message> createReceive() {
        return newReceiveBuilder()
                .onMessage(DoYouReachIt.class, this::onQuestion)
                .onMessage(Tick.class, tick -> onLook())
                .onMessage(Heard.class, this::onHeard)
                .build();
    }

    private Behavior<Message> onQuestion(DoYouReachIt question) {
        question.replyTo().tell(new Reached(!away.getAsBoolean()));
        return this;
    }

    private Behavior<Message> onLook() {
        if (away.getAsBoolean()) {
            askOthers();
        } else {
            decide(0, 0);
        }
        return this;
    }

    private void askOthers() {
        List<Member> others = others();
        Set<Member> unreachable = cluster.state().getUnreachable();
        List<CompletableFuture<Boolean>> answers = others.stream()
                .filter(member -> !unreachable.contains(member))
                .map(this::ask)
                .toList();
        getContext()
                .pipeToSelf(
                        CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new)),
                        (done, failure) -> new Heard(
                                answers.stream().filter(CompletableFuture::join).count(), others.size()));
    }

    /** Silence counts as no: also that of a node of an earlier version, which has no such desk. */
    private CompletableFuture<Boolean> ask(Member member) {
        ActorRef<DoYouReachIt> desk =
                ActorRefResolver.get(getContext().getSystem()).resolveActorRef(member.address() + "/system/" + NAME);
        return AskPattern.<DoYouReachIt, Reached>ask(
                        desk,
                        DoYouReachIt::new,
                        TIMEOUT,
                        getContext().getSystem().scheduler())
                .handle((answer, silence) -> silence == null && answer.reached())
                .toCompletableFuture();
    }

    private List<Member> others() {
        return StreamSupport.stream(cluster.state().getMembers().spliterator(), false)
                .filter(member -> member.hasRole(Membership.REGISTRY) && member.status() == MemberStatus.up())
                .filter(member ->
                        !member.uniqueAddress().equals(cluster.selfMember().uniqueAddress()))
                .toList();
    }

    private Behavior<Message> onHeard(Heard heard) {
        decide(heard.reaching(), heard.others());
        return this;
    }

    private void decide(long reaching, long others) {
        if (outage.leaves(away.getAsBoolean(), reaching, others, System.nanoTime())) {
            leave.run();
        } else {
            lookSoon();
        }
    }

    private void lookSoon() {
        timers.startSingleTimer(Tick.LOOK, EVERY);
    }
}
