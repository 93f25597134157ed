package dev.kiln.source;

import dev.kiln.blob.FreeSpace;
import dev.kiln.config.RepositoryConfig.GitSourceConfig;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Revision;
import dev.kiln.oci.Tag;
import dev.kiln.testing.MemoryBlobStore;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.eclipse.jgit.lib.ObjectId;
import org.eclipse.jgit.lib.ProgressMonitor;
import org.eclipse.jgit.lib.Repository;

/** A git source as a node has one, with its clock, its folder and its store in the test's hands. */
final class SourceFixture implements AutoCloseable {
    static final RepositoryName NAME = new RepositoryName("team/app");

    static final FreeSpace PLENTY = new FreeSpace("the disk", "limit", 0, () -> Long.MAX_VALUE);

    final AtomicLong free = new AtomicLong(Long.MAX_VALUE);
    FreeSpace.Measure measure = free::get;
    private final FreeSpace space = new FreeSpace("the disk", "limit", 100, () -> measure.free());
    final SettableClock clock = new SettableClock();
    final MemoryBlobStore store = new MemoryBlobStore();
    final AtomicInteger lookUps = new AtomicInteger();
    final AtomicInteger fetches = new AtomicInteger();
    /** What happens when a fetch has begun. */
    Runnable duringFetch = () -> {};

    /** Of those made from now on. */
    long largestObject = Long.MAX_VALUE;

    final Path mirrors;
    /** Done by each look-up before it asks git. */
    volatile Runnable beforeLookUp = () -> {};

    private final ExecutorService threads =
            new ThreadPoolExecutor(0, Integer.MAX_VALUE, 1, TimeUnit.MINUTES, new SynchronousQueue<>()) {
                @Override
                protected void beforeExecute(Thread thread, Runnable lookUp) {
                    beforeLookUp.run();
                }
            };

    SourceFixture(Path mirrors) {
        this.mirrors = mirrors;
    }

    static GitSourceConfig config(String url) {
        return new GitSourceConfig(
                url,
                List.of("refs/heads/*", "refs/tags/*"),
                Duration.ofSeconds(10),
                Duration.ofSeconds(20),
                Optional.empty(),
                Optional.empty(),
                Optional.empty());
    }

    GitSource source(Origin origin) {
        return source(config(origin.directory.toString()));
    }

    GitSource source(GitSourceConfig config) {
        return source(config, TreeArchiver.Limits.DEFAULT);
    }

    GitSource source(GitSourceConfig config, TreeArchiver.Limits limits) {
        GitUrl url = GitUrl.parse(config.url(NAME));
        GitRemote remote = new GitRemote(url, config, mirrors.resolve("nobody"), Optional.empty()) {
            @Override
            Listing listing(Duration limit) {
                lookUps.incrementAndGet();
                return super.listing(limit);
            }

            @Override
            RefTable fetch(Repository mirror, MirrorRefs refs, ProgressMonitor progress) throws GitException {
                fetches.incrementAndGet();
                duringFetch.run();
                return super.fetch(mirror, refs, progress);
            }
        };
        Mirrors all = new Mirrors(mirrors, 10, largestObject);
        Mirror mirror = all.of(NAME, url);
        RefObserver observer = new RefObserver(
                remote, url.publicName(), config.refresh(), config.timeout(), clock, threads, mirror::kept);
        return new GitSource(
                url,
                observer,
                new MirroredGit(remote, observer, all, mirror, space, config.timeout(), clock),
                new TreeArchiver(store, limits),
                clock);
    }

    static Meaning.Found found(GitSource source, String tag) {
        Meaning meaning = source.resolve(new Tag(tag));
        if (meaning instanceof Meaning.Found found) {
            return found;
        }
        throw new AssertionError(tag + " is " + meaning);
    }

    static String unknown(GitSource source, String tag) {
        Meaning meaning = source.resolve(new Tag(tag));
        if (meaning instanceof Meaning.Unknown unknown && !unknown.repositoryUnknown()) {
            return unknown.reason();
        }
        throw new AssertionError(tag + " is " + meaning);
    }

    static String unavailable(GitSource source, String tag) {
        Meaning meaning = source.resolve(new Tag(tag));
        if (meaning instanceof Meaning.Unavailable unavailable) {
            return unavailable.reason();
        }
        throw new AssertionError(tag + " is " + meaning);
    }

    static Revision revision(ObjectId id) {
        return new Revision(id.name());
    }

    /** The entries of an archive, each as mode, type and content. */
    Map<String, String> entries(Digest archive) {
        Map<String, String> entries = new LinkedHashMap<>();
        try (TarArchiveInputStream tar =
                new TarArchiveInputStream(new ByteArrayInputStream(store.blobs.get(archive)), "UTF-8")) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                entries.put(
                        entry.getName(),
                        entry.isSymbolicLink()
                                ? "-> " + entry.getLinkName()
                                : Integer.toOctalString(entry.getMode()) + " "
                                        + new String(tar.readAllBytes(), StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return entries;
    }

    List<Path> files() {
        if (!Files.exists(mirrors)) {
            return List.of();
        }
        try (Stream<Path> all = Files.walk(mirrors)) {
            return all.filter(Files::isRegularFile).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        threads.shutdownNow();
    }

    /** Stands still until it is moved. */
    static final class SettableClock extends Clock {
        private volatile Instant now = Instant.parse("2026-11-01T00:00:00Z");

        void pass(Duration time) {
            now = now.plus(time);
        }

        @Override
        public Instant instant() {
            return now;
        }

        @Override
        public ZoneId getZone() {
            return ZoneOffset.UTC;
        }

        @Override
        public Clock withZone(ZoneId zone) {
            return this;
        }
    }
}
