package dev.kiln.config;

import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** Reads the entries of {@code kiln.builders}. What is supplied may be asked for only when nothing was reported. */
final class BuilderReader {
    private enum Type {
        COMMAND,
        JIB,
        PUSH
    }

    // what a build is told by Kiln itself
    private static final Set<String> TAKEN = Set.of("PATH", "HOME", "TMPDIR", "SOURCE_DATE_EPOCH");

    // HttpClient refuses them, or sets them itself
    private static final Set<String> RESERVED = Set.of(
            "connection", "content-length", "content-type", "expect", "host", "te", "transfer-encoding", "upgrade");

    private final Section command;
    private final Section jib;
    private final Section push;
    private final boolean hasPublicUrl;

    /**
     * @param defaults {@code kiln.builder-defaults}
     * @param hasPublicUrl whether {@code http.public-url} is set
     */
    BuilderReader(Section defaults, boolean hasPublicUrl) {
        this.hasPublicUrl = hasPublicUrl;
        this.command = defaults.section("command");
        this.jib = defaults.section("jib");
        this.push = defaults.section("push");
        defaults.end();
    }

    Supplier<BuilderConfig> read(Section builders, String name) {
        Optional<Type> type = builders.section(name).choice("type", Type.class);
        // with no type, no key can be said to be unknown
        return type.<Supplier<BuilderConfig>>map(known -> switch (known) {
                    case COMMAND -> command(builders.section(name, command))::get;
                    case JIB -> jib(builders.section(name, jib));
                    case PUSH -> push(builders, name);
                })
                .orElse(() -> {
                    throw new IllegalStateException("the type was reported");
                });
    }

    private static Supplier<BuilderConfig.Command> command(Section entry) {
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

    /** Ordered by a command it has the keys of one, else those of a webhook. */
    private Supplier<BuilderConfig> push(Section builders, String name) {
        Section entry = builders.section(name);
        if (!hasPublicUrl) {
            entry.error("type", "is push, which needs http.public-url: the address that images are pushed to");
        }
        boolean byCommand = entry.isSet("command");
        if (byCommand == entry.isSet("webhook")) {
            entry.error("type", "is push, which needs a command or a webhook, one of the two");
            return () -> {
                throw new IllegalStateException("that there are both, or none, was reported");
            };
        }
        if (!byCommand) {
            return webhook(builders.section(name, push));
        }
        Supplier<BuilderConfig.Command> read = command(builders.section(name, command));
        return () -> new BuilderConfig.Push(new BuilderConfig.OrderByCommand(read.get()));
    }

    private static Supplier<BuilderConfig> webhook(Section entry) {
        entry.isSet("type");
        Optional<URI> address = entry.secret(
                        "webhook", "an address https://… or http://…, without a user", BuilderReader::isWebhook)
                .map(URI::create);
        Map<String, String> headers = entry.section("headers")
                .texts(
                        "a header that a webhook may be sent: letters, digits and -, and none that HTTP needs itself",
                        header -> header.matches("[A-Za-z0-9][A-Za-z0-9-]{0,63}")
                                && !RESERVED.contains(header.toLowerCase(Locale.ROOT)));
        headers.forEach((header, value) -> {
            if (value.chars().anyMatch(c -> c < ' ' || c > '~')) {
                entry.error("headers", "must have values of printable ASCII, and " + header + " has not");
            }
        });
        entry.end();
        return () -> new BuilderConfig.Push(new BuilderConfig.Webhook(address.orElseThrow(), headers));
    }

    private static boolean isWebhook(String text) {
        try {
            URI uri = new URI(text);
            return ("https".equals(uri.getScheme()) || "http".equals(uri.getScheme()))
                    && uri.getHost() != null
                    && uri.getUserInfo() == null
                    && uri.getPort() <= 65_535
                    && uri.getFragment() == null;
        } catch (URISyntaxException e) {
            return false;
        }
    }
}
