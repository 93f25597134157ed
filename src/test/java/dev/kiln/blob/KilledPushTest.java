package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.SteppedFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What another node finds when one is killed between any two of its steps. */
class KilledPushTest {
    private static final Set<Links.Kind> BOTH = Set.of(Links.Kind.values());
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final RepositoryName OTHER = new RepositoryName("team/other");
    private static final PushTerms TERMS = new PushTerms(Duration.ofHours(1), Duration.ofMillis(1), List.of());
    private static final int CHUNK = 1000;

    private final RandomImages random = new RandomImages(1);

    @TempDir
    Path directory;

    private interface Life {
        void live(PushedContent pushed, Sweep sweep) throws IOException;
    }

    private interface After {
        void look(PushedContent pushed, SharedFolder folder) throws IOException;
    }

    /** Lives {@code life} once for each number of steps after which it may end. */
    private void killAnywhere(Life before, Life life, After after) throws IOException {
        boolean completed = false;
        for (int steps = 1; !completed; steps++) {
            assertThat(steps).as("steps").isLessThan(500);
            Path root = directory.resolve(Integer.toString(steps));
            try (SharedFolder folder = SharedFolder.open(root, InstantSource.system())) {
                before.live(folder.pushed(TERMS), folder.sweep(TERMS));
            }
            SteppedFiles files = SteppedFiles.killedAfter(steps);
            files.begin();
            try {
                SharedFolder stepped = SharedFolder.open(files.see(root), InstantSource.system());
                life.live(stepped.pushed(TERMS), stepped.sweep(TERMS));
                stepped.close();
                completed = true;
            } catch (SteppedFiles.Killed | IOException e) {
                assertThat(files.isEarly()).as("killed by " + e).isFalse();
            }
            try (SharedFolder folder = SharedFolder.open(root, InstantSource.system())) {
                after.look(folder.pushed(TERMS), folder);
            }
        }
    }

    private static Optional<byte[]> read(SharedFolder folder, RepositoryName repository, Digest digest)
            throws IOException {
        Optional<Links.Link> link = folder.content().links().find(repository, digest);
        if (link.isEmpty()) {
            return Optional.empty();
        }
        try (InputStream in = folder.content().blobs().open(digest)) {
            return Optional.of(in.readAllBytes());
        }
    }

    private static long append(Uploads uploads, String id, long from, byte[] bytes) throws IOException {
        try (UploadChunk chunk = uploads.append(APP, id, from)) {
            chunk.out().write(bytes, (int) from, CHUNK);
            return chunk.commit();
        }
    }

    @Test
    void anUploadIsGoneOnWithAtItsLastAcknowledgedByte() throws Exception {
        for (int chunks = 1; chunks <= 2; chunks++) {
            byte[] bytes = random.bytes(chunks * CHUNK).toArray();
            Digest digest = Digest.sha256(bytes);
            String[] id = new String[1];
            long[] acknowledged = new long[1];
            killAnywhere(
                    (pushed, sweep) -> {
                        id[0] = null;
                        acknowledged[0] = 0;
                    },
                    (pushed, sweep) -> {
                        id[0] = pushed.uploads().open(APP);
                        for (long from = 0; from < bytes.length; from += CHUNK) {
                            acknowledged[0] = append(pushed.uploads(), id[0], from, bytes);
                        }
                        pushed.uploads().finish(APP, id[0], digest);
                    },
                    (pushed, folder) -> {
                        Optional<byte[]> found = read(folder, APP, digest);
                        found.ifPresent(whole -> assertThat(whole).isEqualTo(bytes));
                        if (id[0] == null) {
                            return;
                        }
                        OptionalLong offset = pushed.uploads().offset(APP, id[0]);
                        if (offset.isEmpty()) {
                            assertThat(found)
                                    .as("the blob of a session that has ended")
                                    .isPresent();
                            return;
                        }
                        assertThat(offset.getAsLong()).isGreaterThanOrEqualTo(acknowledged[0]);
                        for (long from = offset.getAsLong(); from < bytes.length; from += CHUNK) {
                            append(pushed.uploads(), id[0], from, bytes);
                        }
                        pushed.uploads().finish(APP, id[0], digest);
                        assertThat(read(folder, APP, digest)).hasValue(bytes);
                    });
            deleteAll();
        }
    }

    @Test
    void aManifestIsThereAsAWholeOrNotAtAll() throws Exception {
        byte[] bytes = random.bytes(500).toArray();
        Descriptor manifest = new Descriptor("application/x", Digest.sha256(bytes), bytes.length);
        boolean[] told = new boolean[1];
        killAnywhere(
                (pushed, sweep) -> {},
                (pushed, sweep) -> {
                    pushed.publishManifest(APP, manifest, bytes);
                    told[0] = true;
                },
                (pushed, folder) -> {
                    Optional<byte[]> found = read(folder, APP, manifest.digest());
                    found.ifPresent(whole -> assertThat(whole).isEqualTo(bytes));
                    assertThat(found.isPresent() || !told[0]).isTrue();
                    pushed.publishManifest(APP, manifest, bytes);
                    assertThat(read(folder, APP, manifest.digest())).hasValue(bytes);
                });
    }

    @Test
    void aRemovalTakesNothingAwayThatIsLinkedElsewhere() throws Exception {
        byte[] bytes = random.bytes(500).toArray();
        Digest digest = Digest.sha256(bytes);
        killAnywhere(
                (pushed, sweep) -> {
                    push(pushed, bytes);
                    pushed.mount(APP, OTHER, digest);
                },
                (pushed, sweep) -> {
                    pushed.remove(APP, digest, BOTH, Optional.empty(), () -> {});
                    sweepAll(sweep);
                    pushed.remove(OTHER, digest, BOTH, Optional.of(Instant.EPOCH), () -> {});
                    sweepAll(sweep);
                },
                (pushed, folder) -> assertThat(read(folder, OTHER, digest)).hasValue(bytes));
    }

    @Test
    void whatIsHalfWayToTheTrashIsUsedAgain() throws Exception {
        byte[] bytes = random.bytes(500).toArray();
        Digest digest = Digest.sha256(bytes);
        killAnywhere(
                (pushed, sweep) -> {
                    push(pushed, bytes);
                    pushed.remove(APP, digest, BOTH, Optional.empty(), () -> {});
                },
                (pushed, sweep) -> {
                    for (int round = 0; round < 3; round++) {
                        sweepAll(sweep);
                    }
                },
                (pushed, folder) -> {
                    assertThat(read(folder, APP, digest)).isEmpty();
                    Optional<Long> mounted = pushed.mountFromAny(OTHER, digest);
                    if (mounted.isPresent()) {
                        assertThat(read(folder, OTHER, digest)).hasValue(bytes);
                    } else {
                        assertThat(read(folder, OTHER, digest)).isEmpty();
                    }
                    push(pushed, bytes);
                    assertThat(read(folder, APP, digest)).hasValue(bytes);
                    sweepAll(folder.sweep(TERMS));
                    assertThat(read(folder, APP, digest)).hasValue(bytes);
                });
    }

    private static void push(PushedContent pushed, byte[] bytes) throws IOException {
        try (UploadChunk chunk = pushed.uploads().append(APP, pushed.uploads().open(APP), 0)) {
            chunk.out().write(bytes);
            chunk.finish(Digest.sha256(bytes));
        }
    }

    private static void sweepAll(Sweep sweep) throws IOException {
        Sweep.Listed listed = sweep.repositories();
        for (Shard shard : Shard.all()) {
            sweep.bytes(shard, listed);
        }
    }

    private void deleteAll() throws IOException {
        for (Path root : SharedNames.list(directory)) {
            try (var files = Files.walk(root)) {
                Path[] all = files.toArray(Path[]::new);
                Arrays.sort(all);
                for (int i = all.length - 1; i >= 0; i--) {
                    Files.delete(all[i]);
                }
            }
        }
    }
}
