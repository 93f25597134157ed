package dev.kiln.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.OptionalInt;
import java.util.stream.Stream;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.apache.commons.compress.archivers.tar.TarConstants;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckoutTest {
    @TempDir
    Path folder;

    private Path checkout;
    private Path outside;
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final TarArchiveOutputStream tar = new TarArchiveOutputStream(bytes, "UTF-8");

    @BeforeEach
    void makeFolders() throws IOException {
        checkout = Files.createDirectory(folder.resolve("checkout"));
        outside = Files.createDirectory(folder.resolve("outside"));
        tar.setLongFileMode(TarArchiveOutputStream.LONGFILE_POSIX);
    }

    private void file(String path, String content) throws IOException {
        byte[] data = content.getBytes(StandardCharsets.UTF_8);
        TarArchiveEntry entry = new TarArchiveEntry(path, true);
        entry.setSize(data.length);
        tar.putArchiveEntry(entry);
        tar.write(data);
        tar.closeArchiveEntry();
    }

    private void entry(String path, byte type, String target) throws IOException {
        TarArchiveEntry entry = new TarArchiveEntry(path, type, true);
        entry.setLinkName(target);
        tar.putArchiveEntry(entry);
        tar.closeArchiveEntry();
    }

    private void extract(OptionalInt owner) throws Exception {
        tar.finish();
        Checkout.extract(new ByteArrayInputStream(bytes.toByteArray()), checkout, 1_600_000_000, 1000, owner);
    }

    private void isRefused() throws IOException {
        assertThatThrownBy(() -> extract(OptionalInt.empty())).isInstanceOf(IOException.class);
        try (Stream<Path> left = Files.list(outside)) {
            assertThat(left).isEmpty();
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).containsExactlyInAnyOrder(checkout, outside);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"../outside/x", "a/../../outside/x", "/tmp/kiln-checkout-test/x", "a//x", "./x", "..", "a/.."})
    void pathsThatLeadElsewhereAreRefused(String path) throws IOException {
        file(path, "x");

        isRefused();
    }

    @Test
    void nothingIsWrittenThroughALink() throws IOException {
        entry("link", TarConstants.LF_SYMLINK, outside.toString());
        file("link/x", "x");

        isRefused();
    }

    @Test
    void aLinkIsNotReplacedByAFile() throws IOException {
        entry("link", TarConstants.LF_SYMLINK, outside.resolve("x").toString());
        file("link", "x");

        isRefused();
    }

    @ParameterizedTest
    @ValueSource(bytes = {TarConstants.LF_LINK, TarConstants.LF_CHR, TarConstants.LF_BLK, TarConstants.LF_FIFO})
    void otherKindsAreRefused(byte type) throws IOException {
        entry("other", type, "/etc/passwd");

        isRefused();
    }

    @Test
    void moreBytesThanAllowedAreTheSourcesFault() throws IOException {
        file("a", "x".repeat(600));
        file("b", "x".repeat(600));

        assertThatThrownBy(() -> extract(OptionalInt.empty()))
                .isInstanceOfSatisfying(
                        SourceException.class, e -> assertThat(e.fault()).isEqualTo(SourceException.Fault.REVISION))
                .hasMessage(
                        "the source cannot be checked out: it has files of more than 1000 bytes (build.max-output)");
    }

    @Test
    void anArchiveThatIsCutShortIsRefused() throws IOException {
        file("a", "x".repeat(600));
        tar.finish();
        byte[] cut = Arrays.copyOf(bytes.toByteArray(), 700);

        assertThatThrownBy(() -> Checkout.extract(
                        new ByteArrayInputStream(cut), checkout, 1_600_000_000, 1000, OptionalInt.empty()))
                .isInstanceOf(IOException.class);
    }

    @Test
    void linksToAnywhereStayLinks() throws Exception {
        entry("link", TarConstants.LF_SYMLINK, "/etc/passwd");

        extract(OptionalInt.empty());

        assertThat(Files.readSymbolicLink(checkout.resolve("link"))).isEqualTo(Path.of("/etc/passwd"));
    }

    @Test
    void rootMayGiveEverythingToAnotherUserButNotWhatLinksPointAt() throws Exception {
        assumeTrue("root".equals(System.getProperty("user.name")), "only root gives files away");
        Files.writeString(folder.resolve("target"), "");
        entry("dir/link", TarConstants.LF_SYMLINK, folder.resolve("target").toString());
        file("dir/file", "x");

        extract(OptionalInt.of(60_001));

        try (Stream<Path> all = Files.walk(checkout)) {
            assertThat(all)
                    .allSatisfy(path -> assertThat(Files.getAttribute(path, "unix:uid", LinkOption.NOFOLLOW_LINKS))
                            .isEqualTo(60_001));
        }
        assertThat(Files.getAttribute(folder.resolve("target"), "unix:uid")).isEqualTo(0);
    }
}
