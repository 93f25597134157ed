package dev.kiln.worker;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.blob.SharedFolder;
import dev.kiln.blob.StagedBlob;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildInput;
import dev.kiln.build.BuildQueue;
import dev.kiln.build.BuildState.Result;
import dev.kiln.build.Cause;
import dev.kiln.build.FailureClass;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.KilnConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Digest;
import dev.kiln.source.SourceArchive;
import dev.kiln.testing.ScriptedBuilder;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AttemptWorkTest {
    private static final BuildKey KEY = BuildKey.of("demo/hello@" + "0123456789".repeat(4) + "@linux/amd64");

    @TempDir
    Path directory;

    @Test
    void aSourceTooLargeToCheckOutIsItsOwnFault() throws Exception {
        Properties properties = new Properties();
        properties.setProperty("kiln.data-dir", directory.resolve("data").toString());
        properties.setProperty("kiln.work-dir", directory.resolve("work").toString());
        properties.setProperty("kiln.data-dir-min-free", "0");
        properties.setProperty("kiln.store.min-free", "0");
        properties.setProperty("kiln.repository-defaults.build.max-output", "1MiB");
        KilnConfig config = ConfigLoader.load(Optional.empty(), properties).kiln();
        Files.createDirectories(config.workDir());
        Files.createDirectories(config.dataDir());
        try (SharedFolder folder = SharedFolder.open(config.store().dir(), Clock.systemUTC())) {
            AttemptWork work = new AttemptWork(
                    new AttemptWork.Shop(
                            config,
                            folder.content(),
                            List.of(),
                            folder.logs(),
                            Map.of("demo", (task, log, left) -> new ScriptedBuilder()),
                            Runnable::run),
                    KEY);
            SourceArchive archive = archive(folder, (1 << 20) + 1);
            BuildEvent.Requested request = new BuildEvent.Requested(
                    1, new Cause("test", "192.0.2.1", "", "main"), new BuildInput(archive, "demo"), Instant.EPOCH);

            Attempt.Work.Started started = work.start(
                            new BuildQueue.Granted(KEY, request, 1), 1, 0, () -> Duration.ofMinutes(1))
                    .toCompletableFuture()
                    .get();
            work.clear().toCompletableFuture().get();

            assertThat(started.running()).isEmpty();
            assertThat(started.failure())
                    .contains(new Result.Failed(
                            FailureClass.SOURCE,
                            "the source cannot be checked out: it has files of more than 1048576 bytes"
                                    + " (build.max-output)"));
        }
    }

    private static SourceArchive archive(SharedFolder folder, int bytes) throws Exception {
        ByteArrayOutputStream archive = new ByteArrayOutputStream();
        try (TarArchiveOutputStream tar = new TarArchiveOutputStream(archive)) {
            TarArchiveEntry entry = new TarArchiveEntry("large");
            entry.setSize(bytes);
            tar.putArchiveEntry(entry);
            tar.write(new byte[bytes]);
            tar.closeArchiveEntry();
        }
        Digest digest = Digest.sha256(archive.toByteArray());
        try (StagedBlob staged = folder.content().blobs().stage()) {
            staged.out().write(archive.toByteArray());
            staged.commit(digest);
        }
        return new SourceArchive(digest, archive.size(), 0);
    }
}
