package dev.kiln.cluster;

import akka.cluster.Member;
import akka.cluster.Reachability;
import akka.cluster.UniqueAddress;
import akka.cluster.sbr.DowningStrategy;
import java.util.HashSet;
import java.util.Set;
import scala.Option;
import scala.collection.immutable.SortedSet;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Keeps the side of a split that has most of the registry nodes, as Akka's {@code keep-majority} with a role does; but only
 * what registry nodes observe counts, and on a builder what it observes itself; and a builder ends nobody but itself. One that
 * has missed others and is then lost, or that is cut off from registry nodes and not from other builders, would otherwise
 * count as indirectly connected, at which Akka ends registry nodes too (docs/decisions/0023). Confined to the actor that
 * resolves splits.
 */
final class RegistryMajority extends DowningStrategy {
    private final UniqueAddress self;
    private final String role;
    private final boolean registry;
    /** What counts, of any node. */
    private Reachability believed = Reachability.empty();

    /** @param registry whether this node is one */
    RegistryMajority(String dataCenter, UniqueAddress self, String role, boolean registry) {
        super(dataCenter, self);
        this.self = self;
        this.role = role;
        this.registry = registry;
    }

    @Override
    public Option<String> role() {
        return Option.apply(role);
    }

    /** Comes with every change of what is reachable, and decides on its own who is. */
    @Override
    public void setReachability(Reachability observed) {
        Set<UniqueAddress> registries = new HashSet<>();
        CollectionConverters.asJava(allMembersInDC()).forEach(member -> {
            if (member.hasRole(role)) {
                registries.add(member.uniqueAddress());
            }
        });
        believed = observed.filterRecords(entry ->
                registries.contains(entry.observer()) || entry.observer().equals(self));
        // A builder that is reached by some only is lost as well: it is not worth a registry node.
        super.setReachability(believed.filterRecords(
                entry -> registries.contains(entry.observer()) && registries.contains(entry.subject())));
        CollectionConverters.asJava(allMembersInDC()).forEach(this::mark);
    }

    private void mark(Member member) {
        if (member.uniqueAddress().equals(self) || believed.isReachable(member.uniqueAddress())) {
            super.addReachable(member);
        } else {
            super.addUnreachable(member);
        }
    }

    /** The reachability that comes with it says by whom. */
    @Override
    public void addUnreachable(Member member) {
        mark(member);
    }

    @Override
    public void addReachable(Member member) {
        mark(member);
    }

    @Override
    public scala.collection.immutable.Set<UniqueAddress> nodesToDown(Decision decision) {
        scala.collection.immutable.Set<UniqueAddress> nodes = super.nodesToDown(decision);
        return registry
                ? nodes
                : CollectionConverters.asScala(nodes.contains(self) ? Set.of(self) : Set.<UniqueAddress>of())
                        .toSet();
    }

    @Override
    public Decision decide() {
        if (hasIndirectlyConnected()) {
            return DownIndirectlyConnected$.MODULE$;
        }
        SortedSet<Member> all = membersWithRole();
        if (all.isEmpty()) {
            return DownAll$.MODULE$;
        }
        Decision decision = majority(
                reachableMembersWithRole().size(), unreachableMembersWithRole().size(), all.head());
        return decision.equals(DownUnreachable$.MODULE$) && !isMajorityHoweverTheOtherSideCounts()
                ? DownAll$.MODULE$
                : decision;
    }

    /** Who joins or leaves at this moment may count there and not here. */
    private boolean isMajorityHoweverTheOtherSideCounts() {
        SortedSet<Member> all = membersWithRole(false, true);
        return !all.isEmpty()
                && majority(
                                reachableMembersWithRole(false, true).size(),
                                unreachableMembersWithRole(true, false).size(),
                                all.head())
                        .equals(DownUnreachable$.MODULE$);
    }

    /** Of two equal sides the one with the lowest address stays. */
    private Decision majority(int here, int there, Member lowest) {
        boolean stays = here == there ? !unreachable(lowest) : here > there;
        return stays ? DownUnreachable$.MODULE$ : DownReachable$.MODULE$;
    }
}
