package dev.kiln.config;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Reads the entries of {@code kiln.builders}. What is supplied may be asked for only when nothing was reported. */
final class BuilderReader {
    private enum Type {
        COMMAND,
        JIB
    }

    // what a build is told by Kiln itself
    private static final Set<String> TAKEN = Set.of("PATH", "HOME", "TMPDIR", "SOURCE_DATE_EPOCH");

    private final Section command;
    private final Section jib;

    /** @param defaults {@code kiln.builder-defaults} */
    BuilderReader(Section defaults) {
        this.command = defaults.section("command");
        this.jib = defaults.section("jib");
        defaults.end();
    }

    Supplier<BuilderConfig> read(Section builders, String name) {
        Optional<Type> type = builders.section(name).choice("type", Type.class);
        // with no type, no key can be said to be unknown
        return type.map(known -> known == Type.COMMAND
                        ? command(builders.section(name, command))
                        : jib(builders.section(name, jib)))
                .orElse(() -> {
                    throw new IllegalStateException("the type was reported");
                });
    }

    private static Supplier<BuilderConfig> command(Section entry) {
        entry.isSet("type");
        List<String> command = entry.texts(
                "command", "a list of a program and its arguments, such as [\"sh\", \"build.sh\"]", text -> true);
        Map<String, String> environment = entry.section("environment")
                .texts(
                        "a variable a builder may set: letters, digits and _, and none of KILN_*, "
                                + String.join(", ", TAKEN.stream().sorted().toList()),
                        variable -> variable.matches("[A-Za-z_][A-Za-z0-9_]*")
                                && !variable.startsWith("KILN_")
                                && !TAKEN.contains(variable));
        Optional<String> path = entry.text(
                "path",
                "absolute folders separated by colons",
                text -> Stream.of(text.split(":", -1))
                        .allMatch(folder -> Path.of(folder).isAbsolute()));
        Optional<BuilderConfig.User> user = entry.choice("user", BuilderConfig.User.class);
        user.filter(value -> value == BuilderConfig.User.ROOT)
                .ifPresent(root ->
                        entry.warning("user", "is root: nothing protects data-dir from what this builder runs"));
        Optional<Integer> maxProcesses = entry.integer("max-processes", 1, 4_194_304);
        entry.end();
        return () -> new BuilderConfig.Command(
                command, environment, path.orElseThrow(), user.orElseThrow(), maxProcesses.orElseThrow());
    }

    private static Supplier<BuilderConfig> jib(Section entry) {
        entry.isSet("type");
        Optional<Boolean> privateRegistries = entry.flag("allow-private-registries");
        entry.end();
        return () -> new BuilderConfig.Jib(privateRegistries.orElseThrow());
    }
}
