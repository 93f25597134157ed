package dev.kiln.cluster;

import akka.actor.Props;
import akka.cluster.Cluster;
import akka.cluster.ClusterEvent;
import akka.cluster.Member;
import akka.cluster.Reachability;
import akka.cluster.UniqueAddress;
import akka.cluster.sbr.DowningStrategy.Decision;
import akka.cluster.sbr.SplitBrainResolverBase;
import akka.remote.artery.ThisActorSystemQuarantinedEvent;
import java.util.List;
import java.util.concurrent.TimeUnit;
import scala.concurrent.duration.FiniteDuration;

/**
 * Akka's split-brain resolver, but that not the cluster's leader acts, which may be a builder: whom {@link RegistryMajority}
 * names does.
 */
final class RegistryResolver extends SplitBrainResolverBase {
    private static final FiniteDuration TICK = FiniteDuration.create(250, TimeUnit.MILLISECONDS);

    private final Cluster cluster;
    private final RegistryMajority majority;

    private RegistryResolver(FiniteDuration stableAfter, RegistryMajority majority) {
        super(stableAfter, majority);
        this.cluster = Cluster.get(context().system());
        this.majority = majority;
    }

    static Props props(FiniteDuration stableAfter, RegistryMajority majority) {
        return Props.create(RegistryResolver.class, () -> new RegistryResolver(stableAfter, majority));
    }

    /** As a constant, since Akka asks while it constructs this. */
    @Override
    public FiniteDuration tickInterval() {
        return TICK;
    }

    @Override
    public void preStart() {
        cluster.subscribe(self(), ClusterEvent.initialStateAsEvents(), ClusterEvent.ClusterDomainEvent.class);
        context().system().eventStream().subscribe(self(), ThisActorSystemQuarantinedEvent.class);
    }

    @Override
    public void postStop() {
        cluster.unsubscribe(self());
        context().system().eventStream().unsubscribe(self());
        super.postStop();
    }

    @Override
    public UniqueAddress selfUniqueAddress() {
        return cluster.selfUniqueAddress();
    }

    @Override
    public String selfDc() {
        return cluster.selfDataCenter();
    }

    @Override
    public void down(UniqueAddress node, Decision decision) {
        cluster.down(node.address());
    }

    /** A builder that is still joining blocks others as any member does, and ends itself as any would. */
    @Override
    public boolean isResponsible() {
        return (selfMemberAdded() || !majority.isRegistry()) && majority.acts();
    }

    /** Of whoever misses it; whose word counts is seen when {@link #reachabilityChanged} comes. */
    @Override
    public void unreachableMember(Member member) {
        update(() -> majority.addUnreachable(member));
    }

    @Override
    public void reachableMember(Member member) {
        update(() -> majority.addReachable(member));
    }

    @Override
    public void reachabilityChanged(Reachability observed) {
        update(() -> super.reachabilityChanged(observed));
    }

    /** What builders miss, again and again, is no reason to wait longer with a decision. */
    private void update(Runnable change) {
        List<Object> before = view();
        change.run();
        if (!before.equals(view())) {
            resetStableDeadline();
        }
    }

    private List<Object> view() {
        return List.of(majority.unreachable(), majority.staying(), majority.nodesToDown(majority.decide()));
    }
}
