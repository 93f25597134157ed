package dev.kiln.blob;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kiln.blob.StagedBlob.DigestMismatchException;
import dev.kiln.blob.Uploads.NoSuchUploadException;
import dev.kiln.blob.Uploads.OffsetException;
import dev.kiln.blob.Uploads.TooManyChunksException;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.RepositoryName;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.SettableClock;
import dev.kiln.testing.SteppedFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Upload sessions, on two nodes that share a folder. */
class UploadsTest {
    private static final RepositoryName APP = new RepositoryName("team/app");
    private static final RepositoryName OTHER = new RepositoryName("team/other");
    private static final Duration EXPIRY = Duration.ofHours(1);

    private final SettableClock clock = new SettableClock(Instant.now());
    private final RandomImages random = new RandomImages(1);

    @TempDir
    Path root;

    private long free = Long.MAX_VALUE;
    private PushTerms terms;
    private SharedFolder here;
    private SharedFolder there;
    private Uploads uploads;
    private Uploads elsewhere;

    @BeforeEach
    void open() throws IOException {
        terms = new PushTerms(
                EXPIRY, Duration.ofHours(24), List.of(new FreeSpace("the disk", "kiln.min", 1000, () -> free)));
        here = SharedFolder.open(root, clock);
        there = SharedFolder.open(root, clock);
        uploads = here.pushed(terms).uploads();
        elsewhere = there.pushed(terms).uploads();
    }

    @AfterEach
    void close() throws IOException {
        here.close();
        there.close();
    }

    private static long append(Uploads uploads, String id, long from, byte[] bytes) throws IOException {
        try (UploadChunk chunk = uploads.append(APP, id, from)) {
            chunk.out().write(bytes);
            return chunk.commit();
        }
    }

    private byte[] read(Digest digest) throws IOException {
        try (InputStream in = there.content().blobs().open(digest)) {
            return in.readAllBytes();
        }
    }

    private static byte[] ascii(String text) {
        return text.getBytes(US_ASCII);
    }

    private List<Path> leftovers() throws IOException {
        try (var files = Files.walk(root)) {
            return files.filter(Files::isRegularFile)
                    .filter(file -> file.toString().contains("/_uploads/")
                            || (file.toString().contains("/staging/") && !file.endsWith("owner")))
                    .toList();
        }
    }

    @Test
    void chunksBecomeABlobOfTheRepositoryAlone() throws Exception {
        String id = uploads.open(APP);
        assertThat(uploads.offset(APP, id)).hasValue(0);
        assertThat(append(uploads, id, 0, ascii("first, "))).isEqualTo(7);
        assertThat(append(uploads, id, 7, ascii("second"))).isEqualTo(13);
        assertThat(uploads.offset(APP, id)).hasValue(13);
        Digest digest = Digest.sha256(ascii("first, second"));

        Descriptor blob = uploads.finish(APP, id, digest);

        assertThat(blob).isEqualTo(new Descriptor("application/octet-stream", digest, 13));
        assertThat(read(digest)).isEqualTo(ascii("first, second"));
        assertThat(there.content().links().find(APP, digest))
                .hasValueSatisfying(link -> assertThat(link.origin()).isEqualTo("push"));
        assertThat(there.content().links().find(OTHER, digest)).isEmpty();
        assertThat(uploads.offset(APP, id)).isEmpty();
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void theOnlyChunkBecomesTheBlobWithoutACopy() throws Exception {
        byte[] bytes = random.bytes(300_000).toArray();
        Digest digest = Digest.sha256(bytes);
        String id = uploads.open(APP);
        append(uploads, id, 0, bytes);
        Object file = inode(new BlobLayout(root).upload(APP, id).resolve("0"));

        uploads.finish(APP, id, digest);

        assertThat(inode(new BlobLayout(root).pushedBlob(digest))).isEqualTo(file);
        assertThat(read(digest)).isEqualTo(bytes);
    }

    private static Object inode(Path file) throws IOException {
        return Files.getAttribute(file, "unix:ino");
    }

    @Test
    void aBlobMayBeOnePieceOrEmpty() throws Exception {
        try (UploadChunk chunk = uploads.append(APP, uploads.open(APP), 0)) {
            chunk.out().write(ascii("all"));
            chunk.finish(Digest.sha256(ascii("all")));
        }
        try (UploadChunk chunk = uploads.append(APP, uploads.open(APP), 0)) {
            chunk.finish(Digest.sha256(new byte[0]));
        }
        String sha512 = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                + "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
        uploads.finish(APP, uploads.open(APP), new Digest(sha512));

        assertThat(read(Digest.sha256(ascii("all")))).isEqualTo(ascii("all"));
        assertThat(read(Digest.sha256(new byte[0]))).isEmpty();
        assertThat(read(new Digest(sha512))).isEmpty();
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void anyNodeGoesOnWithASession() throws Exception {
        byte[] bytes = random.bytes(900_000).toArray();
        Digest digest = Digest.sha256(bytes);
        String id = uploads.open(APP);
        append(elsewhere, id, 0, Arrays.copyOfRange(bytes, 0, 300_000));
        append(uploads, id, 300_000, Arrays.copyOfRange(bytes, 300_000, 600_000));

        try (UploadChunk last = elsewhere.append(APP, id, 600_000)) {
            last.out().write(bytes, 600_000, 300_000);
            last.finish(digest);
        }

        assertThat(read(digest)).isEqualTo(bytes);
        assertThat(uploads.offset(APP, id)).isEmpty();
    }

    /** A chunk that is spoilt on disk shows whether it is read once more. */
    @ParameterizedTest
    @CsvSource({"sha256, sha256, true", "sha512, sha512, true", "sha256, sha512, false", "sha512, sha256, false"})
    void whatThisNodeTookIsHashedAsItCame(String begun, String ended, boolean once) throws Exception {
        String id = uploads.open(APP, begun);
        append(uploads, id, 0, ascii("first, "));
        append(uploads, id, 7, ascii("second"));
        try (var files = Files.walk(root)) {
            Path chunk =
                    files.filter(file -> file.endsWith(id + "/0")).findFirst().orElseThrow();
            Files.write(chunk, ascii("FIRST, "));
        }
        Digest digest = Digest.of(ended, Digest.newMessageDigest(ended).digest(ascii("first, second")));
        if (once) {
            assertThat(uploads.finish(APP, id, digest).size()).isEqualTo(13);
        } else {
            assertThatThrownBy(() -> uploads.finish(APP, id, digest)).isInstanceOf(DigestMismatchException.class);
        }
    }

    @Test
    void sha512IsVerifiedAsWell() throws Exception {
        byte[] bytes = random.bytes(200_000).toArray();
        Digest probe = new Digest("sha512:" + "0".repeat(128));
        Digest digest = Digest.of("sha512", probe.newMessageDigest().digest(bytes));
        String id = uploads.open(APP);
        append(uploads, id, 0, bytes);

        assertThatThrownBy(() -> uploads.finish(APP, id, probe)).isInstanceOf(DigestMismatchException.class);
        uploads.finish(APP, id, digest);

        assertThat(read(digest)).isEqualTo(bytes);
    }

    @Test
    void ofTwoWritersAtOneOffsetOneWins() throws Exception {
        String id = uploads.open(APP);
        try (UploadChunk one = uploads.append(APP, id, 0);
                UploadChunk other = elsewhere.append(APP, id, 0)) {
            one.out().write(ascii("one"));
            other.out().write(ascii("other"));

            assertThat(other.commit()).isEqualTo(5);
            assertThatThrownBy(one::commit)
                    .isInstanceOfSatisfying(
                            OffsetException.class, e -> assertThat(e.offset()).isEqualTo(5));
        }
        uploads.finish(APP, id, Digest.sha256(ascii("other")));

        assertThat(leftovers()).isEmpty();
    }

    /** A session of which nothing shows yet. Its chunks stay as they are: a file that is renamed has a new time. */
    private static void hide(Path session, Path aside) throws IOException {
        Files.move(session, aside);
        Files.createDirectory(session);
    }

    private static void show(Path session, Path aside) throws IOException {
        Files.delete(session);
        Files.move(aside, session);
    }

    /** Until the file system's clock, which is coarse, has moved on. */
    private void tick() throws IOException {
        FileTime before = time();
        Awaitility.await().until(() -> time().compareTo(before) > 0);
    }

    private FileTime time() throws IOException {
        Path file = Files.createTempFile(root, "tick", "");
        try {
            return Files.getLastModifiedTime(file);
        } finally {
            Files.delete(file);
        }
    }

    /** What the one wrote shows to the other when its own chunk has come. */
    @Test
    void aChunkForTheEndFollowsOnWhatWasThereBeforeItBegan() throws Exception {
        String id = uploads.open(APP);
        Path session = new BlobLayout(root).upload(APP, id);
        append(uploads, id, 0, ascii("one"));
        Path late = root.resolve("late");
        hide(session, late);
        try (UploadChunk chunk = elsewhere.append(APP, id)) {
            chunk.out().write(ascii("two"));
            show(session, late);
            assertThat(chunk.commit()).isEqualTo(6);
        }
        Files.move(session.resolve("3"), late);
        Digest all = Digest.sha256(ascii("onetwothree"));
        try (UploadChunk chunk = uploads.append(APP, id)) {
            chunk.out().write(ascii("three"));
            assertThatThrownBy(() -> chunk.finish(all)).isInstanceOf(DigestMismatchException.class);
            Files.move(late, session.resolve("3"));
            assertThat(chunk.finish(all).size()).isEqualTo(11);
        }
        assertThat(read(all)).isEqualTo(ascii("onetwothree"));
        assertThat(leftovers()).isEmpty();
    }

    /** What was there before may show at any time: its name is in the way before it is listed. */
    @Test
    void aChunkForTheEndFollowsOnWhatShowsWhileItIsAcknowledged() throws Exception {
        Path late = root.resolve("late");
        int steps = 0;
        for (boolean shown = true; shown; steps++) {
            String id = uploads.open(APP);
            Path session = new BlobLayout(root).upload(APP, id);
            append(uploads, id, 0, ascii("one"));
            hide(session, late);
            SteppedFiles files = SteppedFiles.interruptedAfter(steps, () -> {
                if (Files.notExists(session.resolve("0"))) {
                    show(session, late);
                }
            });
            try (SharedFolder folder = SharedFolder.open(files.see(root), clock);
                    UploadChunk chunk = folder.pushed(terms).uploads().append(APP, id)) {
                chunk.out().write(ascii("two"));
                files.begin();
                long offset = chunk.commit();
                shown = Files.notExists(late);
                assertThat(offset).as("shown after " + steps + " steps").isEqualTo(shown ? 6 : 3);
            }
        }
        assertThat(steps).isGreaterThan(2);
    }

    /** By a client that has lost patience: its bytes were all written before it repeated them. */
    @Test
    void aChunkForTheEndThatIsRepeatedWhileItIsFlushedIsTakenOnce() throws Exception {
        String id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id)) {
            chunk.out().write(ascii("one"));
            chunk.out().flush();
            tick();
            try (UploadChunk again = elsewhere.append(APP, id)) {
                again.out().write(ascii("one"));
                tick();
                assertThat(chunk.commit()).isEqualTo(3);
                assertThatThrownBy(again::commit).isInstanceOfSatisfying(OffsetException.class, e -> {
                    assertThat(e.offset()).isEqualTo(3);
                    assertThat(e.isLate()).isFalse();
                });
            }
        }
        assertThat(elsewhere.offset(APP, id)).hasValue(3);
    }

    @Test
    void anAppendThatFailsLeavesNothing() throws Exception {
        String id = uploads.open(APP);
        boolean early = false;
        for (int steps = 0; !early; steps++) {
            AtomicBoolean failing = new AtomicBoolean(true);
            SteppedFiles files = SteppedFiles.interruptedAfter(steps, () -> {
                if (failing.get()) {
                    throw new IOException("no disk");
                }
            });
            try (SharedFolder folder = SharedFolder.open(files.see(root), clock)) {
                Uploads failed = folder.pushed(terms).uploads();
                files.begin();
                try (UploadChunk chunk = failed.append(APP, id)) {
                    early = files.isEarly();
                    failing.set(false);
                    chunk.out().write(ascii("all"));
                } catch (IOException e) {
                    assertThat(leftovers())
                            .as("failed after " + steps + " steps")
                            .isEmpty();
                }
            }
        }
    }

    @Test
    void ofTwoWritersAtTheEndOneWins() throws Exception {
        String id = uploads.open(APP);
        try (UploadChunk one = uploads.append(APP, id);
                UploadChunk other = elsewhere.append(APP, id)) {
            one.out().write(ascii("one"));
            other.out().write(ascii("other"));

            tick();
            assertThat(one.commit()).isEqualTo(3);
            assertThatThrownBy(other::commit)
                    .isInstanceOfSatisfying(
                            OffsetException.class, e -> assertThat(e.offset()).isEqualTo(3));
        }
        assertThat(elsewhere.offset(APP, id)).hasValue(3);
    }

    @Test
    void bytesThatDoNotFollowAreRefused() throws Exception {
        String id = uploads.open(APP);
        append(uploads, id, 0, ascii("four"));

        for (long offset : new long[] {0, 3, 5, Long.MAX_VALUE, -1}) {
            assertThatThrownBy(() -> elsewhere.append(APP, id, offset))
                    .isInstanceOfSatisfying(
                            OffsetException.class, e -> assertThat(e.offset()).isEqualTo(4));
        }
        assertThat(uploads.offset(APP, id)).hasValue(4);
    }

    @Test
    void aWrongDigestLeavesTheSessionAsItWas() throws Exception {
        String id = uploads.open(APP);
        append(uploads, id, 0, ascii("four"));
        Digest wrong = Digest.sha256(ascii("five"));

        assertThatThrownBy(() -> uploads.finish(APP, id, wrong)).isInstanceOf(DigestMismatchException.class);
        try (UploadChunk chunk = uploads.append(APP, id, 4)) {
            chunk.out().write(ascii("more"));
            assertThatThrownBy(() -> chunk.finish(wrong)).isInstanceOf(DigestMismatchException.class);
        }

        assertThat(uploads.offset(APP, id)).hasValue(4);
        assertThat(there.content().links().find(APP, wrong)).isEmpty();
        uploads.finish(APP, id, Digest.sha256(ascii("four")));
    }

    @Test
    void aChunkThatIsGivenUpLeavesNothing() throws Exception {
        String id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id, 0)) {
            chunk.out().write(random.bytes(500_000).toArray());
            assertThat(chunk.size()).isEqualTo(500_000);
        }

        assertThat(uploads.offset(APP, id)).hasValue(0);
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void aSessionIsItsRepositorysAlone() throws Exception {
        String id = uploads.open(APP);

        assertThat(uploads.offset(OTHER, id)).isEmpty();
        assertThat(uploads.cancel(OTHER, id)).isFalse();
        assertThatThrownBy(() -> uploads.append(OTHER, id, 0)).isInstanceOf(NoSuchUploadException.class);
        assertThatThrownBy(() -> uploads.finish(OTHER, id, Digest.sha256(new byte[0])))
                .isInstanceOf(NoSuchUploadException.class);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ".",
                "..",
                "../../../../blobs",
                "0",
                "0123456789abcdef0123456789abcdef",
                "0123456789ABCDEF0123456789ABCDEF",
                "0123456789abcdef0123456789abcde/",
                "0123456789abcdef0123456789abcdef\n",
                "\0"
            })
    void whatIsNoIdIsNotFound(String id) throws Exception {
        uploads.open(APP);

        assertThat(uploads.offset(APP, id)).isEmpty();
        assertThat(uploads.cancel(APP, id)).isFalse();
        assertThatThrownBy(() -> uploads.append(APP, id, 0)).isInstanceOf(NoSuchUploadException.class);
    }

    @Test
    void idsAreRandom() throws Exception {
        Set<String> ids = new HashSet<>();
        for (int i = 0; i < 200; i++) {
            ids.add(uploads.open(APP));
        }

        assertThat(ids).hasSize(200).allMatch(id -> id.matches("[0-9a-f]{32}"));
    }

    @Test
    void aCancelledSessionEndsForThoseWhoAreWritingToo() throws Exception {
        String id = uploads.open(APP);
        append(uploads, id, 0, ascii("four"));
        try (UploadChunk chunk = uploads.append(APP, id, 4);
                UploadChunk last = uploads.append(APP, id, 4)) {
            chunk.out().write(ascii("more"));

            assertThat(elsewhere.cancel(APP, id)).isTrue();

            assertThat(elsewhere.cancel(APP, id)).isFalse();
            assertThatThrownBy(chunk::commit).isInstanceOf(NoSuchUploadException.class);
            assertThatThrownBy(() -> last.finish(Digest.sha256(ascii("four"))))
                    .isInstanceOf(NoSuchUploadException.class);
        }
        assertThat(leftovers()).isEmpty();
    }

    @Test
    void aSessionExpiresSomeTimeAfterItsLastByte() throws Exception {
        String id = uploads.open(APP);
        clock.advance(EXPIRY.minusSeconds(1));
        append(uploads, id, 0, ascii("four"));
        clock.advance(EXPIRY.minusSeconds(1));
        assertThat(elsewhere.offset(APP, id)).hasValue(4);

        clock.advance(Duration.ofSeconds(2));

        assertThat(elsewhere.offset(APP, id)).isEmpty();
        assertThatThrownBy(() -> uploads.append(APP, id, 4)).isInstanceOf(NoSuchUploadException.class);
    }

    @Test
    void aSessionDoesNotExpireWhileBytesComeIn() throws Exception {
        String id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id, 0)) {
            for (int i = 0; i < 4; i++) {
                clock.advance(EXPIRY.dividedBy(2));
                chunk.out().write(ascii("some"));
            }
            assertThat(chunk.commit()).isEqualTo(16);
        }
    }

    @Test
    void nothingIsTakenWhileADiskIsBelowItsLimit() throws Exception {
        String id = uploads.open(APP);
        try (UploadChunk chunk = uploads.append(APP, id, 0)) {
            chunk.out().write(random.bytes(2_000_000).toArray());
            free = 999;

            assertThatThrownBy(() -> uploads.open(APP)).isInstanceOf(LowOnSpaceException.class);
            assertThatThrownBy(() -> uploads.append(APP, id, 0)).isInstanceOf(LowOnSpaceException.class);
            assertThatThrownBy(() -> chunk.out().write(1)).isInstanceOf(LowOnSpaceException.class);
        }
        free = 1000;
        append(uploads, id, 0, ascii("again"));
    }

    @Test
    void aSessionHasSoManyChunksAndNoMore() throws Exception {
        String id = uploads.open(APP);
        Path folder = new BlobLayout(root).upload(APP, id);
        for (int i = 0; i < 10_000; i++) {
            Files.write(folder.resolve(Integer.toString(i)), new byte[1]);
        }

        assertThatThrownBy(() -> uploads.append(APP, id, 10_000)).isInstanceOf(TooManyChunksException.class);
        assertThat(uploads.finish(APP, id, Digest.sha256(new byte[10_000])).size())
                .isEqualTo(10_000);
    }

    @Test
    void whatThisNodeTookIsNotReadAgain() throws Exception {
        String id = uploads.open(APP);
        append(uploads, id, 0, ascii("one"));
        append(uploads, id, 3, ascii("two"));
        Files.write(new BlobLayout(root).upload(APP, id).resolve("0"), ascii("ONE"));
        Digest digest = Digest.sha256(ascii("onetwo"));

        assertThatThrownBy(() -> elsewhere.finish(APP, id, digest)).isInstanceOf(DigestMismatchException.class);
        uploads.finish(APP, id, digest);
    }
}
