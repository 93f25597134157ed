package dev.kiln.blob;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import akka.actor.testkit.typed.javadsl.ActorTestKit;
import akka.stream.javadsl.Sink;
import akka.util.ByteString;
import dev.kiln.oci.Digest;
import dev.kiln.testing.FullDisk;
import dev.kiln.testing.RandomImages;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class FileBlobStoreTest {
    private static final ActorTestKit AKKA = ActorTestKit.create();
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");

    private final RandomImages random = new RandomImages(1);

    @TempDir
    Path root;

    private SharedFolder folder;
    private BlobStore store;

    @BeforeEach
    void open() throws IOException {
        folder = SharedFolder.open(root, InstantSource.fixed(NOW));
        store = folder.content().blobs();
    }

    @AfterEach
    void close() throws IOException {
        folder.close();
    }

    @AfterAll
    static void shutdown() {
        AKKA.shutdownTestKit();
    }

    @Test
    void whatIsCommittedIsRead() throws Exception {
        ByteString content = random.bytes(1_000_000);

        Digest digest = put(store, content);

        assertThat(digest).isEqualTo(Digest.sha256(content.toArray()));
        assertThat(store.size(digest)).hasValue(1_000_000);
        try (InputStream in = store.open(digest)) {
            assertThat(in.readAllBytes()).isEqualTo(content.toArray());
        }
        assertThat(read(digest, 0, content.size())).isEqualTo(content);
    }

    @Test
    void anEmptyBlobIsABlob() throws Exception {
        Digest digest = put(store, ByteString.emptyByteString());

        assertThat(store.size(digest)).hasValue(0);
        assertThat(read(digest, 0, 0)).isEqualTo(ByteString.emptyByteString());
    }

    @Test
    void bytesOneByOneAndInPiecesHashTheSame() throws Exception {
        ByteString content = random.bytes(300_001);

        try (StagedBlob blob = store.stage()) {
            byte[] bytes = content.toArray();
            blob.out().write(bytes[0]);
            blob.out().write(bytes, 1, 200_000);
            blob.out().flush();
            blob.out().write(bytes, 200_001, 100_000);
            assertThat(blob.size()).isEqualTo(300_001);
            blob.commit(Digest.sha256(bytes));
        }

        assertThat(read(Digest.sha256(content.toArray()), 0, 300_001)).isEqualTo(content);
    }

    @Test
    void sha512IsVerifiedToo() throws Exception {
        byte[] content = random.bytes(200_000).toArray();
        Digest zeros = new Digest("sha512:" + "0".repeat(128));
        Digest digest = Digest.of("sha512", zeros.newMessageDigest().digest(content));

        assertThatThrownBy(() -> put(store, ByteString.fromArray(content), zeros))
                .isInstanceOf(StagedBlob.DigestMismatchException.class);
        put(store, ByteString.fromArray(content), digest);

        assertThat(store.size(zeros)).isEmpty();
        assertThat(read(digest, 0, content.length).toArray()).isEqualTo(content);
    }

    @Test
    void otherBytesThanExpectedAreNotPublished() throws Exception {
        Digest expected = Digest.sha256(new byte[] {1});

        assertThatThrownBy(() -> put(store, random.bytes(10), expected))
                .isInstanceOf(StagedBlob.DigestMismatchException.class)
                .hasMessageContaining(expected.value());

        assertThat(store.size(expected)).isEmpty();
        assertThat(filesBelow("blobs")).isEmpty();
        assertThat(stagedFiles()).isEmpty();
    }

    @Test
    void anAbandonedBlobLeavesNothing() throws Exception {
        try (StagedBlob blob = store.stage()) {
            blob.out().write(random.bytes(500_000).toArray());
        }

        assertThat(filesBelow("blobs")).isEmpty();
        assertThat(stagedFiles()).isEmpty();
    }

    @Test
    void aBlobIsCommittedOnce() throws Exception {
        try (StagedBlob blob = store.stage()) {
            blob.out().write(1);
            blob.commit();

            assertThatThrownBy(blob::commit).isInstanceOf(IOException.class);
            assertThatThrownBy(() -> blob.out().write(2)).isInstanceOf(IOException.class);
        }
        assertThat(store.size(Digest.sha256(new byte[] {1}))).hasValue(1);
    }

    @Test
    void rangesAreExact() throws Exception {
        int size = 3 * ChunkBudget.LARGEST + 17;
        ByteString content = random.bytes(size);
        Digest digest = put(store, content);

        for (int[] range : new int[][] {
            {0, 1},
            {size - 1, 1},
            {5, ChunkBudget.LARGEST},
            {ChunkBudget.LARGEST - 1, 2},
            {1, size - 1},
            {size, 0},
            {7, 0}
        }) {
            assertThat(read(digest, range[0], range[1]))
                    .as("from %s, %s bytes", range[0], range[1])
                    .isEqualTo(content.slice(range[0], range[0] + range[1]));
        }
    }

    @Test
    void aRangeBeyondTheEndFailsRatherThanBeingShort() throws Exception {
        Digest digest = put(store, random.bytes(100));

        assertThatThrownBy(() -> read(digest, 50, 51))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(EOFException.class);
    }

    @Test
    void whatIsMissingIsNamedWithoutItsPath() {
        Digest digest = Digest.sha256(new byte[] {9});

        assertThatThrownBy(() -> store.open(digest))
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(digest.value())
                .hasMessageNotContaining(root.toString());
        assertThatThrownBy(() -> read(digest, 0, 0))
                .cause()
                .isInstanceOf(NoSuchFileException.class)
                .hasMessageContaining(digest.value())
                .hasMessageNotContaining(root.toString());
    }

    @Test
    void manyCommitOneBlobAtOnce() throws Exception {
        ByteString content = random.bytes(700_000);
        Digest digest = Digest.sha256(content.toArray());
        int writers = 8;
        CyclicBarrier start = new CyclicBarrier(writers);
        ExecutorService threads = Executors.newFixedThreadPool(writers);
        try (SharedFolder otherNode = SharedFolder.open(root, InstantSource.fixed(NOW))) {
            List<Future<?>> done = new ArrayList<>();
            for (int i = 0; i < writers; i++) {
                BlobStore node = i % 2 == 0 ? store : otherNode.content().blobs();
                done.add(threads.submit(() -> {
                    start.await();
                    return put(node, content, digest);
                }));
            }
            for (Future<?> writer : done) {
                writer.get(30, TimeUnit.SECONDS);
            }
        } finally {
            threads.shutdownNow();
        }

        assertThat(read(digest, 0, content.size())).isEqualTo(content);
        assertThat(filesBelow("blobs")).hasSize(1);
        assertThat(stagedFiles()).isEmpty();
    }

    @Test
    void aDamagedBlobIsReplacedWhenItComesAgain() throws Exception {
        ByteString content = random.bytes(1000);
        Digest digest = put(store, content);
        Files.write(new BlobLayout(root).blob(digest), new byte[10]);

        put(store, content, digest);

        assertThat(read(digest, 0, 1000)).isEqualTo(content);
    }

    @Test
    void whatAKilledProcessStagedIsRemovedAndNeverReadable() throws Exception {
        Path dead = root.resolve("staging").resolve("dead");
        Files.createDirectories(dead);
        Files.writeString(
                dead.resolve("owner"),
                Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip());
        ByteString content = random.bytes(100);
        Files.write(dead.resolve("1"), content.toArray());

        SharedFolder.open(root, InstantSource.fixed(NOW)).close();

        assertThat(dead).doesNotExist();
        assertThat(store.size(Digest.sha256(content.toArray()))).isEmpty();
    }

    @Test
    void stagingOfALiveProcessIsLeftAlone() throws Exception {
        ByteString content = random.bytes(100);
        try (StagedBlob blob = store.stage()) {
            blob.out().write(content.toArray());
            blob.out().flush();
            Path staged = stagedFiles().get(0);
            Files.setLastModifiedTime(staged, FileTime.from(NOW.minus(Duration.ofDays(9))));
            Process otherProcess = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            OpenAndClose.class.getName(),
                            root.toString())
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            assertThat(otherProcess.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(otherProcess.exitValue()).isZero();
            assertThat(staged).exists();
            blob.commit(Digest.sha256(content.toArray()));
        }
        assertThat(store.size(Digest.sha256(content.toArray()))).hasValue(100);
    }

    /** Another node on the same folder. */
    static final class OpenAndClose {
        private OpenAndClose() {}

        public static void main(String[] arguments) throws IOException {
            SharedFolder.open(Path.of(arguments[0]), InstantSource.system()).close();
        }
    }

    @Test
    void stagingOfAnotherMachineIsLeftAloneForADay() throws Exception {
        Path other = root.resolve("staging").resolve("other");
        Files.createDirectories(other);
        Path owner = Files.writeString(other.resolve("owner"), "another machine's boot");
        Path file = Files.write(other.resolve("1"), new byte[10]);
        for (Path path : List.of(owner, file, other)) {
            Files.setLastModifiedTime(path, FileTime.from(NOW.minus(Duration.ofHours(23))));
        }

        SharedFolder.open(root, InstantSource.fixed(NOW)).close();
        assertThat(file).exists();
        SharedFolder.open(root, InstantSource.fixed(NOW.plus(Duration.ofHours(2))))
                .close();
        assertThat(other).doesNotExist();
    }

    @Test
    void aFullDiskSaysSoAndPublishesNothing() throws Exception {
        Path mountPoint = Files.createDirectory(root.resolve("small"));
        ByteString content = random.bytes(3_000_000);
        Digest digest = Digest.sha256(content.toArray());
        try (FullDisk disk = FullDisk.mount(mountPoint, "2m");
                SharedFolder small = SharedFolder.open(mountPoint, InstantSource.fixed(NOW))) {
            assertThat(disk).isNotNull();
            BlobStore blobs = small.content().blobs();
            assertThat(blobs.free()).isBetween(1_000_000L, 2L * 1024 * 1024);

            assertThatThrownBy(() -> put(blobs, content, digest))
                    .isInstanceOf(DiskFullException.class)
                    .hasMessageContaining("kiln.store.dir")
                    .hasMessageNotContaining(mountPoint.toString());

            assertThat(blobs.size(digest)).isEmpty();
            Digest part = put(blobs, content.take(1_000_000));
            assertThat(blobs.size(part)).hasValue(1_000_000);
        }
    }

    private static Digest put(BlobStore store, ByteString content, Digest expected) throws IOException {
        try (StagedBlob blob = store.stage()) {
            blob.out().write(content.toArray());
            blob.commit(expected);
            return expected;
        }
    }

    private static Digest put(BlobStore store, ByteString content) throws IOException {
        try (StagedBlob blob = store.stage()) {
            blob.out().write(content.toArray());
            return blob.commit();
        }
    }

    private ByteString read(Digest digest, long offset, long length) throws Exception {
        CompletableFuture<ByteString> all = store.read(digest, offset, length)
                .runWith(Sink.fold(ByteString.emptyByteString(), ByteString::concat), AKKA.system())
                .toCompletableFuture();
        return all.get(30, TimeUnit.SECONDS);
    }

    private List<Path> filesBelow(String name) throws IOException {
        if (!Files.exists(root.resolve(name))) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(root.resolve(name))) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    private List<Path> stagedFiles() throws IOException {
        return filesBelow("staging").stream()
                .filter(file -> !file.endsWith("owner"))
                .toList();
    }
}
