package dev.kiln.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import java.time.Duration;

/**
 * The library settings that Kiln's own keys must fit.
 *
 * @param idleTimeout of the server's connections
 * @param stableAfter of the split-brain resolver
 * @param seedNodes how many nodes form the cluster, 0 for one by itself
 */
record ClusterSettings(Duration idleTimeout, Duration stableAfter, int seedNodes) {
    private static final Duration NEVER = Duration.ofDays(3650);

    static ClusterSettings of(Config akka) {
        return new ClusterSettings(
                duration(akka, "akka.http.server.idle-timeout"),
                duration(akka, "akka.cluster.split-brain-resolver.stable-after"),
                akka.getList("akka.cluster.seed-nodes").size());
    }

    private static Duration duration(Config config, String path) {
        try {
            return config.getDuration(path);
        } catch (ConfigException.BadValue e) {
            return NEVER; // "infinite"; what else is wrong there the library says itself
        }
    }
}
