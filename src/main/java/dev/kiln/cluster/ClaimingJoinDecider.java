package dev.kiln.cluster;

import akka.actor.ActorSystem;
import akka.actor.Address;
import akka.actor.typed.javadsl.Adapter;
import akka.discovery.ServiceDiscovery.ResolvedTarget;
import akka.dispatch.Futures;
import akka.management.cluster.bootstrap.ClusterBootstrapSettings;
import akka.management.cluster.bootstrap.JoinDecision;
import akka.management.cluster.bootstrap.JoinOtherSeedNodes;
import akka.management.cluster.bootstrap.JoinSelf;
import akka.management.cluster.bootstrap.KeepProbing;
import akka.management.cluster.bootstrap.SeedNodesInformation;
import akka.management.cluster.bootstrap.SeedNodesObservation;
import akka.management.cluster.bootstrap.SelfAwareJoinDecider;
import dev.kiln.cluster.ContactPointSilence.Sign;
import dev.kiln.journal.DatabaseClaim;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.concurrent.Future;

/**
 * Decides whether a node that starts joins the cluster that its contact points are members of, forms one, or looks on. A
 * node joins only whom it agrees with in what must be the same. A registry node neither forms nor joins a cluster without
 * the database's claim, so that there is never a second one on a database; a node that is builder only never forms one.
 * Named in {@code kiln-akka.conf}.
 */
public final class ClaimingJoinDecider extends SelfAwareJoinDecider {
    private static final Logger LOG = LoggerFactory.getLogger(ClaimingJoinDecider.class);
    /** Asked about once a second: at the start of several nodes none may be found for some seconds. */
    private static final int QUIET = 10;

    private static final int REPEAT = 60;
    /** A machine that refuses a connection does so at once, however busy it is. */
    private static final int REFUSAL_MS = 300;

    private final ActorSystem system;
    private final ClusterBootstrapSettings settings;
    private final JoinSetup setup;
    private final AtomicBoolean deciding = new AtomicBoolean();
    private final ContactPointSilence silence = new ContactPointSilence();
    private int lookedOn;

    public ClaimingJoinDecider(ActorSystem system, ClusterBootstrapSettings settings) {
        super(system, settings);
        this.system = system;
        this.settings = settings;
        this.setup = system.settings().setup().get(JoinSetup.class).orElseThrow();
    }

    /** Asked again before it has answered; then one answer is under way. */
    @Override
    public Future<JoinDecision> decide(SeedNodesInformation seen) {
        if (!deciding.compareAndSet(false, true)) {
            return Futures.successful(KeepProbing.getInstance());
        }
        return Futures.future(
                () -> {
                    try {
                        return decideNow(seen);
                    } finally {
                        deciding.set(false);
                    }
                },
                system.dispatchers().lookup("akka.actor.default-blocking-io-dispatcher"));
    }

    private synchronized JoinDecision decideNow(SeedNodesInformation seen) {
        List<SeedNodesObservation> members = seen.getSeedNodesObservations().stream()
                .filter(point -> !point.getSeedNodes().isEmpty())
                .toList();
        try {
            return members.isEmpty() ? formIfItMay(seen) : joinIfItMay(members);
        } catch (IllegalStateException e) {
            LOG.warn("this node cannot join a cluster yet", e);
            return KeepProbing.getInstance();
        }
    }

    private JoinDecision formIfItMay(SeedNodesInformation seen) {
        String points = seen.getContactPoints().stream()
                .map(this::contactPointString)
                .sorted()
                .collect(Collectors.joining(", "));
        if (setup.claim().isEmpty()) {
            return lookOn("none of the contact points (" + points + ") is a member of a cluster");
        }
        if (seen.getContactPoints().stream().noneMatch(point -> matchesSelf(point, selfContactPoint()))) {
            return lookOn("its own management address is not among the contact points (" + points
                    + "), so that others could not find it");
        }
        List<String> awaited = silence.awaited(signs(seen));
        if (!awaited.isEmpty()) {
            LOG.info("no contact point is a member of a cluster, but {} may yet say so: waiting for them", awaited);
            return KeepProbing.getInstance();
        }
        DatabaseClaim claim = setup.claim().get();
        if (claim.form()) {
            LOG.info("no cluster has claimed the database, and no contact point is a member of one: forming one");
            return JoinSelf.getInstance();
        }
        return lookOn("another cluster has claimed the database (its registry nodes: "
                + String.join(", ", claim.members()) + "), but none of the contact points (" + points
                + ") says that it is a member");
    }

    private Map<String, Sign> signs(SeedNodesInformation seen) {
        Set<ResolvedTarget> answered = seen.getSeedNodesObservations().stream()
                .map(SeedNodesObservation::contactPoint)
                .collect(Collectors.toSet());
        return seen.getContactPoints().stream()
                .filter(point -> !matchesSelf(point, selfContactPoint()))
                .collect(Collectors.toMap(
                        this::contactPointString,
                        point -> answered.contains(point) ? Sign.ANSWERED : sign(point),
                        (one, other) -> one));
    }

    private Sign sign(ResolvedTarget point) {
        int port = point.getPort()
                .map(Integer.class::cast)
                .orElse(settings.contactPoint().fallbackPort());
        try (Socket connection = new Socket()) {
            connection.connect(new InetSocketAddress(point.host(), port), REFUSAL_MS);
            return Sign.NONE;
        } catch (ConnectException e) {
            // that a network or a machine cannot be reached is a ConnectException too
            return String.valueOf(e.getMessage()).contains("refused") ? Sign.REFUSED : Sign.NONE;
        } catch (IOException e) {
            return Sign.NONE;
        }
    }

    private JoinDecision joinIfItMay(List<SeedNodesObservation> members) {
        Set<Address> seeds = new HashSet<>();
        members.forEach(point -> seeds.addAll(point.getSeedNodes()));
        // A point names only some members, which may all be builders; what registry nodes agree on is theirs to tell.
        Set<Address> asked = new HashSet<>(seeds);
        members.forEach(point -> asked.add(point.sourceAddress()));
        List<Terms> answers = TermsDesk.ask(Adapter.toTyped(system), asked);
        if (answers.isEmpty()) {
            return lookOn(
                    "none of the members " + seeds + " answers this node: are cluster.host and cluster.port of both"
                            + " sides within reach, and cluster.tls of one authority?");
        }
        Set<String> differences = new TreeSet<>();
        answers.forEach(theirs -> differences.addAll(setup.terms().differences(theirs)));
        if (!differences.isEmpty()) {
            setup.refused()
                    .accept(Ending.failed("this node cannot join its cluster, since what must be the same on all nodes"
                            + " is not: " + String.join("; ", differences)));
            return KeepProbing.getInstance();
        }
        List<String> points =
                members.stream().map(point -> point.sourceAddress().hostPort()).toList();
        DatabaseClaim.Joining joining =
                setup.claim().map(claim -> claim.join(points)).orElse(DatabaseClaim.Joining.ADMITTED);
        return switch (joining) {
            case ADMITTED -> new JoinOtherSeedNodes(seeds);
            case LATER -> KeepProbing.getInstance();
            case STRANGERS ->
                lookOn("the contact points " + points + " are members of a cluster that has not claimed this"
                        + " database: it has another kiln.database.url, or has lost the claim and is about to end");
        };
    }

    private JoinDecision lookOn(String why) {
        lookedOn++;
        if (lookedOn % REPEAT == QUIET) {
            LOG.warn("this node cannot join a cluster yet: {}", why);
        }
        return KeepProbing.getInstance();
    }
}
