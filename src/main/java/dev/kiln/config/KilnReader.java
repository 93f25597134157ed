package dev.kiln.config;

import dev.kiln.oci.Platform;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Reads {@code kiln}. What a method supplies may be asked for only when nothing was reported. */
final class KilnReader {
    private static final Duration SHORTEST = Duration.ofMillis(100);
    private static final Duration SAFE_GRACE = Duration.ofHours(1);
    private static final Pattern BUILDER_NAME = Pattern.compile("[a-z0-9][a-z0-9._-]{0,62}");
    private static final Pattern HOST = Pattern.compile("[A-Za-z0-9.:-]{1,253}");
    static final Pattern LOOPBACK = Pattern.compile("localhost|127\\.[0-9.]+|::1|0:0:0:0:0:0:0:1");

    private final Section kiln;
    private final ClusterSettings cluster;

    KilnReader(Section kiln, ClusterSettings cluster) {
        this.kiln = kiln;
        this.cluster = cluster;
    }

    Supplier<KilnConfig> read() {
        List<KilnConfig.Role> roles = kiln.choices("roles", KilnConfig.Role.class);
        Optional<Path> dataDir = kiln.path("data-dir");
        // it becomes part of a JDBC address and of a repository's
        dataDir.filter(path -> path.toString().matches(".*[;{}].*"))
                .ifPresent(path -> kiln.error("data-dir", "must not hold any of ; { }"));
        Optional<Path> workDir = kiln.path("work-dir");
        Optional<Long> dataDirMinFree = kiln.bytes("data-dir-min-free", 0);
        Optional<String> secret = kiln.isSet("secret")
                ? kiln.secret("secret", "a text of at least 16 characters", text -> text.length() >= 16)
                : Optional.empty();
        Optional<KilnConfig.Database> database = new DatabaseReader(kiln.section("database"), cluster).read();
        Supplier<ClusterConfig> clusterConfig = new ClusterReader(kiln.section("cluster"))
                // a node that is builder only never opens its database
                .read(database.filter(unused -> roles.contains(KilnConfig.Role.REGISTRY)));
        if (!roles.isEmpty()
                && !roles.contains(KilnConfig.Role.REGISTRY)
                && kiln.section("cluster").quietTexts("discovery").contains("none")) {
            kiln.error(
                    "roles", "must hold registry, since this node is a cluster of itself: cluster.discovery is none");
        }
        Supplier<ClusterConfig.Leaving> shutdown = shutdown(kiln.section("shutdown"));
        Supplier<KilnConfig.Store> store = store(kiln.section("store"), workDir);
        separate(dataDir, workDir);
        Section httpSection = kiln.section("http");
        Section adminSection = kiln.section("admin");
        Supplier<KilnConfig.Http> http = http(httpSection);
        Supplier<KilnConfig.Admin> admin = admin(adminSection);
        separate(httpSection, adminSection);
        Supplier<KilnConfig.Cache> cache = cache(kiln.section("cache"));

        BuilderReader reader = new BuilderReader(kiln.section("builder-defaults"), httpSection.isSet("public-url"));
        Section builderEntries = kiln.section("builders");
        Map<String, Supplier<BuilderConfig>> builders = new LinkedHashMap<>();
        for (String name : builderEntries.names(
                "a builder's name (lower-case letters, digits, . _ -)",
                text -> BUILDER_NAME.matcher(text).matches())) {
            builders.put(name, reader.read(builderEntries, name));
        }
        Set<String> builderNames = new TreeSet<>(builders.keySet());

        RepositoryReader repositoryReader = new RepositoryReader(
                builderNames,
                cluster.idleTimeout(),
                roles.contains(KilnConfig.Role.REGISTRY),
                new ClientsReader(kiln.section("clients"), kiln.section("client-defaults")));
        List<Supplier<RepositoryConfig>> repositories =
                kiln.sections("repositories", kiln.section("repository-defaults")).stream()
                        .map(repositoryReader::read)
                        .toList();

        Supplier<KilnConfig.Worker> worker = worker(kiln.section("worker"), builderNames);
        Supplier<KilnConfig.Queue> queue = queue(
                kiln.section("queue"),
                database.map(KilnConfig.Database::embedded).orElse(true));
        Section experimental = kiln.section("experimental");
        Optional<Boolean> urlPointers = experimental.flag("url-pointers");
        experimental.end();
        Supplier<KilnConfig.Hints> hints = hints(kiln.section("hints"), httpSection);
        Supplier<KilnConfig.Push> push = push(kiln.section("push"));
        kiln.end();
        return () -> new KilnConfig(
                Set.copyOf(roles),
                dataDir.orElseThrow(),
                workDir.orElseThrow(),
                dataDirMinFree.orElseThrow(),
                secret,
                database.orElseThrow(),
                store.get(),
                http.get(),
                admin.get(),
                cache.get(),
                repositories.stream().map(Supplier::get).toList(),
                builders.entrySet().stream()
                        .collect(Collectors.toUnmodifiableMap(
                                Map.Entry::getKey, entry -> entry.getValue().get())),
                worker.get(),
                queue.get(),
                new KilnConfig.Experimental(urlPointers.orElseThrow()),
                hints.get(),
                clusterConfig.get(),
                shutdown.get(),
                push.get());
    }

    private static Supplier<ClusterConfig.Leaving> shutdown(Section shutdown) {
        Optional<Duration> unready = shutdown.duration("unready", Duration.ZERO, Duration.ofMinutes(5));
        Optional<Duration> builds = shutdown.duration("builds", Duration.ZERO, Duration.ofHours(1));
        shutdown.end();
        return () -> new ClusterConfig.Leaving(unready.orElseThrow(), builds.orElseThrow());
    }

    private void separate(Optional<Path> dataDir, Optional<Path> workDir) {
        if (dataDir.isEmpty() || workDir.isEmpty()) {
            return;
        }
        Path data = real(dataDir.get());
        Path work = real(workDir.get());
        if (work.startsWith(data) || data.startsWith(work)) {
            kiln.error(
                    "work-dir",
                    "must be neither inside data-dir nor around it (" + dataDir.get()
                            + "), since strangers' programs run there");
        }
    }

    private static void separate(Section http, Section admin) {
        Optional<Integer> taken = http.integer("port", 0, 65_535).filter(port -> port != 0);
        if (taken.isPresent() && taken.equals(admin.integer("port", 0, 65_535))) {
            (admin.isDefault("port") ? http : admin).error("port", "must not be the port of the other listener");
        }
    }

    /** Without symbolic links, as far as the path exists. */
    private static Path real(Path path) {
        Path existing = path;
        while (existing.getParent() != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        try {
            return existing.toRealPath().resolve(existing.relativize(path)).normalize();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot look at " + existing, e);
        }
    }

    private static Supplier<KilnConfig.Store> store(Section store, Optional<Path> workDir) {
        store.text("type", "files", "files"::equals);
        Optional<Path> dir = store.path("dir");
        if (dir.isPresent() && workDir.isPresent() && real(dir.get()).startsWith(real(workDir.get()))) {
            store.error("dir", "must not be inside work-dir, which every start empties");
        }
        Optional<Long> minFree = store.bytes("min-free", 0);
        Optional<Duration> settle = store.duration("settle", Duration.ZERO, Duration.ofMinutes(1));
        store.end();
        return () -> new KilnConfig.Store(dir.orElseThrow(), minFree.orElseThrow(), settle.orElseThrow());
    }

    private static Supplier<KilnConfig.Http> http(Section http) {
        Optional<String> host = host(http);
        Optional<Integer> port = http.integer("port", 0, 65_535);
        Optional<String> publicUrl = http.isSet("public-url")
                ? http.secret(
                                "public-url",
                                "an address such as https://registry.example.com, without user, path or query",
                                KilnReader::isPublicUrl)
                        .map(url -> url.replaceFirst("/$", ""))
                : Optional.empty();
        List<AddressRange> proxies = http
                .textsOrNone(
                        "trusted-proxies",
                        "a list of IP addresses and ranges such as 10.0.0.0/8",
                        text -> AddressRange.parse(text).isPresent())
                .stream()
                .flatMap(text -> AddressRange.parse(text).stream())
                .toList();
        http.end();
        return () -> new KilnConfig.Http(host.orElseThrow(), port.orElseThrow(), publicUrl, proxies);
    }

    private static Supplier<KilnConfig.Hints> hints(Section hints, Section http) {
        Optional<Boolean> username = hints.flag("username");
        if (username.orElse(false) && !http.isSet("public-url")) {
            hints.warning(
                    "username",
                    "sends clients for a token to the address that http.host and port make; set http.public-url to the"
                            + " one they know");
        }
        hints.end();
        return () -> new KilnConfig.Hints(username.orElseThrow());
    }

    private static boolean isPublicUrl(String text) {
        try {
            URI uri = new URI(text);
            return ("https".equals(uri.getScheme()) || "http".equals(uri.getScheme()))
                    && uri.getHost() != null
                    && uri.getUserInfo() == null
                    && uri.getPort() <= 65_535
                    && (uri.getPath().isEmpty() || uri.getPath().equals("/"))
                    && uri.getQuery() == null
                    && uri.getFragment() == null;
        } catch (URISyntaxException e) {
            return false;
        }
    }

    private static Supplier<KilnConfig.Admin> admin(Section admin) {
        Optional<String> host = host(admin);
        Optional<Integer> port = admin.integer("port", 0, 65_535);
        host.filter(name -> !LOOPBACK.matcher(name).matches())
                .ifPresent(name -> admin.warning(
                        "host", "is not loopback: whoever reaches " + name + " may retry and cancel builds"));
        admin.end();
        return () -> new KilnConfig.Admin(host.orElseThrow(), port.orElseThrow());
    }

    private static Optional<String> host(Section listener) {
        return listener.text(
                "host",
                "a host name or an IP address without a port",
                text -> HOST.matcher(text).matches());
    }

    private static Supplier<KilnConfig.Cache> cache(Section cache) {
        Optional<Duration> maxLife = cache.duration("max-life", Duration.ZERO, Duration.ofMinutes(10));
        Optional<Duration> partialLife = cache.duration("partial-life", Duration.ZERO, Duration.ofMinutes(10));
        partialLife
                .filter(value -> maxLife.isPresent() && value.compareTo(maxLife.get()) > 0)
                .ifPresent(value ->
                        cache.error("partial-life", "must be at most max-life (" + Texts.of(maxLife.get()) + ")"));
        Optional<Long> maxBytes = cache.bytes("max-bytes", 0);
        cache.end();
        return () -> new KilnConfig.Cache(maxLife.orElseThrow(), partialLife.orElseThrow(), maxBytes.orElseThrow());
    }

    private static Supplier<KilnConfig.Worker> worker(Section worker, Set<String> builderNames) {
        Optional<Integer> slots = worker.integer("slots", 1, 64);
        List<String> platforms = worker
                .texts(
                        "platforms",
                        "a list of platforms, or [\"*\"]",
                        text -> text.equals("*") || Platform.parse(text).isPresent())
                .stream()
                .map(text -> text.equals("*") ? text : Platform.of(text).toString())
                .toList();
        List<String> builders = worker.texts(
                "builders",
                "a list of keys of kiln.builders (" + String.join(", ", builderNames) + "), or [\"*\"]",
                text -> text.equals("*") || builderNames.contains(text));
        Optional<Integer> uidBase = worker.integer("uid-base", 1000, 2_000_000_000);
        Optional<Duration> outputCheck = worker.duration("output-check", SHORTEST, Duration.ofMinutes(1));
        worker.end();
        return () -> new KilnConfig.Worker(
                slots.orElseThrow(), platforms, builders, uidBase.orElseThrow(), outputCheck.orElseThrow());
    }

    private static Supplier<KilnConfig.Push> push(Section push) {
        Optional<Duration> uploadExpiry = push.duration("upload-expiry", SHORTEST, Duration.ofDays(7));
        Optional<Duration> grace = push.duration("grace", SHORTEST, Duration.ofDays(365));
        grace.filter(value -> value.compareTo(SAFE_GRACE) < 0)
                .ifPresent(value -> push.warning(
                        "grace",
                        "is shorter than " + Texts.of(SAFE_GRACE)
                                + ": layers of a push that takes longer may be gone before its manifest comes"));
        Optional<Duration> sweep = push.duration("sweep", SHORTEST, Duration.ofDays(7));
        Optional<Integer> maxManifests = push.integer("max-manifests", 1, 1_000_000);
        Optional<Boolean> sparse = push.flag("sparse");
        push.end();
        return () -> new KilnConfig.Push(
                uploadExpiry.orElseThrow(),
                grace.orElseThrow(),
                sweep.orElseThrow(),
                maxManifests.orElseThrow(),
                sparse.orElseThrow());
    }

    private Supplier<KilnConfig.Queue> queue(Section queue, boolean embedded) {
        Optional<Integer> limit = queue.integer("limit", 1, 1_000_000);
        Optional<Integer> perRepository = queue.integer("limit-per-repository", 1, 1_000_000);
        Optional<Duration> lease = queue.duration("lease", SHORTEST, Duration.ofDays(1));
        Optional<Duration> ask = queue.duration("ask", SHORTEST, Duration.ofMinutes(1));
        lease.ifPresent(value -> {
            ask.map(period -> period.multipliedBy(3))
                    .filter(least -> value.compareTo(least) < 0)
                    .ifPresent(least -> queue.error("lease", "must be at least three times ask: " + Texts.of(least)));
            Duration least = cluster.stableAfter().multipliedBy(3);
            // a node by itself has nobody to be split from
            if (!embedded && value.compareTo(least) < 0) {
                queue.error(
                        "lease",
                        "must be at least three times akka.cluster.split-brain-resolver.stable-after: "
                                + Texts.of(least));
            }
        });
        queue.end();
        return () -> new KilnConfig.Queue(
                limit.orElseThrow(), perRepository.orElseThrow(), lease.orElseThrow(), ask.orElseThrow());
    }
}
