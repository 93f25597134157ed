package dev.kiln.cluster;

import akka.actor.typed.ActorSystem;
import akka.actor.typed.Behavior;
import akka.actor.typed.Props;
import akka.actor.typed.javadsl.AbstractBehavior;
import akka.actor.typed.javadsl.ActorContext;
import akka.actor.typed.javadsl.Behaviors;
import akka.actor.typed.javadsl.Receive;
import akka.cluster.ClusterEvent;
import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.UniqueAddress;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.cluster.typed.Subscribe;
import akka.management.cluster.bootstrap.ClusterBootstrap;
import akka.management.javadsl.AkkaManagement;
import dev.kiln.config.ClusterConfig;
import dev.kiln.config.KilnConfig;
import dev.kiln.journal.CannotStart;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** This node's place in its cluster. Thread-safe. */
public final class Membership {
    private static final Duration BIND = Duration.ofSeconds(30);
    static final String REGISTRY = "registry";
    private static final Set<MemberStatus> LEAVING =
            Set.of(MemberStatus.leaving(), MemberStatus.exiting(), MemberStatus.down());

    private final Cluster cluster;

    private Membership(Cluster cluster) {
        this.cluster = cluster;
    }

    /**
     * Begins to join: by itself, or as soon as others are found. Returns before the node is a member.
     *
     * @param name of this node, which is one of its cluster roles too
     * @param ends told when this node cannot be a member any more; on any thread
     * @throws CannotStart when the management port cannot be had
     */
    public static Membership begin(
            ActorSystem<?> system, KilnConfig config, String name, Terms terms, Consumer<Ending> ends) {
        Cluster cluster = Cluster.get(system);
        if (config.cluster().discovery().isEmpty()) {
            cluster.manager().tell(Join.create(cluster.selfMember().address()));
        } else {
            TermsDesk.open(system, terms);
            boolean needsRegistry = !config.roles().contains(KilnConfig.Role.REGISTRY);
            system.systemActorOf(
                    Behaviors.<ClusterEvent.MemberEvent>setup(
                            context -> new Watch(context, cluster, name, needsRegistry, ends)),
                    "kiln-membership",
                    Props.empty());
            listen(system, config.cluster());
            ClusterBootstrap.get(system).start();
        }
        return new Membership(cluster);
    }

    private static void listen(ActorSystem<?> system, ClusterConfig config) {
        try {
            AkkaManagement.get(system).start().toCompletableFuture().get(BIND.toSeconds(), TimeUnit.SECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new CannotStart(
                    "could not listen on " + config.bindHost() + ":" + config.managementPort()
                            + " (cluster.management-port); is another process using it?",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CannotStart("interrupted while starting", e);
        }
    }

    /** What the events say, one after the other: the cluster's own state may lag behind them. */
    private static final class Watch extends AbstractBehavior<ClusterEvent.MemberEvent> {
        private final Cluster cluster;
        private final String name;
        private final boolean needsRegistry;
        private final Consumer<Ending> ends;
        private final Set<UniqueAddress> registries = new HashSet<>();
        private boolean leaves;

        Watch(
                ActorContext<ClusterEvent.MemberEvent> context,
                Cluster cluster,
                String name,
                boolean needsRegistry,
                Consumer<Ending> ends) {
            super(context);
            this.cluster = cluster;
            this.name = name;
            this.needsRegistry = needsRegistry;
            this.ends = ends;
            cluster.subscriptions().tell(Subscribe.create(context.getSelf(), ClusterEvent.MemberEvent.class));
        }

        @Override
        public Receive<ClusterEvent.MemberEvent> createReceive() {
            return newReceiveBuilder()
                    .onMessage(ClusterEvent.MemberRemoved.class, removed -> onRemoved(removed.member()))
                    .onMessage(ClusterEvent.MemberEvent.class, event -> onMember(event.member()))
                    .build();
        }

        private Behavior<ClusterEvent.MemberEvent> onMember(Member member) {
            if (member.hasRole(REGISTRY)) {
                registries.add(member.uniqueAddress());
            }
            if (member.uniqueAddress().equals(cluster.selfMember().uniqueAddress())) {
                leaves = LEAVING.contains(member.status());
                if (member.status() == MemberStatus.up()) {
                    elder(cluster, name).ifPresent(other -> ends.accept(sameName(name, other)));
                }
            }
            return this;
        }

        private Behavior<ClusterEvent.MemberEvent> onRemoved(Member member) {
            boolean last = registries.remove(member.uniqueAddress()) && registries.isEmpty();
            // Who leaves is told of everybody's removal at its end.
            if (last && needsRegistry && !leaves) {
                ends.accept(Ending.removed("no registry node is left in the cluster: a new start finds them"));
            }
            return this;
        }
    }

    private static Stream<Member> members(Cluster cluster) {
        return StreamSupport.stream(cluster.state().getMembers().spliterator(), false);
    }

    /** A member of the same name that was there before. One that cannot be reached may be this node's earlier life. */
    private static Optional<Member> elder(Cluster cluster, String name) {
        Set<Member> unreachable = cluster.state().getUnreachable();
        return members(cluster)
                .filter(member -> member.hasRole(name))
                .filter(member -> !unreachable.contains(member))
                .filter(member ->
                        !member.uniqueAddress().equals(cluster.selfMember().uniqueAddress()))
                .filter(member -> member.isOlderThan(cluster.selfMember()))
                .findFirst();
    }

    private static Ending sameName(String name, Member other) {
        return Ending.failed("the node at " + other.address().hostPort() + " is called " + name
                + " too: one data-dir is a copy of the other's; remove the file node-name from this node's");
    }

    /** Why this node should get no requests; empty while it is a member. Never blocks. */
    public Optional<String> notReady() {
        return cluster.selfMember().status() == MemberStatus.up()
                ? Optional.empty()
                : Optional.of("the node is not a member of its cluster");
    }
}
