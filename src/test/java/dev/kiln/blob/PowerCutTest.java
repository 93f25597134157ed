package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.CrashableDisk;
import dev.kiln.testing.RandomImages;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the store says it has is there after a power cut at the very moment when it said so. */
class PowerCutTest {
    private static final RepositoryName NAME = new RepositoryName("team/app");
    private static final BuildKey KEY = BuildKey.of(NAME + "@" + "0123456789".repeat(4) + "@linux/amd64");
    private static final int ROUNDS = 4;

    private final RandomImages random = new RandomImages(1);

    @TempDir
    Path directory;

    private CrashableDisk disk;
    private SharedFolder folder;
    /** What must be there, as far as anybody was told. */
    private final List<Digest> blobs = new ArrayList<>();

    private final List<Descriptor> manifests = new ArrayList<>();

    @BeforeEach
    void mount() throws IOException {
        disk = CrashableDisk.mount(directory, 32);
        folder = SharedFolder.open(disk.mountPoint().resolve("store"), InstantSource.system());
    }

    @AfterEach
    void unmount() throws IOException {
        if (disk != null) {
            folder.close();
            disk.close();
        }
    }

    /** Cuts the power first, so that no later flush covers for one that is missing. */
    private void check() throws IOException {
        Path unflushed = Files.writeString(disk.mountPoint().resolve("unflushed"), "x");
        disk.cutNow(copy -> {
            assertThat(copy.resolve(unflushed.getFileName()))
                    .as("a disk that keeps what was not flushed proves nothing")
                    .doesNotExist();
            try (SharedFolder after = SharedFolder.open(copy.resolve("store"), InstantSource.system())) {
                for (Digest blob : blobs) {
                    assertThat(Digest.sha256(read(after, blob))).isEqualTo(blob);
                }
                for (Descriptor manifest : manifests) {
                    assertThat(after.content().links().find(NAME, manifest.digest()))
                            .hasValueSatisfying(
                                    link -> assertThat(link.mediaType()).isEqualTo(manifest.mediaType()));
                    assertThat(Digest.sha256(read(after, manifest.digest()))).isEqualTo(manifest.digest());
                }
            }
        });
        Files.delete(unflushed);
    }

    private static byte[] read(SharedFolder folder, Digest digest) throws IOException {
        try (InputStream in = folder.content().blobs().open(digest)) {
            return in.readAllBytes();
        }
    }

    private void put(byte[] bytes) throws IOException {
        try (StagedBlob staged = folder.content().blobs().stage()) {
            staged.out().write(bytes);
            blobs.add(staged.commit());
        }
    }

    @Test
    void aBlobIsThereOnceItIsCommitted() throws IOException {
        for (int round = 0; round < ROUNDS; round++) {
            put(random.bytes(round % 2 == 0 ? 100 : 1_000_000).toArray());
            check();
        }
    }

    @Test
    void aManifestAndItsLinkAreThereOnceTheyArePublished() throws IOException {
        for (int round = 0; round < ROUNDS; round++) {
            byte[] manifest = random.bytes(500).toArray();
            manifests.add(folder.content().publishManifest(NAME, "application/x-" + round, manifest, "index"));
            check();
        }
    }

    @Test
    void anAcknowledgedChunkIsThereAndWhatIsPushedWithItsLink() throws IOException {
        PushTerms terms = new PushTerms(Duration.ofHours(1), Duration.ofHours(24), List.of());
        PushedContent pushed = folder.pushed(terms);
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bytes = random.bytes(round % 2 == 0 ? 100 : 1_000_000).toArray();
            String id = pushed.uploads().open(NAME);
            try (UploadChunk chunk = pushed.uploads().append(NAME, id, 0)) {
                chunk.out().write(bytes);
                chunk.commit();
            }
            disk.cutNow(copy -> {
                try (SharedFolder after = SharedFolder.open(copy.resolve("store"), InstantSource.system())) {
                    Uploads uploads = after.pushed(terms).uploads();
                    assertThat(uploads.offset(NAME, id)).hasValue(bytes.length);
                    uploads.finish(NAME, id, Digest.sha256(bytes));
                }
            });
            manifests.add(pushed.uploads().finish(NAME, id, Digest.sha256(bytes)));
            check();
            byte[] text = random.bytes(300).toArray();
            Descriptor manifest = new Descriptor("application/x-" + round, Digest.sha256(text), text.length);
            pushed.publishManifest(NAME, manifest, text);
            manifests.add(manifest);
            check();
        }
    }

    @Test
    void aLogIsThereOnceItsAttemptBeginsAndItsTextOnceItHasEnded() throws IOException {
        for (int attempt = 1; attempt <= 2; attempt++) {
            try (OutputStream log = folder.logs().create(KEY, attempt)) {
                int present = attempt;
                disk.cutNow(copy -> assertThat(logs(copy)).hasSize(present));
                log.write(("attempt " + attempt).getBytes(StandardCharsets.UTF_8));
            }
            String text = "attempt " + attempt;
            disk.cutNow(copy -> assertThat(logs(copy))
                    .anySatisfy(file -> assertThat(file).content().isEqualTo(text)));
        }
    }

    private static List<Path> logs(Path copy) throws IOException {
        try (var files = Files.walk(copy.resolve("store"))) {
            return files.filter(file ->
                            Files.isRegularFile(file) && !file.toString().contains("staging"))
                    .toList();
        }
    }
}
