package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.blob.Links.Kind;
import dev.kiln.blob.Links.Link;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LinksTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Digest DIGEST = Digest.sha256(new byte[] {1});
    private static final Link BLOB = new Link(Kind.BLOB, "application/octet-stream", 1, "source");
    private static final Link MANIFEST = new Link(Kind.MANIFEST, "application/json", 1, "index");

    @TempDir
    Path root;

    private BlobLayout layout;
    private Staging staging;
    private FileLinks links;

    @BeforeEach
    void open() throws IOException {
        layout = new BlobLayout(root);
        staging = Staging.open(layout.staging(), InstantSource.system());
        links = new FileLinks(layout::link, layout.root(), new DurableNames(layout.root()), staging);
    }

    @AfterEach
    void close() throws IOException {
        staging.close();
    }

    @Test
    void aLinkIsFoundInItsRepositoryOnly() throws Exception {
        links.publish(APP, DIGEST, BLOB);

        assertThat(links.find(APP, DIGEST)).contains(BLOB);
        assertThat(links.find(new RepositoryName("team/app/sub"), DIGEST)).isEmpty();
        assertThat(links.find(new RepositoryName("team"), DIGEST)).isEmpty();
        assertThat(links.find(APP, Digest.sha256(new byte[] {2}))).isEmpty();
    }

    @Test
    void theLongestNameIsNotTooLong() throws Exception {
        RepositoryName longest = new RepositoryName("a".repeat(RepositoryName.MAX_LENGTH));

        links.publish(longest, DIGEST, BLOB);

        assertThat(links.find(longest, DIGEST)).contains(BLOB);
    }

    @Test
    void aManifestsLinkWinsOverABlobsInAnyOrder() throws Exception {
        links.publish(APP, DIGEST, BLOB);
        links.publish(APP, DIGEST, MANIFEST);
        assertThat(links.find(APP, DIGEST)).contains(MANIFEST);

        links.publish(APP, DIGEST, BLOB);
        assertThat(links.find(APP, DIGEST)).contains(MANIFEST);
    }

    @Test
    void publishingTheSameAgainWritesNothing() throws Exception {
        links.publish(APP, DIGEST, BLOB);
        Path file = layout.link(APP, Kind.BLOB, DIGEST);
        FileTime longAgo = FileTime.fromMillis(0);
        Files.setLastModifiedTime(file, longAgo);

        links.publish(APP, DIGEST, BLOB);

        assertThat(Files.getLastModifiedTime(file)).isEqualTo(longAgo);
    }

    @Test
    void aDamagedLinkIsAnErrorThatSaysWhatToDo() throws Exception {
        links.publish(APP, DIGEST, BLOB);
        Files.writeString(layout.link(APP, Kind.BLOB, DIGEST), "{");

        assertThatThrownBy(() -> links.find(APP, DIGEST))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(DIGEST.value())
                .hasMessageNotContaining(root.toString());
    }

    @Test
    void anUnknownDigestCostsOneLookUpASecond() throws Exception {
        AtomicInteger lookUps = new AtomicInteger();
        AtomicLong time = new AtomicLong();
        NegativelyCachedLinks cached = new NegativelyCachedLinks(counting(lookUps), time::get);

        for (int i = 0; i < 100; i++) {
            assertThat(cached.find(APP, DIGEST)).isEmpty();
        }
        assertThat(lookUps).hasValue(1);
        time.addAndGet(Duration.ofMillis(1001).toNanos());
        links.publish(APP, DIGEST, BLOB);
        assertThat(cached.find(APP, DIGEST)).contains(BLOB);
    }

    @Test
    void whatIsPublishedHereIsFoundAtOnce() throws Exception {
        NegativelyCachedLinks cached = new NegativelyCachedLinks(links, () -> 0);

        assertThat(cached.find(APP, DIGEST)).isEmpty();
        cached.publish(APP, DIGEST, BLOB);

        assertThat(cached.find(APP, DIGEST)).contains(BLOB);
    }

    @Test
    void aLookUpThatBeganBeforeThePublishDoesNotHideTheLink() throws Exception {
        CountDownLatch looked = new CountDownLatch(1);
        CountDownLatch published = new CountDownLatch(1);
        AtomicBoolean first = new AtomicBoolean(true);
        Links slow = new Links() {
            @Override
            public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
                links.publish(repository, digest, link);
                published.countDown();
            }

            @Override
            public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
                Optional<Link> found = links.find(repository, digest);
                if (first.compareAndSet(true, false)) {
                    looked.countDown();
                    try {
                        published.await();
                    } catch (InterruptedException e) {
                        throw new IOException(e);
                    }
                }
                return found;
            }
        };
        NegativelyCachedLinks cached = new NegativelyCachedLinks(slow, () -> 0);
        CompletableFuture<Optional<Link>> early = CompletableFuture.supplyAsync(() -> find(cached));
        assertThat(looked.await(30, TimeUnit.SECONDS)).isTrue();

        cached.publish(APP, DIGEST, BLOB);

        assertThat(cached.find(APP, DIGEST)).contains(BLOB);
        assertThat(early.get(30, TimeUnit.SECONDS)).isEmpty();
    }

    private static Optional<Link> find(Links links) {
        try {
            return links.find(APP, DIGEST);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void anErrorIsNotTakenForAbsence() {
        NegativelyCachedLinks cached = new NegativelyCachedLinks(
                new Links() {
                    @Override
                    public void publish(RepositoryName repository, Digest digest, Link link) {}

                    @Override
                    public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
                        throw new IOException("disk");
                    }
                },
                () -> 0);

        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> cached.find(APP, DIGEST))
                    .isInstanceOf(IOException.class)
                    .hasMessage("disk");
        }
    }

    private Links counting(AtomicInteger lookUps) {
        return new Links() {
            @Override
            public void publish(RepositoryName repository, Digest digest, Link link) throws IOException {
                links.publish(repository, digest, link);
            }

            @Override
            public Optional<Link> find(RepositoryName repository, Digest digest) throws IOException {
                lookUps.incrementAndGet();
                return links.find(repository, digest);
            }
        };
    }
}
