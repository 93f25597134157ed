package dev.kiln.cluster;

import akka.actor.ActorSystem;
import akka.actor.Props;
import akka.cluster.Cluster;
import akka.cluster.DowningProvider;
import akka.cluster.sbr.SplitBrainResolverSettings;
import scala.Option;
import scala.concurrent.duration.FiniteDuration;

/**
 * {@link RegistryResolver} with {@link RegistryMajority} for a strategy. Reads its settings, of which
 * {@code active-strategy} has no effect. Named in {@code kiln-akka.conf}.
 */
public final class RegistryMajorityProvider extends DowningProvider {
    private final ActorSystem system;
    private final SplitBrainResolverSettings settings;

    public RegistryMajorityProvider(ActorSystem system) {
        this.system = system;
        this.settings = new SplitBrainResolverSettings(system.settings().config());
    }

    @Override
    public FiniteDuration downRemovalMargin() {
        return Cluster.get(system).settings().DownRemovalMargin();
    }

    @Override
    public Option<Props> downingActorProps() {
        Cluster cluster = Cluster.get(system);
        String role = settings.keepMajorityRole().get();
        return Option.apply(RegistryResolver.props(
                settings.DowningStableAfter(),
                new RegistryMajority(
                        cluster.selfDataCenter(),
                        cluster.selfUniqueAddress(),
                        role,
                        cluster.getSelfRoles().contains(role))));
    }
}
