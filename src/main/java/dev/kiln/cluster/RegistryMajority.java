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
 * Keeps the side of a split that has most of the registry nodes, as Akka's {@code keep-majority} with a role does; but a
 * registry node believes only what registry nodes observe. A builder that has missed another one and is then lost itself would
 * otherwise count as indirectly connected, at which Akka ends every node (docs/decisions/0023). Confined to the actor that
 * resolves splits.
 */
final class RegistryMajority extends DowningStrategy {
    private final String role;
    private final boolean registry;
    /** What registry nodes observe, of any node. */
    private Reachability believed = Reachability.empty();

    /** @param registry whether this node is one; a builder by itself has only its own word for who is lost */
    RegistryMajority(String dataCenter, UniqueAddress self, String role, boolean registry) {
        super(dataCenter, self);
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
        if (!registry) {
            super.setReachability(observed);
            return;
        }
        Set<UniqueAddress> registries = new HashSet<>();
        CollectionConverters.asJava(allMembersInDC()).forEach(member -> {
            if (member.hasRole(role)) {
                registries.add(member.uniqueAddress());
            }
        });
        believed = observed.filterRecords(entry -> registries.contains(entry.observer()));
        // A builder that one registry node does not reach and others do is lost as well: it is not worth a registry
        // node.
        super.setReachability(believed.filterRecords(entry -> registries.contains(entry.subject())));
        CollectionConverters.asJava(allMembersInDC()).forEach(this::mark);
    }

    private void mark(Member member) {
        if (believed.isReachable(member.uniqueAddress())) {
            super.addReachable(member);
        } else {
            super.addUnreachable(member);
        }
    }

    @Override
    public void addUnreachable(Member member) {
        if (registry) {
            // The reachability that comes with it says by whom.
            mark(member);
        } else {
            super.addUnreachable(member);
        }
    }

    @Override
    public void addReachable(Member member) {
        if (registry) {
            mark(member);
        } else {
            super.addReachable(member);
        }
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
