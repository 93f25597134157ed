package dev.kiln.worker.builder;

import dev.kiln.config.BuilderConfig;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Platform;
import dev.kiln.worker.guardian.Orders;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Runs a configured command in the checkout, in processes that a guardian keeps apart from everything else. */
public final class CommandBuilder implements Builder {
    private final BuilderConfig.Command config;
    private final Isolation isolation;
    private final Guardians guardians;
    private final Path workDir;
    private final List<Path> hidden;
    private final Duration outputCheck;

    /**
     * @param workDir of this node; attempts see nothing of it but their own directory
     * @param hidden other directories that attempts must not see, such as {@code data-dir}
     * @param outputCheck how often an attempt's disk use is measured
     */
    public CommandBuilder(
            BuilderConfig.Command config,
            Isolation isolation,
            Guardians guardians,
            Path workDir,
            List<Path> hidden,
            Duration outputCheck) {
        if (config.command().isEmpty() || config.command().get(0).contains("=")) {
            throw new IllegalArgumentException("a builder's command must begin with a program's name without '='");
        }
        this.config = config;
        this.isolation = isolation;
        this.guardians = guardians;
        this.workDir = workDir;
        this.hidden = Stream.concat(hidden.stream(), Stream.of(workDir))
                .map(path -> path.toAbsolutePath().normalize())
                .toList();
        this.outputCheck = outputCheck;
    }

    /** Blocks for some milliseconds. Once it has returned the directory belongs to the build. */
    @Override
    public Running start(Task task, OutputStream log, Duration lease) throws IOException {
        return start(task, Map.of(), log, lease);
    }

    /** @param more variables, beside those that every command gets */
    Running start(Task task, Map<String, String> more, OutputStream log, Duration lease) throws IOException {
        Map<String, String> environment = environment(task);
        environment.putAll(more);
        List<String> command = config.command().stream()
                .map(argument -> argument(argument, task))
                .toList();
        Path directory = task.directory().toAbsolutePath().normalize();
        Isolation.Launch launch = new Isolation.Launch(directory, task.slot(), config.user(), command, environment);
        String marker = Marker.next(workDir);
        Map<String, String> inherited = new HashMap<>(Isolation.inherited(environment));
        inherited.put(Marker.NAME, marker);
        Orders orders = new Orders(
                isolation.command(launch, config.maxProcesses(), task.maxOutput(), hidden),
                inherited,
                directory.toString(),
                Marker.NAME + "=" + marker,
                isolation.ownUser(config.user(), task.slot()),
                isolation.namespaces(),
                task.timeout().toMillis(),
                lease.toMillis(),
                task.maxOutput(),
                outputCheck.toMillis());
        return GuardedBuild.start(task, orders, log, guardians);
    }

    private Map<String, String> environment(Task task) {
        Path inside = isolation.inside(task.directory().toAbsolutePath().normalize());
        BuildKey key = task.key();
        Platform platform = key.platform();
        Map<String, String> environment = new HashMap<>();
        environment.put("PATH", config.path());
        environment.put("HOME", inside.resolve("home").toString());
        environment.put("TMPDIR", inside.resolve("tmp").toString());
        // Without it container tools read their credentials below /run/containers, which root's tools close to all
        // others.
        if (config.user() != BuilderConfig.User.ROOT) {
            environment.put("XDG_RUNTIME_DIR", inside.resolve("tmp").toString());
        }
        environment.put("LANG", "C.UTF-8");
        environment.putAll(config.environment());
        environment.put("KILN_REPOSITORY", key.repository().value());
        environment.put("KILN_TAG", key.revision().value());
        environment.put("KILN_REVISION", key.revision().value());
        environment.put("KILN_PLATFORM", platform.toString());
        environment.put("KILN_OS", platform.os());
        environment.put("KILN_ARCH", platform.architecture());
        environment.put("KILN_VARIANT", platform.variant());
        environment.put("KILN_OS_VERSION", platform.osVersion());
        environment.put("KILN_FEATURES", String.join(",", platform.features()));
        environment.put("KILN_OUTPUT", inside.resolve("output").toString());
        environment.put("SOURCE_DATE_EPOCH", Long.toString(task.sourceDateEpoch()));
        return environment;
    }

    private String argument(String argument, Task task) {
        Path inside = isolation.inside(task.directory().toAbsolutePath().normalize());
        return argument.replace("{repository}", task.key().repository().value())
                .replace("{revision}", task.key().revision().value())
                .replace("{platform}", task.key().platform().toString())
                .replace("{output}", inside.resolve("output").toString());
    }
}
