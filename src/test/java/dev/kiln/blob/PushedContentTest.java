package dev.kiln.blob;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.SettableClock;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pushed links and bytes: what is found, what counts as used, what goes and what comes back. */
class PushedContentTest {
    private static final Set<Links.Kind> BOTH = Set.of(Links.Kind.values());
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final RepositoryName OTHER = new RepositoryName("team/app/sub");
    private static final Duration GRACE = Duration.ofHours(24);
    private static final byte[] BYTES = "a layer".getBytes(US_ASCII);
    private static final Digest LAYER = Digest.sha256(BYTES);

    private final SettableClock clock = new SettableClock(Instant.now());

    @TempDir
    Path root;

    private SharedFolder here;
    private SharedFolder there;
    private PushedContent pushed;
    private PushedContent elsewhere;
    private Sweep sweep;

    @BeforeEach
    void open() throws IOException {
        PushTerms terms = new PushTerms(Duration.ofHours(1), GRACE, List.of());
        here = SharedFolder.open(root, clock);
        there = SharedFolder.open(root, clock);
        pushed = here.pushed(terms);
        elsewhere = there.pushed(terms);
        sweep = here.sweep(terms);
    }

    @AfterEach
    void close() throws IOException {
        here.close();
        there.close();
    }

    private static void push(PushedContent pushed, RepositoryName repository, byte[] bytes) throws IOException {
        Uploads uploads = pushed.uploads();
        try (UploadChunk chunk = uploads.append(repository, uploads.open(repository), 0)) {
            chunk.out().write(bytes);
            chunk.finish(Digest.sha256(bytes));
        }
    }

    private void build(RepositoryName repository, byte[] bytes) throws IOException {
        try (StagedBlob blob = here.content().blobs().stage()) {
            blob.out().write(bytes);
            blob.commit();
        }
        here.content()
                .links()
                .publish(
                        repository,
                        Digest.sha256(bytes),
                        new Links.Link(Links.Kind.BLOB, "application/x", bytes.length, "a build"));
    }

    private void sweepBytes() throws IOException {
        sweepBytes(sweep.repositories());
    }

    private void sweepBytes(Sweep.Listed listed) throws IOException {
        for (Shard shard : Shard.all()) {
            sweep.bytes(shard, listed);
        }
    }

    private boolean isThere(RepositoryName repository, Digest digest) throws IOException {
        return there.content().links().find(repository, digest).isPresent();
    }

    private byte[] read(Digest digest) throws IOException {
        try (InputStream in = there.content().blobs().open(digest)) {
            return in.readAllBytes();
        }
    }

    private List<Path> files(String folder) throws IOException {
        if (!Files.exists(root.resolve(folder))) {
            return List.of();
        }
        try (var files = Files.walk(root.resolve(folder))) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void aManifestIsServedAsWhatItWasPushed() throws Exception {
        Descriptor manifest = new Descriptor("application/x", LAYER, BYTES.length);

        pushed.publishManifest(APP, manifest, BYTES);

        Links.Link link = new Links.Link(Links.Kind.MANIFEST, "application/x", BYTES.length, "push");
        assertThat(there.content().links().find(APP, LAYER)).contains(link);
        assertThat(elsewhere.use(APP, LAYER)).contains(link);
        assertThat(read(LAYER)).isEqualTo(BYTES);
        push(pushed, APP, BYTES);
        assertThat(elsewhere.use(APP, LAYER)).as("no blob's link replaces it").contains(link);
        assertThatThrownBy(() ->
                        pushed.publishManifest(APP, new Descriptor("application/x", LAYER, BYTES.length), new byte[7]))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void whatWasPushedAsABlobAndAsAManifestGoesAsTheOneAndStaysAsTheOther() throws Exception {
        Descriptor manifest = new Descriptor("application/x", LAYER, BYTES.length);
        pushed.publishManifest(APP, manifest, BYTES);
        push(pushed, APP, BYTES);
        assertThat(elsewhere.useAsBlob(APP, LAYER).map(Links.Link::kind)).contains(Links.Kind.BLOB);

        assertThat(pushed.remove(APP, LAYER, Set.of(Links.Kind.MANIFEST), Optional.empty(), () -> {}))
                .isTrue();
        assertThat(there.content().links().find(APP, LAYER).map(Links.Link::kind))
                .contains(Links.Kind.BLOB);

        pushed.publishManifest(APP, manifest, BYTES);
        assertThat(pushed.remove(APP, LAYER, Set.of(Links.Kind.BLOB), Optional.empty(), () -> {}))
                .isTrue();
        assertThat(there.content().links().find(APP, LAYER).map(Links.Link::kind))
                .contains(Links.Kind.MANIFEST);
        assertThat(elsewhere.useAsBlob(APP, LAYER).map(Links.Link::kind))
                .as("a manifest is a blob too")
                .contains(Links.Kind.MANIFEST);
    }

    @Test
    void aPushIsSeenAtOnceByWhoWasToldThatItIsNotThere() throws Exception {
        assertThat(isThere(APP, LAYER)).isFalse();

        push(pushed, APP, BYTES);

        assertThat(isThere(APP, LAYER)).isTrue();
    }

    @Test
    void whatWasBuiltComesBeforeWhatWasPushedAndIsNeverRemoved() throws Exception {
        push(pushed, APP, BYTES);
        build(APP, BYTES);
        assertThat(there.content().links().find(APP, LAYER))
                .hasValueSatisfying(link -> assertThat(link.origin()).isEqualTo("a build"));

        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.empty(), () -> {})).isTrue();
        clock.advance(GRACE.multipliedBy(3));
        sweepBytes();
        clock.advance(GRACE.multipliedBy(3));
        sweepBytes();

        assertThat(files("pushed")).isEmpty();
        assertThat(files("trash")).isEmpty();
        assertThat(isThere(APP, LAYER)).isTrue();
        assertThat(read(LAYER)).isEqualTo(BYTES);
    }

    @Test
    void bytesThatWereBuiltAreNotPushedASecondTime() throws Exception {
        build(OTHER, BYTES);

        push(pushed, APP, BYTES);

        assertThat(files("pushed")).isEmpty();
        assertThat(isThere(APP, LAYER)).isTrue();
    }

    @Test
    void aMountIsByWhatARepositoryHas() throws Exception {
        assertThat(pushed.mount(OTHER, APP, LAYER)).isEmpty();
        assertThat(pushed.mountFromAny(APP, LAYER)).isEmpty();
        push(pushed, OTHER, BYTES);
        assertThat(isThere(APP, LAYER)).isFalse();

        assertThat(elsewhere.mount(OTHER, APP, LAYER)).contains((long) BYTES.length);
        assertThat(isThere(APP, LAYER)).isTrue();
        assertThat(elsewhere.mountFromAny(new RepositoryName("third"), LAYER)).contains((long) BYTES.length);

        byte[] built = "built".getBytes(US_ASCII);
        build(OTHER, built);
        assertThat(elsewhere.mountFromAny(APP, Digest.sha256(built))).isEmpty();
        assertThat(elsewhere.mount(OTHER, APP, Digest.sha256(built))).contains(5L);
        assertThat(isThere(APP, Digest.sha256(built))).isTrue();
    }

    @Test
    void aLinkIsUnusedWhenNobodyAskedForItForTheGraceTime() throws Exception {
        push(pushed, APP, BYTES);
        clock.advance(GRACE);
        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.of(sweep.unusedSince()), () -> {}))
                .as("it is young")
                .isFalse();
        assertThat(elsewhere.use(APP, LAYER)).isPresent();
        clock.advance(GRACE);
        assertThat(sweep.unused(APP, List.of(LAYER), sweep.unusedSince())).isEmpty();
        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.of(sweep.unusedSince()), () -> {}))
                .as("it was used")
                .isFalse();

        clock.advance(GRACE);

        assertThat(sweep.unused(APP, List.of(LAYER), sweep.unusedSince())).containsExactly(LAYER);
        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.of(sweep.unusedSince()), () -> {}))
                .isTrue();
        assertThat(isThere(APP, LAYER)).isFalse();
        assertThat(elsewhere.use(APP, LAYER)).isEmpty();
    }

    @Test
    void aRepeatedPushAndAMountAreUses() throws Exception {
        push(pushed, APP, BYTES);
        clock.advance(GRACE.multipliedBy(2));
        push(elsewhere, APP, BYTES);
        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.of(sweep.unusedSince()), () -> {}))
                .isFalse();
        clock.advance(GRACE.multipliedBy(2));
        elsewhere.mount(APP, OTHER, LAYER);
        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.of(sweep.unusedSince()), () -> {}))
                .isFalse();
        assertThat(pushed.remove(OTHER, LAYER, BOTH, Optional.of(sweep.unusedSince()), () -> {}))
                .isFalse();
    }

    /** Its owner stands still after that, and wakes when the repository has had another one for long. */
    @Test
    void whatIsUsedOnceItsRemovalIsConfirmedStays() throws Exception {
        PushedContent.Decision[] meanwhile = {
            () -> {
                clock.advance(Duration.ofSeconds(1));
                assertThat(elsewhere.use(APP, LAYER)).isPresent();
            },
            // a node whose clock is behind
            () -> {
                clock.advance(Duration.ofSeconds(-1));
                assertThat(elsewhere.use(APP, LAYER)).isPresent();
            },
            () -> {
                elsewhere.remove(APP, LAYER, BOTH, Optional.empty(), () -> {});
                clock.advance(Duration.ofSeconds(1));
                push(elsewhere, APP, BYTES);
            },
        };
        for (PushedContent.Decision decision : meanwhile) {
            push(pushed, APP, BYTES);
            assertThat(pushed.remove(APP, LAYER, BOTH, Optional.empty(), decision))
                    .isFalse();
            assertThat(elsewhere.use(APP, LAYER)).isPresent();
        }
        assertThat(pushed.remove(APP, LAYER, BOTH, Optional.empty(), () -> {})).isTrue();
    }

    @Test
    void nothingGoesWithoutAConfirmedDecision() throws Exception {
        push(pushed, APP, BYTES);

        assertThatThrownBy(() -> pushed.remove(APP, LAYER, BOTH, Optional.empty(), () -> {
                    throw new IOException("too late");
                }))
                .hasMessage("too late");

        assertThat(isThere(APP, LAYER)).isTrue();
    }

    @Test
    void bytesGoWhenNobodyHasALinkAndNobodyWantedThemBackForTheGraceTime() throws Exception {
        push(pushed, APP, BYTES);
        pushed.mount(APP, OTHER, LAYER);
        pushed.remove(APP, LAYER, BOTH, Optional.empty(), () -> {});
        sweepBytes();
        assertThat(files("trash")).isEmpty();
        pushed.remove(OTHER, LAYER, BOTH, Optional.empty(), () -> {});

        sweepBytes();
        assertThat(files("pushed")).isEmpty();
        clock.advance(GRACE.minusSeconds(1));
        sweepBytes();
        assertThat(files("trash")).hasSize(1);
        clock.advance(Duration.ofSeconds(2));
        sweepBytes();

        assertThat(files("trash")).isEmpty();
        assertThat(there.content().blobs().size(LAYER)).isEmpty();
    }

    @Test
    void bytesComeBackFromTheTrash() throws Exception {
        push(pushed, APP, BYTES);
        pushed.remove(APP, LAYER, BOTH, Optional.empty(), () -> {});
        sweepBytes();
        assertThat(files("trash")).hasSize(1);

        assertThat(elsewhere.mountFromAny(OTHER, LAYER)).isPresent();

        assertThat(files("trash")).isEmpty();
        assertThat(read(LAYER)).isEqualTo(BYTES);
    }

    @Test
    void bytesThatGotALinkWhileTheyWentIntoTheTrashComeBackByThemselves() throws Exception {
        push(pushed, APP, BYTES);
        // as a sweep does that listed the links before
        new PushedBlobs(new BlobLayout(root), new DurableNames(root)).trash(LAYER, clock.instant());
        clock.advance(GRACE.multipliedBy(2));

        sweepBytes();

        assertThat(files("pushed")).hasSize(1);
        assertThat(elsewhere.use(APP, LAYER)).isPresent();
    }

    @Test
    void aLinkWithoutBytesIsNone() throws Exception {
        push(pushed, APP, BYTES);
        Files.delete(new BlobLayout(root).pushedBlob(LAYER));

        assertThat(isThere(APP, LAYER)).isFalse();
        assertThat(elsewhere.use(APP, LAYER)).isEmpty();
        assertThat(elsewhere.mount(APP, OTHER, LAYER)).isEmpty();

        push(pushed, APP, BYTES);
        assertThat(isThere(APP, LAYER)).isTrue();
    }

    @Test
    void aFolderThatCannotBeReadIsNotTakenForEmpty() throws Exception {
        push(pushed, APP, BYTES);
        Path links = new BlobLayout(root).pushedLinks(APP, Links.Kind.BLOB);
        Files.move(links, root.resolve("aside"));
        Files.createFile(links);

        assertThatThrownBy(this::sweepBytes).isInstanceOf(IOException.class);

        assertThat(files("trash")).isEmpty();
    }

    @Test
    void aRepositoryThatCameWhileTheRoundRanKeepsItsBytesHoweverLongItRuns() throws Exception {
        Sweep.Listed before = sweep.repositories();
        push(pushed, APP, BYTES);
        sweepBytes(before);
        assertThat(files("trash")).hasSize(1);

        clock.advance(GRACE.multipliedBy(3));
        sweepBytes(before);
        assertThat(files("trash")).hasSize(1);

        sweepBytes();
        assertThat(files("trash")).isEmpty();
        assertThat(read(LAYER)).isEqualTo(BYTES);
    }

    @Test
    void everyLinkIsListedInPages() throws Exception {
        for (int i = 0; i < 25; i++) {
            push(pushed, APP, new byte[i]);
        }
        pushed.publishManifest(APP, new Descriptor("application/x", LAYER, BYTES.length), BYTES);
        assertThat(sweep.repositories().repositories()).containsExactly(APP);
        push(pushed, OTHER, BYTES);
        assertThat(sweep.repositories().repositories()).containsExactlyInAnyOrder(APP, OTHER);

        LinkPages pages = sweep.links(APP);
        List<Digest> all = new ArrayList<>();
        for (List<Digest> page = pages.next(10); !page.isEmpty(); page = pages.next(10)) {
            assertThat(page).hasSizeLessThanOrEqualTo(10);
            all.addAll(page);
        }

        assertThat(all).hasSize(26).doesNotHaveDuplicates().contains(LAYER, Digest.sha256(new byte[24]));
    }

    @Test
    void expiredSessionsAreEnded() throws Exception {
        String old = pushed.uploads().open(APP);
        clock.advance(Duration.ofMinutes(61));
        String young = pushed.uploads().open(APP);

        assertThat(sweep.repositories().repositories()).containsExactly(APP);
        assertThat(sweep.expireUploads(APP)).isEqualTo(1);

        assertThat(new BlobLayout(root).upload(APP, old)).doesNotExist();
        assertThat(pushed.uploads().offset(APP, young)).hasValue(0);
    }
}
