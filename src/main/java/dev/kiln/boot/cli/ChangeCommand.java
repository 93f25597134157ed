package dev.kiln.boot.cli;

import dev.kiln.oci.Platform;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What an operator may do to one build: asked of the admin listener, which also finds it. */
abstract sealed class ChangeCommand implements Callable<Integer> {
    @Mixin
    private ServerOptions options;

    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            converter = PlatformConverter.class,
            description = "Which one, when an image has several")
    private Platform platform;

    @Parameters(paramLabel = "BUILD", description = "An id, team/app:main, or team/app@<revision>[@linux/amd64]")
    private String build;

    private final String change;

    private ChangeCommand(String change) {
        this.change = change;
    }

    @Override
    public Integer call() throws Exception {
        Api api = options.admin();
        BuildView found = new BuildFinder(options, api).one(build, Optional.ofNullable(platform));
        BuildView after = new BuildView(api.post("/api/v1/builds/" + found.id() + "/" + change));
        // as of its own last change, since it has just been made
        options.out().println(after.name() + "  " + after.state(Instant.MIN));
        options.out().flush();
        return 0;
    }

    @Command(name = "retry", description = "Requests a failed build anew.", mixinStandardHelpOptions = true)
    static final class Retry extends ChangeCommand {
        Retry() {
            super("retry");
        }
    }

    @Command(
            name = "cancel",
            description = "Ends a queued or running build; it stays ended until somebody retries it.",
            mixinStandardHelpOptions = true)
    static final class Cancel extends ChangeCommand {
        Cancel() {
            super("cancel");
        }
    }
}
