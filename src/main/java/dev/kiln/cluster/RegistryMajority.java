package dev.kiln.cluster;

import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.Reachability;
import akka.cluster.UniqueAddress;
import akka.cluster.sbr.DowningStrategy;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import scala.Option;
import scala.collection.immutable.SortedSet;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Keeps the side of a split that has most of the registry nodes, as Akka's {@code keep-majority} with a role does; but
 * registry nodes believe only each other, and a builder only itself, and a builder ends nobody but itself. One that has
 * missed others and is then lost, or that is cut off from registry nodes and not from other builders, would otherwise
 * count as indirectly connected, at which Akka ends registry nodes too (docs/decisions/0023). Confined to the actor that
 * resolves splits.
 */
final class RegistryMajority extends DowningStrategy {
    private final UniqueAddress self;
    private final String role;
    private final boolean registry;
    private Reachability believed = Reachability.empty();
    /** What registry nodes observe. */
    private Reachability ofRegistries = Reachability.empty();

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

    private static List<Member> listed(SortedSet<Member> members) {
        return List.copyOf(CollectionConverters.asJava(members));
    }

    /** Comes with every change of what is reachable, and decides on its own who is. */
    @Override
    public void setReachability(Reachability observed) {
        List<Member> all = listed(allMembersInDC());
        Set<UniqueAddress> registries = new HashSet<>();
        all.stream().filter(member -> member.hasRole(role)).forEach(member -> registries.add(member.uniqueAddress()));
        ofRegistries = observed.filterRecords(entry -> registries.contains(entry.observer()));
        believed = registry
                ? ofRegistries
                : observed.filterRecords(entry -> entry.observer().equals(self));
        // A builder that is reached by some only is lost as well: it is not worth a registry node.
        super.setReachability(ofRegistries.filterRecords(entry -> registries.contains(entry.subject())));
        all.forEach(this::mark);
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

    /**
     * Whether it is for this node to act: of the registry nodes that are reached for the one with the lowest address, and for
     * a builder when it has to end.
     */
    boolean acts() {
        if (!registry) {
            return nodesToDown(decide()).contains(self);
        }
        SortedSet<Member> up = reachableMembersWithRole(false, true);
        SortedSet<Member> first = up.isEmpty() ? reachableMembersWithRole() : up;
        return !first.isEmpty() && first.head().uniqueAddress().equals(self);
    }

    @Override
    public scala.collection.immutable.Set<UniqueAddress> nodesToDown(Decision decision) {
        Set<UniqueAddress> nodes = new HashSet<>(CollectionConverters.asJava(super.nodesToDown(decision)));
        if (!registry) {
            nodes.retainAll(Set.of(self));
        } else if (decision.equals(DownIndirectlyConnected$.MODULE$)) {
            // What that decision looks at has registry nodes alone.
            listed(unreachableMembers()).stream()
                    .filter(member -> !member.hasRole(role))
                    .forEach(member -> nodes.add(member.uniqueAddress()));
        }
        return CollectionConverters.asScala(nodes).toSet();
    }

    @Override
    public Decision decide() {
        if (registry && hasIndirectlyConnected()) {
            return DownIndirectlyConnected$.MODULE$;
        }
        SortedSet<Member> all = membersWithRole();
        if (all.isEmpty()) {
            return DownAll$.MODULE$;
        }
        Decision decision = majority(
                reachableMembersWithRole().size(), unreachableMembersWithRole().size(), all.head());
        if (!decision.equals(DownUnreachable$.MODULE$)) {
            return decision;
        }
        if (!registry) {
            return missesWhomOthersReach() ? DownReachable$.MODULE$ : decision;
        }
        return isMajorityHoweverTheOtherSideCounts() ? decision : DownAll$.MODULE$;
    }

    /** As long as a member misses another one that stays, the cluster takes nobody in and lets nobody go. */
    private boolean missesWhomOthersReach() {
        return listed(unreachableMembers()).stream()
                .filter(member -> !member.status().equals(MemberStatus.down())
                        && !member.status().equals(MemberStatus.exiting()))
                .anyMatch(member -> ofRegistries.isReachable(member.uniqueAddress()));
    }

    /** Who joins or leaves at this moment may count there and not here. */
    private boolean isMajorityHoweverTheOtherSideCounts() {
        SortedSet<Member> there = unreachableMembersWithRole(true, false);
        SortedSet<Member> all = membersWithRole(false, true);
        return there.isEmpty()
                || (!all.isEmpty()
                        && majority(reachableMembersWithRole(false, true).size(), there.size(), all.head())
                                .equals(DownUnreachable$.MODULE$));
    }

    /** Of two equal sides the one with the lowest address stays. */
    private Decision majority(int here, int there, Member lowest) {
        boolean stays = here == there ? !unreachable(lowest) : here > there;
        return stays ? DownUnreachable$.MODULE$ : DownReachable$.MODULE$;
    }
}
