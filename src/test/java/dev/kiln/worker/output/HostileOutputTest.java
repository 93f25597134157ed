package dev.kiln.worker.output;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import akka.util.ByteString;
import dev.kiln.blob.DiskFullException;
import dev.kiln.blob.SharedFolder;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Platform;
import dev.kiln.testing.FullDisk;
import dev.kiln.testing.RandomImages;
import dev.kiln.testing.RandomImages.Blob;
import dev.kiln.testing.RandomImages.Image;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a build may leave to make the server read, follow or hold what it should not. */
@Timeout(60)
final class HostileOutputTest {
    private static final Platform AMD64 = Platform.of("linux/amd64");

    private static final BuildKey KEY = BuildKey.of("team/app@" + "a".repeat(40) + "@linux/amd64");

    private final RandomImages random = new RandomImages(11);
    private final Image image = random.image(AMD64);

    @TempDir
    Path temp;

    private Path output;
    private Path elsewhere;
    private SharedFolder folder;

    @BeforeEach
    void open() throws IOException {
        output = Files.createDirectories(temp.resolve("attempt/output"));
        elsewhere = Files.createDirectories(temp.resolve("elsewhere"));
        folder = SharedFolder.open(temp.resolve("store"), InstantSource.system());
    }

    @AfterEach
    void close() throws IOException {
        folder.close();
    }

    @Test
    void anEmptyOutputSaysWhatIsExpected() throws Exception {
        assertRejected("found nothing", "expected an OCI image layout");
        Files.writeString(output.resolve("notes.txt"), "");
        assertRejected("found notes.txt");
    }

    @Test
    void severalArchivesAreRefused() throws Exception {
        RandomImages.writeTar(output.resolve("a.tar"), RandomImages.layout(image));
        RandomImages.writeTar(output.resolve("b.tar"), RandomImages.layout(image));

        assertRejected("found a.tar, b.tar");
    }

    @Test
    void anArchiveWithoutAnImageSaysWhatItHolds() throws Exception {
        RandomImages.writeTar(output.resolve("a.tar"), Map.of("etc/passwd", ByteString.fromString("x")));

        assertRejected("found etc/passwd");
    }

    @Test
    void namesCannotForgeLinesOrTerminals() throws Exception {
        Files.writeString(output.resolve("x\n\u001b[2Jroot"), "");

        assertRejected("x??[2Jroot");
    }

    @Test
    void linksToFilesOutsideAreNotFollowed() throws Exception {
        Map<String, ByteString> files = RandomImages.layout(image);
        RandomImages.write(elsewhere, files);
        for (String name : files.keySet()) {
            RandomImages.write(output, files);
            Files.delete(output.resolve(name));
            Files.createSymbolicLink(output.resolve(name), elsewhere.resolve(name));

            assertRejected("symbolic link");

            Files.delete(output.resolve(name));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"blobs", "blobs/sha256"})
    void linksToDirectoriesOutsideAreNotFollowed(String directory) throws Exception {
        Map<String, ByteString> files = RandomImages.layout(image);
        RandomImages.write(elsewhere, files);
        for (String name : List.of("oci-layout", "index.json")) {
            Files.copy(elsewhere.resolve(name), output.resolve(name));
        }
        Files.createDirectories(output.resolve(directory).getParent());
        Files.createSymbolicLink(output.resolve(directory), elsewhere.resolve(directory));

        assertRejected("symbolic link");
    }

    @Test
    void theOutputItselfIsNotFollowed() throws Exception {
        RandomImages.write(elsewhere, RandomImages.layout(image));
        Files.delete(output);
        assertRejected("removed its output directory");

        Files.createSymbolicLink(output, elsewhere);
        assertRejected("removed its output directory");
    }

    @Test
    void anArchiveThatIsALinkIsNotFollowed() throws Exception {
        Path tar = elsewhere.resolve("secret.tar");
        RandomImages.writeTar(tar, RandomImages.layout(image));
        Files.createSymbolicLink(output.resolve("image.tar"), tar);

        assertRejected("image.tar is a symbolic link");
    }

    @ParameterizedTest
    @ValueSource(strings = {"oci-layout", "index.json", "image.tar", "blob"})
    void aFifoIsNotOpened(String name) throws Exception {
        Path path = output.resolve(name);
        if (!name.equals("image.tar")) {
            RandomImages.write(output, RandomImages.layout(image));
            path = name.equals("blob") ? output.resolve(image.layers().get(0).file()) : path;
            Files.delete(path);
        }
        assumeTrue(new ProcessBuilder("mkfifo", path.toString()).start().waitFor() == 0, "needs mkfifo");

        assertRejected("FIFO");
    }

    @Test
    void aDirectoryInPlaceOfAFileIsRefused() throws Exception {
        RandomImages.write(output, RandomImages.layout(image));
        Files.delete(output.resolve("index.json"));
        Files.createDirectory(output.resolve("index.json"));

        assertRejected("index.json is a directory");
    }

    @Test
    void aSparseBombIsRefusedByItsSize() throws Exception {
        Blob bomb = new Blob(image.layers().get(0).mediaType(), random.bytes(10));
        long size = 1L << 40;
        Blob manifest = RandomImages.manifest(
                image.config().json(""), bomb.json("").replace("\"size\":10", "\"size\":" + size));
        Map<String, ByteString> files = RandomImages.layout(
                new Image(image.platformJson(), List.of(), List.of(bomb), image.config(), manifest));
        RandomImages.write(output, files);
        assertRejected("has 10 bytes, but its descriptor says " + size);
        try (RandomAccessFile file =
                new RandomAccessFile(output.resolve(bomb.file()).toFile(), "rw")) {
            file.setLength(size);
        }

        assertRejected("larger than");
    }

    @ParameterizedTest
    @ValueSource(strings = {"../x", "a/../../x", "/etc/passwd", "a/.."})
    void anArchivesEntryOutsideOfItIsRefused(String name) throws Exception {
        Map<String, ByteString> files = RandomImages.layout(image);
        files.put(name, ByteString.fromString("x"));
        RandomImages.writeTar(output.resolve("image.tar"), files);

        assertRejected("archive holds");
    }

    @Test
    void anArchiveWithAnEntryTwiceIsRefused() throws Exception {
        writeTar(tar -> {
            put(tar, "index.json", "{}");
            put(tar, "./index.json", "{}");
        });

        assertRejected("holds index.json twice");
    }

    @Test
    void linksWithinAnArchiveAreResolvedInIt() throws Exception {
        Map<String, ByteString> files = RandomImages.dockerArchive(image);
        Descriptor plain = takeTar(files);
        writeTar(tar -> {
            int n = 0;
            for (Map.Entry<String, ByteString> file : files.entrySet()) {
                if (file.getKey().endsWith(".tar")) {
                    link(tar, file.getKey(), TarConstants.LF_SYMLINK, "legacy/" + n + "/layer.tar");
                    link(tar, "legacy/" + n + "/layer.tar", TarConstants.LF_SYMLINK, "../../real/" + n);
                    link(tar, "real/" + n, TarConstants.LF_LINK, "data/" + n);
                    put(tar, "data/" + n, file.getValue());
                    n++;
                } else {
                    put(tar, file.getKey(), file.getValue());
                }
            }
        });

        assertThat(take()).isEqualTo(plain);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/etc/passwd", "../../etc/passwd", "a/../../../etc/passwd"})
    void linksOutOfAnArchiveAreRefused(String target) throws Exception {
        for (byte kind : new byte[] {TarConstants.LF_SYMLINK, TarConstants.LF_LINK}) {
            writeTar(tar -> {
                put(tar, "manifest.json", "[{\"Config\":\"dir/config.json\",\"Layers\":[]}]");
                link(tar, "dir/config.json", kind, target);
            });

            assertRejected("archive holds");
        }
    }

    @Test
    void linksInACircleAreRefused() throws Exception {
        writeTar(tar -> {
            put(tar, "manifest.json", "[{\"Config\":\"a\",\"Layers\":[]}]");
            link(tar, "a", TarConstants.LF_SYMLINK, "b");
            link(tar, "b", TarConstants.LF_SYMLINK, "a");
        });

        assertRejected("leads nowhere");
    }

    @Test
    void namesInManifestJsonStayInTheArchive() throws Exception {
        Path secret = Files.writeString(
                elsewhere.resolve("config.json"), image.config().bytes().utf8String());
        for (String name : List.of(secret.toString(), "../../elsewhere/config.json")) {
            writeTar(tar -> put(tar, "manifest.json", "[{\"Config\":\"" + name + "\",\"Layers\":[]}]"));

            assertThatThrownBy(this::take)
                    .isInstanceOf(OutputRejectedException.class)
                    .hasMessageContaining("lacks");
        }
    }

    @Test
    void devicesInAnArchiveAreRefused() throws Exception {
        for (byte kind : new byte[] {TarConstants.LF_FIFO, TarConstants.LF_CHR, TarConstants.LF_BLK}) {
            writeTar(tar -> {
                tar.putArchiveEntry(new TarArchiveEntry("oci-layout", kind));
                tar.closeArchiveEntry();
            });

            assertRejected("neither a file nor a link");
        }
    }

    @Test
    void aTruncatedArchiveIsRefusedWhereverItEnds() throws Exception {
        byte[] whole = RandomImages.tar(RandomImages.layout(image)).toArray();
        int last = whole.length;
        while (whole[last - 1] == 0) {
            last--;
        }
        for (int length = last - 1; length > 0; length -= 97) {
            Files.write(output.resolve("image.tar"), Arrays.copyOf(whole, length));

            assertRejected("the ");
        }
    }

    @Test
    void anEntryThatIsLargerThanTheArchiveIsRefused() throws Exception {
        for (String size : List.of("77777777777", "00000010001")) {
            byte[] whole = RandomImages.tar(RandomImages.layout(image)).toArray();
            System.arraycopy(size.getBytes(StandardCharsets.US_ASCII), 0, whole, 124, 11);
            checksum(whole);
            Files.write(output.resolve("image.tar"), whole);

            assertRejected("archive is");
        }
        byte[] negative = RandomImages.tar(RandomImages.layout(image)).toArray();
        Arrays.fill(negative, 124, 136, (byte) 0xff);
        checksum(negative);
        Files.write(output.resolve("image.tar"), negative);
        assertRejected("archive is");
    }

    @Test
    void aHugeExtendedHeaderIsNotRead() throws Exception {
        for (byte kind : new byte[] {TarConstants.LF_GNUTYPE_LONGNAME, TarConstants.LF_PAX_EXTENDED_HEADER_LC}) {
            byte[] header = header(kind, 1L << 32);
            try (RandomAccessFile file =
                    new RandomAccessFile(output.resolve("image.tar").toFile(), "rw")) {
                file.setLength((1L << 32) + 2048);
                file.write(header);
            }

            assertRejected("extended header");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"x", "99999 path=a\n", "9 path=a\n\n", "-1 path=a\n", "12 size=abc\n", "4 =\n0"})
    void aMalformedExtendedHeaderIsRefused(String records) throws Exception {
        byte[] data = records.getBytes(StandardCharsets.UTF_8);
        byte[] whole = RandomImages.tar(RandomImages.layout(image)).toArray();
        byte[] archive = new byte[1024 + whole.length];
        System.arraycopy(header(TarConstants.LF_PAX_EXTENDED_HEADER_LC, data.length), 0, archive, 0, 512);
        System.arraycopy(data, 0, archive, 512, data.length);
        System.arraycopy(whole, 0, archive, 1024, whole.length);
        Files.write(output.resolve("image.tar"), archive);

        assertRejected("damaged");
    }

    @Test
    void tooManyEntriesAreRefused() throws Exception {
        writeTar(tar -> {
            for (int i = 0; i < 20_001; i++) {
                put(tar, "f" + i, "");
            }
        });

        assertRejected("more than 20000 entries");
    }

    @Test
    void whatIsNoArchiveIsRefused() throws Exception {
        Files.write(output.resolve("image.tar"), random.bytes(5000).toArray());
        assertRejected("damaged");
        Files.write(
                output.resolve("image.tar"),
                RandomImages.gzip(RandomImages.tar(RandomImages.layout(image))).toArray());
        assertRejected("compressed");
        Files.write(output.resolve("image.tar"), new byte[0]);
        assertRejected("found nothing");
    }

    @Test
    void longNamesOfBothKindsAreRead() throws Exception {
        String longName = "directory/".repeat(12) + "config.json";
        for (int mode : new int[] {TarArchiveOutputStream.LONGFILE_POSIX, TarArchiveOutputStream.LONGFILE_GNU}) {
            writeTar(tar -> {
                tar.setLongFileMode(mode);
                for (Map.Entry<String, ByteString> file :
                        RandomImages.dockerArchive(image).entrySet()) {
                    String config = image.config().digest().hex() + ".json";
                    if (file.getKey().equals("manifest.json")) {
                        put(tar, "manifest.json", file.getValue().utf8String().replace(config, longName));
                    } else {
                        put(tar, file.getKey().equals(config) ? longName : file.getKey(), file.getValue());
                    }
                }
            });

            assertThat(take().digest()).isNotNull();
        }
    }

    @Test
    void aFullStoreIsNotTheBuildsFault() throws Exception {
        Path mountPoint = Files.createDirectory(temp.resolve("small"));
        Blob layer = new Blob(image.layers().get(0).mediaType(), random.bytes(3_000_000));
        Blob manifest = RandomImages.manifest(image.config(), List.of(layer));
        RandomImages.write(
                output,
                RandomImages.layout(
                        new Image(image.platformJson(), List.of(), List.of(layer), image.config(), manifest)));
        try (FullDisk disk = FullDisk.mount(mountPoint, "2m");
                SharedFolder small = SharedFolder.open(mountPoint, InstantSource.system())) {
            assertThat(disk).isNotNull();
            assertThatThrownBy(() -> new ImageOutput(small.content(), 100_000_000).take(output, KEY))
                    .isInstanceOf(DiskFullException.class);
            assertThat(mountPoint.resolve("repositories")).doesNotExist();
        }
    }

    private Descriptor take() throws IOException, OutputRejectedException {
        return new ImageOutput(folder.content(), 100_000_000).take(output, KEY);
    }

    private Descriptor takeTar(Map<String, ByteString> files) throws IOException, OutputRejectedException {
        RandomImages.writeTar(output.resolve("image.tar"), files);
        return take();
    }

    private void assertRejected(String... parts) {
        assertThatThrownBy(this::take)
                .isInstanceOf(OutputRejectedException.class)
                .hasMessageContainingAll(parts)
                .hasMessageMatching("[ -~]{1,500}")
                .hasMessageNotContaining(temp.toString());
        assertThat(temp.resolve("store/repositories")).doesNotExist();
    }

    private void writeTar(Content content) throws IOException {
        try (OutputStream out = Files.newOutputStream(output.resolve("image.tar"));
                TarArchiveOutputStream tar = new TarArchiveOutputStream(out, "UTF-8")) {
            content.write(tar);
        }
    }

    private static void put(TarArchiveOutputStream tar, String name, String text) throws IOException {
        put(tar, name, RandomImages.utf8(text));
    }

    private static void put(TarArchiveOutputStream tar, String name, ByteString bytes) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name, true);
        entry.setSize(bytes.size());
        tar.putArchiveEntry(entry);
        tar.write(bytes.toArray());
        tar.closeArchiveEntry();
    }

    private static void link(TarArchiveOutputStream tar, String name, byte kind, String target) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(name, kind, true);
        entry.setLinkName(target);
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
    }

    private static byte[] header(byte kind, long size) {
        TarArchiveEntry entry = new TarArchiveEntry("x", kind);
        entry.setSize(size);
        byte[] header = new byte[512];
        entry.writeEntryHeader(header);
        return header;
    }

    private static void checksum(byte[] archive) {
        Arrays.fill(archive, 148, 156, (byte) ' ');
        int sum = 0;
        for (int i = 0; i < 512; i++) {
            sum += archive[i] & 0xff;
        }
        byte[] octal = "%06o\0 ".formatted(sum).getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(octal, 0, archive, 148, 8);
    }

    private interface Content {
        void write(TarArchiveOutputStream tar) throws IOException;
    }
}
