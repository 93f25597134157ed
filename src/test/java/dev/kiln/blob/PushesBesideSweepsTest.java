package dev.kiln.blob;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.SettableClock;
import dev.kiln.testing.SteppedFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * One node does something, and another one does something else between any two of its steps: what a client was told is there
 * stays, whichever of the two told it.
 */
class PushesBesideSweepsTest {
    private static final Set<Links.Kind> BOTH = Set.of(Links.Kind.values());
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final Duration GRACE = Duration.ofHours(24);
    private static final PushTerms TERMS = new PushTerms(GRACE.multipliedBy(100), GRACE, List.of());
    private static final byte[] BYTES = "a layer".getBytes(US_ASCII);
    private static final Digest LAYER = Digest.sha256(BYTES);
    private static final Shard SHARD = Shard.of(LAYER);

    private final SettableClock clock = new SettableClock(Instant.now());

    @TempDir
    Path directory;

    /** A node's way to the store. */
    private record Node(SharedFolder folder, PushedContent pushed, Sweep sweep) {
        static Node on(SharedFolder folder) {
            return new Node(folder, folder.pushed(TERMS), folder.sweep(TERMS));
        }
    }

    private interface Action {
        /** @return whether a client was told that the layer is there; empty when nobody asked */
        Optional<Boolean> on(Node node) throws IOException;
    }

    private enum Before {
        /** The layer is in its place, without a link, as after a delete. */
        PUSHED,
        /** It has been in the trash for so long that the next sweep deletes it. */
        TRASHED,
        /** It has a link that nobody has used for the grace time. */
        UNUSED
    }

    private static final Action PUSH = node -> {
        Uploads uploads = node.pushed().uploads();
        try (UploadChunk chunk = uploads.append(APP, uploads.open(APP), 0)) {
            chunk.out().write(BYTES);
            chunk.finish(LAYER);
        }
        return Optional.of(true);
    };
    private static final Action PUSH_MANIFEST = node -> {
        node.pushed().publishManifest(APP, new Descriptor("application/x", LAYER, BYTES.length), BYTES);
        return Optional.of(true);
    };
    private static final Action MOUNT =
            node -> Optional.of(node.pushed().mountFromAny(APP, LAYER).isPresent());
    private static final Action USE =
            node -> Optional.of(node.pushed().use(APP, LAYER).isPresent());

    private static final Action PULL = node -> {
        if (node.folder().content().links().find(APP, LAYER).isPresent()) {
            try (InputStream in = node.folder().content().blobs().open(LAYER)) {
                assertThat(in.readAllBytes()).isEqualTo(BYTES);
            }
        }
        return Optional.empty();
    };
    private static final Action SWEEP = node -> {
        node.sweep().bytes(SHARD, node.sweep().repositories());
        return Optional.empty();
    };
    /** As the collector has it done. */
    private static final Action DROP = node -> {
        node.pushed().remove(APP, LAYER, BOTH, Optional.of(node.sweep().unusedSince()), () -> {});
        return Optional.empty();
    };

    /** Sweeps between which more than the grace time passes. */
    private Action sweeps(int rounds) {
        return node -> {
            for (int i = 0; i < rounds; i++) {
                SWEEP.on(node);
                clock.advance(GRACE.plusSeconds(1));
            }
            return Optional.empty();
        };
    }

    private static Action both(Action one, Action other) {
        return node -> {
            Optional<Boolean> first = one.on(node);
            Optional<Boolean> second = other.on(node);
            return second.isPresent() ? second : first;
        };
    }

    private void prepare(Node node, Before before) throws IOException {
        PUSH.on(node);
        if (before != Before.UNUSED) {
            node.pushed().remove(APP, LAYER, BOTH, Optional.empty(), () -> {});
        }
        if (before == Before.TRASHED) {
            SWEEP.on(node);
        }
        clock.advance(GRACE.multipliedBy(2));
    }

    private void check(Before before, Action one, Action other) throws IOException {
        boolean interrupted = true;
        for (int steps = 0; interrupted; steps++) {
            assertThat(steps).as("steps").isLessThan(1000);
            Path root = directory.resolve(before + "-" + steps + "-" + System.nanoTime());
            try (SharedFolder first = SharedFolder.open(root, clock);
                    SharedFolder second = SharedFolder.open(root, clock)) {
                prepare(Node.on(first), before);
                Node there = Node.on(second);
                Boolean[] told = new Boolean[1];
                boolean[] ran = new boolean[1];
                SteppedFiles files = SteppedFiles.interruptedAfter(steps, () -> {
                    ran[0] = true;
                    told[0] = other.on(there).orElse(null);
                });
                try (SharedFolder stepped = SharedFolder.open(files.see(root), clock)) {
                    Node here = Node.on(stepped);
                    files.begin();
                    Optional<Boolean> answer = one.on(here);
                    interrupted = ran[0];
                    boolean promised = answer.orElse(false) || Boolean.TRUE.equals(told[0]);
                    for (int round = 0; round < 3; round++) {
                        if (promised) {
                            assertIsThere(there, steps);
                        }
                        SWEEP.on(there);
                    }
                    if (promised) {
                        assertIsThere(there, steps);
                    }
                }
            }
        }
    }

    private static void assertIsThere(Node node, int steps) throws IOException {
        assertThat(node.folder().content().links().find(APP, LAYER))
                .as("after %s steps", steps)
                .isPresent();
        try (InputStream in = node.folder().content().blobs().open(LAYER)) {
            assertThat(in.readAllBytes()).isEqualTo(BYTES);
        }
    }

    @Test
    void aSweepTakesNothingThatIsPushedMeanwhile() throws Exception {
        for (Before before : List.of(Before.PUSHED, Before.TRASHED)) {
            for (Action push : List.of(PUSH, PUSH_MANIFEST, MOUNT)) {
                check(before, SWEEP, push);
            }
        }
    }

    @Test
    void aPushMissesNothingThatIsSweptMeanwhile() throws Exception {
        for (Before before : List.of(Before.PUSHED, Before.TRASHED)) {
            for (Action push : List.of(PUSH, PUSH_MANIFEST, MOUNT)) {
                for (int rounds = 1; rounds <= 2; rounds++) {
                    check(before, push, sweeps(rounds));
                }
            }
        }
    }

    @Test
    void twoSweepsAtOnceTakeNoMoreThanOne() throws Exception {
        for (Before before : List.of(Before.PUSHED, Before.TRASHED)) {
            check(before, SWEEP, both(sweeps(1), both(MOUNT, sweeps(1))));
            check(before, SWEEP, both(sweeps(1), both(MOUNT, sweeps(2))));
            check(before, SWEEP, both(MOUNT, sweeps(2)));
        }
    }

    @Test
    void aLinkThatIsUsedWhileItIsDroppedStays() throws Exception {
        for (Action use : List.of(USE, PUSH, PUSH_MANIFEST)) {
            check(Before.UNUSED, DROP, use);
            check(Before.UNUSED, DROP, both(use, SWEEP));
        }
    }

    @Test
    void whoUsesALinkThatIsDroppedMeanwhileIsToldTheTruth() throws Exception {
        for (Action use : List.of(USE, PUSH, PUSH_MANIFEST)) {
            check(Before.UNUSED, use, DROP);
            check(Before.UNUSED, use, both(DROP, sweeps(2)));
        }
    }

    @Test
    void aPullFailsForNoSweep() throws Exception {
        check(Before.UNUSED, PULL, SWEEP);
        check(Before.TRASHED, both(MOUNT, PULL), sweeps(1));
        check(Before.TRASHED, SWEEP, both(MOUNT, PULL));
    }
}
