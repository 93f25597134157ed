package dev.kiln.source;

import com.github.benmanes.caffeine.cache.Cache;
import com.github.benmanes.caffeine.cache.Caffeine;
import dev.kiln.blob.BlobStore;
import dev.kiln.blob.FreeSpace;
import dev.kiln.config.KilnConfig;
import dev.kiln.config.RepositoryConfig;
import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.oci.RepositoryName;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Optional;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The git sources of this node's repositories; what it holds in memory and on disk is bounded. Thread-safe. */
public final class GitSources implements AutoCloseable {
    private static final int MIRRORS = 200;
    /** JGit has up to three objects in memory at a time, and the server does other things too. */
    private static final long LARGEST_OBJECT = Runtime.getRuntime().maxMemory() / 4;

    /** As many as kiln-git-dispatcher has threads, so that here, too, no few hosts take all. */
    private static final int LOOKUPS = 4 * HostLanes.WIDTH;

    private static final int WAITING_LOOKUPS = 1000;
    /** In units of {@link #REFS_PER_UNIT} refs: a million refs, or ten thousand small repositories. */
    private static final int MEMORY = 10_000;

    private static final int REFS_PER_UNIT = 100;

    private final KilnConfig config;
    private final FreeSpace dataDir;
    private final Clock clock;
    private final Path directory;
    private final Mirrors mirrors;
    private final TreeArchiver archiver;
    private final ThreadPoolExecutor lookups;
    private final Cache<RepositoryName, GitSource> sources = Caffeine.newBuilder()
            .maximumWeight(MEMORY)
            .weigher((RepositoryName name, GitSource source) -> 1 + source.refs() / REFS_PER_UNIT)
            .executor(Runnable::run)
            .build();

    /**
     * The sources that {@code config} names.
     *
     * @param store for source archives
     * @param dataDir below whose limit no mirror is fetched
     * @throws IllegalArgumentException when a configured source has an address that Kiln does not read from
     */
    public GitSources(KilnConfig config, BlobStore store, FreeSpace dataDir, Clock clock) {
        this.config = config;
        this.dataDir = dataDir;
        this.clock = clock;
        this.directory = config.dataDir().resolve("mirrors");
        this.mirrors = new Mirrors(directory, MIRRORS, LARGEST_OBJECT);
        this.archiver = new TreeArchiver(store, TreeArchiver.Limits.DEFAULT);
        config.repositories().stream()
                .flatMap(repository -> repository.source().stream())
                .forEach(GitSources::check);
        AtomicInteger number = new AtomicInteger();
        this.lookups = new ThreadPoolExecutor(
                LOOKUPS, LOOKUPS, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(WAITING_LOOKUPS), task -> {
                    Thread thread = new Thread(task, "kiln-git-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        lookups.allowCoreThreadTimeOut(true);
    }

    private static void check(GitSourceConfig source) {
        GitUrl url = GitUrl.parse(source.url(new RepositoryName("name")));
        if (url.kind() == GitUrl.Kind.SSH && source.ssh().isEmpty()) {
            throw new IllegalArgumentException("a source over ssh needs source.ssh.known-hosts");
        }
    }

    /** The source of {@code name}, or empty when no configured repository that has one matches it. Asks git nothing. */
    public Optional<GitSource> of(RepositoryName name) {
        Optional<GitSourceConfig> configured = config.repository(name).flatMap(RepositoryConfig::source);
        if (configured.isEmpty()) {
            return Optional.empty();
        }
        GitSource source = sources.get(name, unused -> make(name, configured.get()));
        // weighed anew: its refs are known only some time after it is made
        sources.put(name, source);
        return Optional.of(source);
    }

    /**
     * The host that answers for {@code name}, as its configuration says it: where {name} is a part of a host, one for all.
     * Empty text for this machine's own folders, and for a name that is not configured.
     */
    String host(RepositoryName name) {
        return config.repository(name)
                .flatMap(RepositoryConfig::source)
                .map(source ->
                        GitUrl.parse(source.url(new RepositoryName("name"))).host())
                .orElse("");
    }

    private GitSource make(RepositoryName name, GitSourceConfig source) {
        GitUrl url = GitUrl.parse(source.url(name));
        GitRemote remote = new GitRemote(url, source, directory.resolve("nobody"), Optional.empty());
        Mirror mirror = mirrors.of(name, url);
        RefObserver observer = new RefObserver(
                remote, url.publicName(), source.refresh(), source.timeout(), clock, lookups, mirror::kept);
        MirroredGit git = new MirroredGit(remote, observer, mirrors, mirror, dataDir, source.timeout(), clock);
        return new GitSource(url, observer, git, archiver, clock);
    }

    /** Ends look-ups and lets go of files; what still runs fails. */
    @Override
    public void close() {
        lookups.shutdownNow();
        mirrors.close();
    }
}
