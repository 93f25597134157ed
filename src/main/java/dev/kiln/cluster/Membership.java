package dev.kiln.cluster;

import akka.actor.typed.ActorSystem;
import akka.cluster.MemberStatus;
import akka.cluster.typed.Cluster;
import akka.cluster.typed.Join;
import akka.management.cluster.bootstrap.ClusterBootstrap;
import akka.management.javadsl.AkkaManagement;
import dev.kiln.config.ClusterConfig;
import dev.kiln.journal.CannotStart;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** This node's place in its cluster. Thread-safe. */
public final class Membership {
    private static final Duration BIND = Duration.ofSeconds(30);

    private final Cluster cluster;

    private Membership(Cluster cluster) {
        this.cluster = cluster;
    }

    /**
     * Begins to join: by itself, or as soon as others are found. Returns before the node is a member.
     *
     * @throws CannotStart when the management port cannot be had
     */
    public static Membership begin(ActorSystem<?> system, ClusterConfig config) {
        Cluster cluster = Cluster.get(system);
        if (config.discovery().isEmpty()) {
            cluster.manager().tell(Join.create(cluster.selfMember().address()));
        } else {
            listen(system, config);
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

    /** Why this node should get no requests; empty while it is a member. Never blocks. */
    public Optional<String> notReady() {
        return cluster.selfMember().status() == MemberStatus.up()
                ? Optional.empty()
                : Optional.of("the node is not a member of its cluster yet");
    }
}
