package dev.kiln.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import dev.kiln.config.ClusterConfig.Discovery;
import java.time.Duration;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** What {@code kiln.roles}, {@code kiln.cluster} and {@code kiln.shutdown} mean in Akka's own keys. */
final class ClusterOverlay {
    private static final String BOOTSTRAP = "akka.management.cluster.bootstrap.";
    private static final String SERVICE = "kiln";
    private static final Duration SLACK = Duration.ofSeconds(10);

    private ClusterOverlay() {}

    static Config of(KilnConfig kiln) {
        Set<KilnConfig.Role> roles = kiln.roles();
        ClusterConfig cluster = kiln.cluster();
        Map<String, Object> akka = new HashMap<>();
        phases(akka, kiln);
        akka.put(
                "akka.cluster.roles",
                roles.stream().map(role -> role.name().toLowerCase(Locale.ROOT)).toList());
        cluster.discovery().ifPresent(discovery -> {
            akka.put("akka.remote.artery.canonical.hostname", cluster.host());
            akka.put("akka.remote.artery.canonical.port", cluster.port());
            akka.put("akka.remote.artery.bind.hostname", cluster.bindHost());
            akka.put("akka.management.http.hostname", cluster.host());
            akka.put("akka.management.http.port", cluster.managementPort());
            akka.put("akka.management.http.bind-hostname", cluster.bindHost());
            akka.put(BOOTSTRAP + "new-cluster-enabled", roles.contains(KilnConfig.Role.REGISTRY));
            akka.put(BOOTSTRAP + "contact-point-discovery.service-name", SERVICE);
            discovery(akka, discovery);
            cluster.tls().ifPresent(tls -> tls(akka, tls));
        });
        return ConfigFactory.parseMap(akka, "kiln.cluster");
    }

    /** The phases of the shutdown last as long as what they wait for may, and a little longer. */
    private static void phases(Map<String, Object> akka, KilnConfig kiln) {
        Duration hop = kiln.repositories().stream()
                .map(RepositoryConfig::hop)
                .max(Duration::compareTo)
                .orElse(Duration.ZERO);
        Duration builds = kiln.shutdown().builds();
        String phases = "akka.coordinated-shutdown.phases.";
        akka.put(
                phases + "before-service-unbind.timeout",
                kiln.shutdown().unready().plus(SLACK));
        akka.put(phases + "service-requests-done.timeout", (hop.compareTo(builds) > 0 ? hop : builds).plus(SLACK));
    }

    private static void discovery(Map<String, Object> akka, Discovery discovery) {
        if (discovery instanceof Discovery.Listed listed) {
            akka.put(BOOTSTRAP + "contact-point-discovery.discovery-method", "config");
            // each has its own port
            akka.put(BOOTSTRAP + "contact-point.filter-on-fallback-port", false);
            akka.put(
                    "akka.discovery.config.services." + SERVICE + ".endpoints",
                    listed.contactPoints().stream()
                            .map(ClusterOverlay::endpoint)
                            .toList());
        } else if (discovery instanceof Discovery.Dns dns) {
            akka.put(BOOTSTRAP + "contact-point-discovery.discovery-method", "akka-dns");
            akka.put(BOOTSTRAP + "contact-point-discovery.effective-name", dns.name());
            // a look-up with a protocol asks for SRV records
            akka.put(BOOTSTRAP + "contact-point-discovery.protocol", "");
        } else if (discovery instanceof Discovery.Kubernetes kubernetes) {
            akka.put(BOOTSTRAP + "contact-point-discovery.discovery-method", "kubernetes-api");
            akka.put("akka.discovery.kubernetes-api.use-raw-ip", true);
            akka.put("akka.discovery.kubernetes-api.pod-label-selector", kubernetes.podLabelSelector());
            kubernetes
                    .namespace()
                    .ifPresent(namespace -> akka.put("akka.discovery.kubernetes-api.pod-namespace", namespace));
        }
    }

    private static Map<String, Object> endpoint(String contactPoint) {
        int colon = contactPoint.lastIndexOf(':');
        return Map.of(
                "host", contactPoint.substring(0, colon), "port", Integer.parseInt(contactPoint.substring(colon + 1)));
    }

    private static void tls(Map<String, Object> akka, ClusterConfig.Tls tls) {
        String engine = "akka.remote.artery.ssl.rotating-keys-engine.";
        akka.put("akka.remote.artery.transport", "tls-tcp");
        akka.put(
                "akka.remote.artery.ssl.ssl-engine-provider",
                "akka.remote.artery.tcp.ssl.RotatingKeysSSLEngineProvider");
        akka.put(engine + "key-file", tls.key().toString());
        akka.put(engine + "cert-file", tls.certificate().toString());
        akka.put(engine + "ca-cert-file", tls.ca().toString());
    }
}
