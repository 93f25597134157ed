package dev.kiln.cluster;

import static org.assertj.core.api.Assertions.assertThat;

import akka.actor.Address;
import akka.cluster.Member;
import akka.cluster.MemberStatus;
import akka.cluster.Reachability;
import akka.cluster.UniqueAddress;
import akka.util.Version;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import scala.jdk.javaapi.CollectionConverters;

class RegistryMajorityTest {
    private final List<Member> registries =
            new ArrayList<>(List.of(member(1, "registry"), member(2, "registry"), member(3, "registry")));
    private final List<Member> builders = List.of(member(4, "builder"), member(5, "builder"), member(6, "builder"));
    private Reachability reachability = Reachability.empty();

    private final Map<Member, MemberStatus> statuses = new HashMap<>();

    private static Member member(int host, String role) {
        return member(host, role, MemberStatus.up());
    }

    private static Member member(int host, String role, MemberStatus status) {
        UniqueAddress address = new UniqueAddress(new Address("akka", "kiln", "10.0.0." + host, 25520), (long) host);
        scala.collection.immutable.Set<String> roles =
                CollectionConverters.asScala(Set.of(role, "dc-default")).toSet();
        return new Member(address, host, status, roles, Version.Zero());
    }

    private void misses(Member observer, List<Member> subjects) {
        subjects.forEach(
                subject -> reachability = reachability.unreachable(observer.uniqueAddress(), subject.uniqueAddress()));
    }

    /** The hosts that {@code self} would end. */
    private Set<Integer> ended(Member self) {
        RegistryMajority strategy = strategy(self);
        Set<Integer> hosts = new HashSet<>();
        CollectionConverters.asJava(strategy.nodesToDown(strategy.decide()))
                .forEach(node -> hosts.add((int) node.longUid()));
        return hosts;
    }

    private RegistryMajority strategy(Member self) {
        RegistryMajority strategy =
                new RegistryMajority("default", self.uniqueAddress(), "registry", self.hasRole("registry"));
        List<Member> all = new ArrayList<>(registries);
        all.addAll(builders);
        all.replaceAll(member -> member(
                (int) member.uniqueAddress().longUid(),
                member.hasRole("registry") ? "registry" : "builder",
                statuses.getOrDefault(member, MemberStatus.up())));
        all.forEach(strategy::add);
        all.stream()
                .filter(member -> !reachability.isReachable(member.uniqueAddress()))
                .forEach(strategy::addUnreachable);
        strategy.setReachability(reachability);
        return strategy;
    }

    @Test
    void buildersThatMissedEachOtherBeforeTheyWereLostAreEndedAlone() {
        misses(builders.get(1), List.of(builders.get(0)));
        misses(builders.get(2), List.of(builders.get(0), builders.get(1)));
        registries.forEach(registry -> misses(registry, builders));

        registries.forEach(registry -> assertThat(ended(registry)).containsExactlyInAnyOrder(4, 5, 6));
    }

    @Test
    void whatABuilderMissesIsNoReasonToEndARegistryNode() {
        misses(builders.get(0), registries);
        registries.forEach(registry -> misses(registry, builders.subList(0, 1)));

        registries.forEach(registry -> assertThat(ended(registry)).containsExactly(4));
    }

    @Test
    void aBuilderThatOneRegistryNodeDoesNotReachIsEndedAlone() {
        misses(registries.get(0), builders.subList(0, 1));
        misses(builders.get(0), registries.subList(0, 1));

        registries.forEach(registry -> assertThat(ended(registry)).containsExactly(4));
    }

    @Test
    void aBuilderThatOnlyOtherBuildersReachIsEndedAloneByWhomeverItReaches() {
        registries.forEach(registry -> misses(registry, builders.subList(0, 1)));
        misses(builders.get(0), registries);

        registries.forEach(registry -> assertThat(ended(registry)).containsExactly(4));
        assertThat(ended(builders.get(0))).containsExactly(4);
        assertThat(ended(builders.get(1))).as("a builder ends nobody else").isEmpty();
    }

    /** Whatever the addresses of builders are: the cluster's leader may be one. */
    @Test
    void theRegistryNodeWithTheLowestAddressActsAndABuilderWhenItHasToEnd() {
        registries.subList(1, 3).forEach(registry -> misses(registry, List.of(registries.get(0), builders.get(0))));
        builders.forEach(builder -> misses(builder, registries.subList(0, 1)));

        assertThat(registries.subList(1, 3))
                .map(member -> strategy(member).acts())
                .containsExactly(true, false);
        assertThat(builders).map(member -> strategy(member).acts()).containsExactly(false, false, false);
        assertThat(ended(registries.get(1))).containsExactlyInAnyOrder(1, 4);
        misses(builders.get(0), registries);
        assertThat(strategy(builders.get(0)).acts()).isTrue();
    }

    @Test
    void aBuilderThatMissesWhomRegistryNodesReachEnds() {
        misses(builders.get(0), builders.subList(1, 2));
        misses(builders.get(1), builders.subList(0, 1));

        assertThat(builders).map(this::ended).containsExactly(Set.of(4), Set.of(5), Set.of());
        registries.forEach(registry -> assertThat(ended(registry)).isEmpty());
    }

    @Test
    void withRegistryNodesThatMissEachOtherALostBuilderEndsToo() {
        misses(registries.get(0), registries.subList(1, 2));
        registries.forEach(registry -> misses(registry, builders.subList(0, 1)));

        assertThat(ended(registries.get(2))).containsExactlyInAnyOrder(2, 4);
    }

    /** Builders that reach both tell each what the other misses. */
    @Test
    void aRegistryNodeThatIsCutOffFromTheOthersEndsAloneThoughBuildersReachIt() {
        for (int lost = 0; lost < 3; lost++) {
            reachability = Reachability.empty();
            List<Member> others = new ArrayList<>(registries);
            Member cutOff = others.remove(lost);
            misses(cutOff, others);
            others.forEach(other -> misses(other, List.of(cutOff)));

            registries.forEach(registry -> assertThat(ended(registry))
                    .containsExactly((int) cutOff.uniqueAddress().longUid()));
            assertThat(strategy(cutOff).acts()).isTrue();
            assertThat(others).map(other -> strategy(other).acts()).containsExactly(true, false);
            assertThat(builders).map(this::ended).containsOnly(Set.of());
        }
    }

    @Test
    void aBuilderThatOnlyARegistryNodeMissesThatGoesStays() {
        misses(registries.get(2), registries.subList(0, 2));
        misses(registries.get(2), builders.subList(0, 1));

        assertThat(ended(registries.get(0))).containsExactly(3);
    }

    @Test
    void theLargerSideStaysAndWhoIsOnTheSmallerOneEndsNobodyButItself() {
        misses(registries.get(0), registries.subList(2, 3));
        misses(registries.get(1), registries.subList(2, 3));
        assertThat(ended(registries.get(0))).containsExactly(3);
        assertThat(ended(registries.get(1))).containsExactly(3);

        reachability = Reachability.empty();
        misses(registries.get(2), registries.subList(0, 2));
        misses(registries.get(2), builders.subList(1, 3));
        assertThat(ended(registries.get(2))).containsExactly(3);
        assertThat(strategy(registries.get(2)).acts()).isTrue();
    }

    @Test
    void ofRegistryNodesThatMissEachOtherAndAreReachedByOthersOneEnds() {
        misses(registries.get(1), registries.subList(2, 3));
        misses(registries.get(2), registries.subList(1, 2));

        registries.forEach(registry -> assertThat(ended(registry)).containsExactly(3));
        misses(registries.get(0), registries.subList(2, 3));
        registries.forEach(registry -> assertThat(ended(registry)).containsExactly(3));
    }

    @Test
    void aBuilderThatIsCutOffEndsItself() {
        misses(builders.get(0), registries);
        misses(builders.get(0), builders.subList(1, 3));

        assertThat(ended(builders.get(0))).containsExactly(4);
    }

    /** What it observed last would stand for ever, and keep the cluster from removing it. */
    @Test
    void whoIsGoneBeforeItWasRemovedIsEndedAndNotWhomItMissed() {
        statuses.put(registries.get(2), MemberStatus.exiting());
        misses(registries.get(2), builders.subList(0, 1));
        assertThat(ended(registries.get(0))).as("it may yet end by itself").isEmpty();
        registries.subList(0, 2).forEach(registry -> misses(registry, registries.subList(2, 3)));

        assertThat(ended(registries.get(0))).containsExactly(3);
        assertThat(builders).map(this::ended).containsOnly(Set.of());
    }

    @Test
    void whoIsLeavingLeavesTheDecisionToAnother() {
        statuses.put(registries.get(0), MemberStatus.leaving());
        registries.forEach(registry -> misses(registry, builders.subList(0, 1)));

        assertThat(registries).map(member -> strategy(member).acts()).containsExactly(false, true, false);
    }

    @Test
    void whoIsJoiningStaysWhenAllReachItAndIsNoReasonToEnd() {
        statuses.put(registries.get(0), MemberStatus.joining());
        misses(registries.get(1), registries.subList(0, 1));

        assertThat(ended(registries.get(1))).containsExactly(1);
        assertThat(ended(registries.get(2))).containsExactly(1);
        reachability = Reachability.empty();
        misses(registries.get(1), registries.subList(2, 3));
        assertThat(strategy(registries.get(1)).staying())
                .containsExactly(
                        registries.get(1).uniqueAddress(), registries.get(0).uniqueAddress());
    }

    /** The other side may know already that it is up, and go on with it. */
    @Test
    void ofTwoEqualSidesTheOneWithoutWhoIsJoiningWithTheLowestAddressEnds() {
        registries.add(member(7, "registry"));
        statuses.put(registries.get(0), MemberStatus.joining());
        registries.subList(1, 3).forEach(here -> misses(here, List.of(registries.get(0), registries.get(3))));

        assertThat(ended(registries.get(1))).contains(2, 3);
        statuses.clear();
        reachability = Reachability.empty();
        List.of(registries.get(0), registries.get(3)).forEach(there -> misses(there, registries.subList(1, 3)));
        assertThat(ended(registries.get(0))).containsExactlyInAnyOrder(2, 3);
    }

    /** One side may not have heard that the first is gone and the second is up. */
    @Test
    void ofTwoEqualSidesOneEndsWhateverTheyKnowOfWhoJoinsAndLeaves() {
        statuses.put(registries.get(0), MemberStatus.leaving());
        statuses.put(registries.get(1), MemberStatus.joining());
        List.of(registries.get(0), registries.get(2)).forEach(here -> misses(here, registries.subList(1, 2)));
        assertThat(ended(registries.get(2))).contains(1, 3);

        statuses.put(registries.get(0), MemberStatus.exiting());
        statuses.put(registries.get(1), MemberStatus.up());
        reachability = Reachability.empty();
        misses(registries.get(1), List.of(registries.get(0), registries.get(2)));
        assertThat(ended(registries.get(1))).containsExactlyInAnyOrder(1, 3);
    }

    @Test
    void buildersThatMissEachOtherEndAlsoWhenOneIsJoiningAndWhenALostRegistryNodeMissedThem() {
        statuses.put(builders.get(1), MemberStatus.joining());
        statuses.put(registries.get(2), MemberStatus.down());
        misses(registries.get(2), builders);
        misses(builders.get(0), builders.subList(1, 2));
        misses(builders.get(1), builders.subList(0, 1));

        assertThat(builders).map(this::ended).containsExactly(Set.of(4), Set.of(5), Set.of());
        assertThat(strategy(builders.get(1)).acts()).isTrue();
    }
}
