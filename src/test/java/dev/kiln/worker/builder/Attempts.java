package dev.kiln.worker.builder;

import dev.kiln.config.BuilderConfig;
import dev.kiln.oci.BuildKey;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** Runs shell scripts as builds, and looks at the machine's processes from outside. */
final class Attempts {
    static final BuildKey KEY = BuildKey.of("team/app@" + "0123456789".repeat(4) + "@linux/arm64/v8:5.10+neon+sve");
    static final long EPOCH = 1_600_000_000L;
    /** Shared, so that one process stands by and not one for each test. */
    private static final Guardians GUARDIANS = new Guardians();

    private static final Duration LONG = Duration.ofMinutes(2);

    final Path workDir;
    Path dataDir;
    final Isolation isolation;
    /** A text that the scripts put into the command lines of their processes. */
    final String mark = "mark-" + UUID.randomUUID();

    BuilderConfig.User user = BuilderConfig.User.AUTO;
    int maxProcesses = 200;
    Duration timeout = LONG;
    Duration lease = LONG;
    long maxOutput = 64 << 20;
    long maxLog = 1 << 20;
    Map<String, String> environment = Map.of();
    OutputStream log = new ByteArrayOutputStream();
    Guardians guardians = GUARDIANS;

    Attempts(Path root, Isolation isolation) throws IOException {
        // Without mounts of its own a build needs the way to its directory.
        Files.setPosixFilePermissions(root, PosixFilePermissions.fromString("rwx--x--x"));
        this.workDir = root.resolve("work");
        this.dataDir = Files.createDirectories(root.resolve("data"));
        this.isolation = isolation;
    }

    Path prepare(int slot) throws IOException {
        return AttemptDirectory.create(workDir, slot);
    }

    Builder.Running start(int slot, String script) throws IOException {
        return start(slot, List.of("sh", "-c", script, mark));
    }

    Builder.Running start(int slot, List<String> command) throws IOException {
        Path directory =
                Files.exists(workDir.resolve("slot-" + slot)) ? workDir.resolve("slot-" + slot) : prepare(slot);
        BuilderConfig.Command config =
                new BuilderConfig.Command(command, environment, "/usr/local/bin:/usr/bin:/bin", user, maxProcesses);
        CommandBuilder builder =
                new CommandBuilder(config, isolation, guardians, workDir, List.of(dataDir), Duration.ofMillis(100));
        return builder.start(new Builder.Task(KEY, 1, slot, directory, EPOCH, timeout, maxOutput, maxLog), log, lease);
    }

    Builder.Outcome run(String script) throws Exception {
        return await(start(0, script));
    }

    static Builder.Outcome await(Builder.Running running) throws Exception {
        return running.outcome().toCompletableFuture().get(60, TimeUnit.SECONDS);
    }

    String log() {
        return ((ByteArrayOutputStream) log).toString(StandardCharsets.UTF_8);
    }

    /** How many processes of this machine have {@code text} in their command line. */
    static long processesWith(String text) {
        return ProcessHandle.allProcesses()
                .filter(process -> commandLine(process.pid()).contains(text))
                .count();
    }

    static String commandLine(long pid) {
        try {
            return Files.readString(Path.of("/proc/" + pid + "/cmdline"), StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            return "";
        }
    }

    static boolean root() {
        try {
            return (Integer) Files.getAttribute(Path.of("/proc/self"), "unix:uid") == 0;
        } catch (IOException e) {
            return false;
        }
    }
}
