package dev.kiln.cluster;

import akka.actor.ActorSystem;
import akka.actor.Address;
import akka.dispatch.Futures;
import akka.management.cluster.bootstrap.ClusterBootstrapSettings;
import akka.management.cluster.bootstrap.JoinDecision;
import akka.management.cluster.bootstrap.JoinOtherSeedNodes;
import akka.management.cluster.bootstrap.JoinSelf;
import akka.management.cluster.bootstrap.KeepProbing;
import akka.management.cluster.bootstrap.SeedNodesInformation;
import akka.management.cluster.bootstrap.SeedNodesObservation;
import akka.management.cluster.bootstrap.SelfAwareJoinDecider;
import dev.kiln.journal.DatabaseClaim;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.concurrent.Future;

/**
 * Decides whether a node that starts joins the cluster that its contact points are members of, forms one, or looks on. A
 * registry node does neither without the database's claim, so that there is never a second cluster on one database; a node
 * that is builder only joins what the contact points are members of. Named in {@code kiln-akka.conf}.
 */
public final class ClaimingJoinDecider extends SelfAwareJoinDecider {
    private static final Logger LOG = LoggerFactory.getLogger(ClaimingJoinDecider.class);
    /** Asked about once a second. */
    private static final int QUIET_TIMES = 10;

    private final ActorSystem system;
    private final Optional<DatabaseClaim> claim;
    private int refused;

    public ClaimingJoinDecider(ActorSystem system, ClusterBootstrapSettings settings) {
        super(system, settings);
        this.system = system;
        this.claim = system.settings().setup().get(ClaimSetup.class).map(ClaimSetup::claim);
    }

    @Override
    public Future<JoinDecision> decide(SeedNodesInformation seen) {
        return Futures.future(
                () -> decideNow(seen), system.dispatchers().lookup("akka.actor.default-blocking-io-dispatcher"));
    }

    private synchronized JoinDecision decideNow(SeedNodesInformation seen) {
        List<SeedNodesObservation> members = seen.getSeedNodesObservations().stream()
                .filter(point -> !point.getSeedNodes().isEmpty())
                .toList();
        try {
            if (members.isEmpty()) {
                return formIfItMay(seen);
            }
            return joinIfItMay(members);
        } catch (IllegalStateException e) {
            LOG.warn("this node cannot join a cluster yet", e);
            return KeepProbing.getInstance();
        }
    }

    private JoinDecision formIfItMay(SeedNodesInformation seen) {
        boolean found = seen.getContactPoints().stream().anyMatch(point -> matchesSelf(point, selfContactPoint()));
        if (claim.isEmpty() || !found) {
            looksOn(
                    claim.isEmpty()
                            ? "no registry node that is a member of a cluster was found among "
                                    + seen.getContactPoints()
                            : "this node's own management address is not among the contact points "
                                    + seen.getContactPoints() + ", so no other could find it");
            return KeepProbing.getInstance();
        }
        if (claim.get().form()) {
            LOG.info("no contact point is a member of a cluster and no cluster has claimed the database: forming one");
            return JoinSelf.getInstance();
        }
        looksOn("another cluster has claimed the database (its registry nodes: "
                + String.join(", ", claim.get().members()) + "), but none of the contact points "
                + seen.getContactPoints() + " says that it is a member of it");
        return KeepProbing.getInstance();
    }

    private JoinDecision joinIfItMay(List<SeedNodesObservation> members) {
        Set<Address> seeds = new HashSet<>();
        members.forEach(point -> seeds.addAll(point.getSeedNodes()));
        if (claim.isEmpty()) {
            return new JoinOtherSeedNodes(seeds);
        }
        List<String> points =
                members.stream().map(point -> point.sourceAddress().hostPort()).toList();
        DatabaseClaim.Joining joining = claim.get().join(points);
        if (joining == DatabaseClaim.Joining.ADMITTED) {
            return new JoinOtherSeedNodes(seeds);
        }
        if (joining == DatabaseClaim.Joining.STRANGERS) {
            looksOn("the contact points " + points + " are members of a cluster that has not claimed this database: it"
                    + " has another kiln.database.url, or has lost the claim and is about to end");
        }
        return KeepProbing.getInstance();
    }

    /** At the start of several nodes this is how it is for some seconds. */
    private void looksOn(String why) {
        refused++;
        if (refused % (QUIET_TIMES * QUIET_TIMES) == QUIET_TIMES) {
            LOG.warn("this node cannot join a cluster yet: {}", why);
        }
    }
}
