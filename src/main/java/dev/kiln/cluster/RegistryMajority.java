package dev.kiln.cluster;

import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.Reachability;
import akka.cluster.UniqueAddress;
import akka.cluster.sbr.DowningStrategy;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import scala.Option;
import scala.collection.immutable.SortedSet;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Keeps most of the registry nodes, as Akka's {@code keep-majority} with a role does; but registry nodes believe only each
 * other, a builder believes only itself and ends nobody else, and of registry nodes that miss each other and are reached by
 * others no more end than must: {@link Survivors}. Akka would end all of them for indirectly connected
 * (docs/decisions/0023). Confined to the actor that resolves splits.
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

    /** Whether this node is one. */
    boolean isRegistry() {
        return registry;
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
        super.setReachability(believed);
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

    /** The registry nodes that stay: by address, those last that are joining. */
    List<UniqueAddress> staying() {
        List<UniqueAddress> up = addresses(membersWithRole());
        List<UniqueAddress> joining = new ArrayList<>(addresses(membersWithRole(true, false)));
        joining.removeAll(up);
        return Survivors.of(up, joining, this::apart);
    }

    private static List<UniqueAddress> addresses(SortedSet<Member> members) {
        return listed(members).stream().map(Member::uniqueAddress).toList();
    }

    private boolean isReached(UniqueAddress node, List<UniqueAddress> staying) {
        return staying.contains(node) || staying.stream().noneMatch(other -> apart(node, other));
    }

    private boolean apart(UniqueAddress one, UniqueAddress other) {
        return !ofRegistries.isReachable(one, other) || !ofRegistries.isReachable(other, one);
    }

    /**
     * Whether it is for this node to act: of the registry nodes that stay for the one with the lowest address that is not about
     * to leave, and for whoever has to end itself.
     */
    boolean acts() {
        if (!registry) {
            return nodesToDown(decide()).contains(self);
        }
        List<UniqueAddress> staying = staying();
        Optional<UniqueAddress> first = addresses(membersWithRole(false, true)).stream()
                .filter(staying::contains)
                .findFirst();
        return !staying.contains(self) || first.orElse(staying.get(0)).equals(self);
    }

    @Override
    public scala.collection.immutable.Set<UniqueAddress> nodesToDown(Decision decision) {
        boolean others = registry && decision.equals(DownUnreachable$.MODULE$);
        Set<UniqueAddress> nodes =
                new HashSet<>(CollectionConverters.asJava(super.nodesToDown(others ? DownAll$.MODULE$ : decision)));
        if (others) {
            // Who is gone before it was removed observes for ever what it observed last, and nobody can join or leave.
            listed(allMembersInDC()).stream()
                    .filter(member -> member.status().equals(MemberStatus.exiting()))
                    .forEach(member -> nodes.add(member.uniqueAddress()));
            List<UniqueAddress> staying = staying();
            nodes.removeIf(node -> isReached(node, staying));
        } else if (!registry || decision.equals(DownReachable$.MODULE$)) {
            nodes.retainAll(Set.of(self));
        }
        return CollectionConverters.asScala(nodes).toSet();
    }

    @Override
    public Decision decide() {
        List<UniqueAddress> all = addresses(membersWithRole());
        if (all.isEmpty()) {
            return DownAll$.MODULE$;
        }
        if (!registry) {
            List<UniqueAddress> reached = addresses(reachableMembersWithRole());
            return isMajority(reached, all, all) && !missesWhomOthersReach()
                    ? DownUnreachable$.MODULE$
                    : DownReachable$.MODULE$;
        }
        List<UniqueAddress> staying = staying();
        if (!staying.contains(self)) {
            return DownReachable$.MODULE$;
        }
        // Who joins or leaves at this moment may count on the other side and not here.
        List<UniqueAddress> certain = addresses(membersWithRole(false, true));
        List<UniqueAddress> possible = addresses(membersWithRole(true, false));
        return isMajority(staying, all, all) && isMajority(staying, certain, possible)
                ? DownUnreachable$.MODULE$
                : DownAll$.MODULE$;
    }

    /**
     * Of two equal sides the one with the lowest address stays, whichever of those that join or leave the other side counts.
     *
     * @param here those of whom the ones that stay are counted
     * @param there those of whom the others are: all of {@code here}, too
     */
    private static boolean isMajority(
            List<UniqueAddress> staying, List<UniqueAddress> here, List<UniqueAddress> there) {
        long stay = here.stream().filter(staying::contains).count();
        long go = there.stream().filter(node -> !staying.contains(node)).count();
        return go == 0
                || stay > go
                || (stay == go && staying.containsAll(there.subList(0, there.indexOf(here.get(0)) + 1)));
    }

    /** As long as a member misses another one that stays, the cluster takes nobody in and lets nobody go. */
    private boolean missesWhomOthersReach() {
        List<UniqueAddress> staying = staying();
        return addresses(unreachableMembers(true, false)).stream().anyMatch(member -> isReached(member, staying));
    }
}
