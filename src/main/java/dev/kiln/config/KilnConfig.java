package dev.kiln.config;

import dev.kiln.oci.RepositoryName;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Everything under {@code kiln} in the configuration, read and validated. {@code reference.conf} says what each key
 * means, its unit and its default; these records only carry the values. Immutable.
 *
 * @param dataDir absolute
 * @param workDir absolute, never inside {@code dataDir}
 * @param secret the key that signs hops; empty: the nodes share one that is generated into the database
 * @param dataDirMinFree bytes; below it nothing new and large begins
 */
public record KilnConfig(
        Set<Role> roles,
        Path dataDir,
        Path workDir,
        long dataDirMinFree,
        Optional<String> secret,
        Database database,
        Store store,
        Http http,
        Admin admin,
        Cache cache,
        List<RepositoryConfig> repositories,
        Map<String, BuilderConfig> builders,
        Worker worker,
        Queue queue,
        Experimental experimental,
        Hints hints,
        ClusterConfig cluster,
        ClusterConfig.Leaving shutdown,
        Push push) {

    public KilnConfig {
        roles = Set.copyOf(roles);
        repositories = List.copyOf(repositories);
        builders = Map.copyOf(builders);
    }

    /** The first configured repository whose pattern matches, or empty: such a name is unknown. */
    public Optional<RepositoryConfig> repository(RepositoryName name) {
        for (RepositoryConfig repository : repositories) {
            if (repository.name().matches(name)) {
                return Optional.of(repository);
            }
        }
        return Optional.empty();
    }

    /**
     * Where the demonstration's git repository belongs, which the first start creates: the source of the first repository
     * that is configured to come from {@code demo/} under {@code dataDir}. Empty when none is.
     */
    public Optional<Path> demoRepository() {
        Path demo = dataDir.resolve("demo");
        return repositories.stream()
                .flatMap(repository -> repository.source().stream())
                .map(RepositoryConfig.GitSourceConfig::url)
                .filter(url -> url.startsWith("/") && !url.contains("{"))
                .map(url -> Path.of(url).normalize())
                .filter(path -> path.startsWith(demo) && !path.equals(demo))
                .findFirst();
    }

    /** How long what another node has written is waited for; zero where there is no other node. */
    public Duration settle() {
        return cluster.discovery().isEmpty() ? Duration.ZERO : store.settle();
    }

    /** Without the secret. */
    @Override
    public String toString() {
        return "KilnConfig[roles=" + roles + ", dataDir=" + dataDir + ", workDir=" + workDir + ", database=" + database
                + ", store=" + store + ", http=" + http + ", admin=" + admin + ", repositories=" + repositories
                + ", builders=" + builders + ", worker=" + worker + ", queue=" + queue
                + ", experimental=" + experimental + ", hints=" + hints + ", cluster=" + cluster + ", shutdown="
                + shutdown + ", push=" + push + "]";
    }

    public enum Role {
        REGISTRY,
        BUILDER
    }

    /** The JDBC address of the journal; H2 in PostgreSQL mode or PostgreSQL. */
    public record Database(String url, String user, String password, int connections) {
        /**
         * What every session with PostgreSQL begins with, so that the server ends it within 20 s when its client is cut off or
         * without power, and within 10 s when it stands still in a transaction: by itself it would keep the session's locks
         * for hours. Transactions here wait for nothing but the database, so none that goes on is idle for long; and who
         * waits for a lock of one that is ended has it before the driver gives up ({@code socketTimeout}).
         */
        public static final String NOTICE_DEAD_CLIENTS = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5;"
                + " SET tcp_keepalives_count = 3; SET tcp_user_timeout = 20000;"
                + " SET idle_in_transaction_session_timeout = 10000";

        public boolean embedded() {
            return url.startsWith("jdbc:h2:");
        }

        @Override
        public String toString() {
            return "Database[" + url.replaceFirst("[?;].*", "") + "]";
        }
    }

    /**
     * The content store.
     *
     * @param minFree bytes; below it nothing new and large begins
     * @param settle how long what another node has written is waited for
     */
    public record Store(Path dir, long minFree, Duration settle) {}

    /**
     * The public listener.
     *
     * @param publicUrl the address clients and people use, without a trailing slash; empty: host and port
     * @param trustedProxies who is believed about the clients for which they ask
     */
    public record Http(String host, int port, Optional<String> publicUrl, List<AddressRange> trustedProxies) {
        public Http {
            trustedProxies = List.copyOf(trustedProxies);
        }

        /** The host of {@code publicUrl}, in lower case. */
        public Optional<String> publicHost() {
            return publicUrl.map(url -> URI.create(url).getHost().toLowerCase(Locale.ROOT));
        }
    }

    public record Admin(String host, int port) {}

    /**
     * The node's own caches of answers.
     *
     * @param maxLife how long a complete index may be served without asking its owner
     * @param partialLife the same for an incomplete one
     * @param maxBytes of all cached manifests together
     */
    public record Cache(Duration maxLife, Duration partialLife, long maxBytes) {}

    /**
     * This node's builds.
     *
     * @param platforms canonical platform texts, or {@code *}
     * @param builders keys of {@link KilnConfig#builders}, or {@code *}
     * @param uidBase slot i builds as user id {@code uidBase + i} where the server is root
     * @param outputCheck how often an attempt's disk use is measured
     */
    public record Worker(int slots, List<String> platforms, List<String> builders, int uidBase, Duration outputCheck) {
        public Worker {
            platforms = List.copyOf(platforms);
            builders = List.copyOf(builders);
        }
    }

    /**
     * The cluster's build queue.
     *
     * @param lease how long a worker may keep an attempt without being heard of
     * @param ask how often a worker repeats its ask, and a subscriber its subscription
     */
    public record Queue(int limit, int limitPerRepository, Duration lease, Duration ask) {}

    /**
     * What clients push.
     *
     * @param uploadExpiry how long an upload session lives after the last byte that was acknowledged
     * @param grace how long what nothing refers to stays
     * @param sweep how often the store is looked through for it
     * @param maxManifests of one repository, and as many tags
     * @param sparse whether a manifest may refer to blobs and manifests that are not here
     */
    public record Push(Duration uploadExpiry, Duration grace, Duration sweep, int maxManifests, boolean sparse) {}

    /** @param urlPointers whether clients that name its media type get an index of URL pointers */
    public record Experimental(boolean urlPointers) {}

    /** @param username whether clients are asked for a username, which may name a platform */
    public record Hints(boolean username) {}
}
