package dev.kiln.config;

import dev.kiln.config.ClusterConfig.Discovery;
import dev.kiln.config.ClusterConfig.Tls;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads {@code kiln.cluster}. */
final class ClusterReader {
    private enum Method {
        NONE,
        CONFIG,
        DNS,
        KUBERNETES
    }

    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f.]*(:[0-9A-Fa-f.]*){2,7}");
    private static final Pattern CONTACT_POINT =
            Pattern.compile("([A-Za-z0-9.-]{1,253}|\\[[0-9A-Fa-f:.]+]):([0-9]{1,5})");
    private static final Pattern PKCS8 = Pattern.compile("-----BEGIN PRIVATE KEY-----([^-]*)-----END PRIVATE KEY-----");
    private static final Pattern DNS_NAME = Pattern.compile("[A-Za-z0-9._-]{1,253}");

    private final Section cluster;

    ClusterReader(Section cluster) {
        this.cluster = cluster;
    }

    /** @param database empty when it could not be read */
    Supplier<ClusterConfig> read(Optional<KilnConfig.Database> database) {
        Optional<Method> method = cluster.choice("discovery", Method.class);
        Optional<String> host = host("host");
        Optional<String> bindHost = cluster.isSet("bind-host") ? host("bind-host") : host;
        Optional<Integer> port = cluster.integer("port", 1, 65_535);
        Optional<Integer> managementPort = cluster.integer("management-port", 1, 65_535);
        port.filter(number -> managementPort.equals(Optional.of(number)))
                .ifPresent(same -> cluster.error("management-port", "must not be cluster.port"));
        List<String> contactPoints = cluster.textsOrNone(
                "contact-points",
                "a list of host:port, such as [\"10.0.0.1:8558\", \"10.0.0.2:8558\"]",
                ClusterReader::isContactPoint);
        Optional<String> dnsName = cluster.isSet("dns-name")
                ? cluster.text(
                        "dns-name", "a DNS name", text -> DNS_NAME.matcher(text).matches())
                : Optional.empty();
        Section kubernetes = cluster.section("kubernetes");
        Optional<String> namespace = kubernetes.isSet("namespace")
                ? kubernetes.text("namespace", "a namespace's name", text -> true)
                : Optional.empty();
        Optional<String> selector = kubernetes.text("pod-label-selector", "a label selector", text -> true);
        kubernetes.end();
        Optional<Tls> tls = cluster.isSet("tls") ? tls(cluster.section("tls")) : Optional.empty();
        method.ifPresent(value -> check(value, database, contactPoints, dnsName));
        if (method.isPresent() && method.get() != Method.NONE) {
            warn(bindHost, tls);
        }
        cluster.end();
        return () -> new ClusterConfig(
                switch (method.orElseThrow()) {
                    case NONE -> Optional.empty();
                    case CONFIG -> Optional.of(new Discovery.Listed(contactPoints));
                    case DNS -> Optional.of(new Discovery.Dns(dnsName.orElseThrow()));
                    case KUBERNETES -> Optional.of(new Discovery.Kubernetes(namespace, selector.orElseThrow()));
                },
                host.orElseThrow(),
                bindHost.orElseThrow(),
                port.orElseThrow(),
                managementPort.orElseThrow(),
                tls);
    }

    private void check(
            Method method,
            Optional<KilnConfig.Database> database,
            List<String> contactPoints,
            Optional<String> dnsName) {
        if (method != Method.NONE && database.map(KilnConfig.Database::embedded).orElse(false)) {
            cluster.error(
                    "discovery",
                    "must be none: kiln.database.url is an embedded database, which only one node can use; for several"
                            + " nodes use jdbc:postgresql://…");
        }
        if (method == Method.CONFIG && contactPoints.isEmpty()) {
            cluster.error("discovery", "is config, so contact-points must name the registry nodes");
        }
        if (method == Method.DNS && dnsName.isEmpty()) {
            cluster.error("discovery", "is dns, so dns-name must be a name of the registry nodes");
        }
    }

    private void warn(Optional<String> bindHost, Optional<Tls> tls) {
        if (tls.isEmpty() && !cluster.isSet("tls")) {
            bindHost.filter(address -> !KilnReader.LOOPBACK.matcher(address).matches())
                    .ifPresent(address -> cluster.warning(
                            cluster.isSet("bind-host") ? "bind-host" : "host",
                            "is not loopback and cluster.tls is not set: whoever reaches " + address
                                    + " can act as a node of this cluster"));
        }
    }

    private Optional<String> host(String key) {
        return cluster.text(
                key,
                "a host name or an IP address without a port",
                text -> HOST.matcher(text).matches());
    }

    private static boolean isContactPoint(String text) {
        var match = CONTACT_POINT.matcher(text);
        return match.matches()
                && Integer.parseInt(match.group(2)) <= 65_535
                && !match.group(2).equals("0");
    }

    private static Optional<Tls> tls(Section tls) {
        Optional<Path> key = file(tls, "key");
        key.filter(path -> !isRsaKey(path))
                .ifPresent(
                        path -> tls.error("key", "must be an RSA private key in PEM form, which " + path + " is not"));
        key.filter(ClusterReader::isEverybodys)
                .ifPresent(path -> tls.warning(
                        "key", "may be read by every user of this machine, builds among them: chmod 400 " + path));
        Optional<Path> certificate = file(tls, "certificate");
        Optional<Path> ca = file(tls, "ca");
        tls.end();
        return key.isPresent() && certificate.isPresent() && ca.isPresent()
                ? Optional.of(new Tls(key.get(), certificate.get(), ca.get()))
                : Optional.empty();
    }

    /** Akka reads no other, and says so only when the first node connects. */
    private static boolean isRsaKey(Path file) {
        try {
            String pem = Files.readString(file, StandardCharsets.US_ASCII);
            Matcher pkcs8 = PKCS8.matcher(pem);
            if (!pkcs8.find()) {
                return pem.contains("-----BEGIN RSA PRIVATE KEY-----");
            }
            KeyFactory.getInstance("RSA")
                    .generatePrivate(
                            new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(pkcs8.group(1))));
            return true;
        } catch (IOException | IllegalArgumentException | GeneralSecurityException e) {
            return false;
        }
    }

    private static boolean isEverybodys(Path file) {
        try {
            return Files.getPosixFilePermissions(file).contains(PosixFilePermission.OTHERS_READ);
        } catch (IOException | UnsupportedOperationException e) {
            return false;
        }
    }

    private static Optional<Path> file(Section tls, String key) {
        Optional<Path> file = tls.path(key);
        file.filter(path -> !Files.isReadable(path) || Files.isDirectory(path))
                .ifPresent(path -> tls.error(key, "must be a file that can be read, which " + path + " is not"));
        return file;
    }
}
