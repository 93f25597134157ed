package dev.kiln.boot.cli;

import java.time.Instant;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** What an operator may do to one build: asked of the admin listener, which also finds it. */
abstract sealed class ChangeCommand implements Callable<Integer> {
    @Mixin
    private ServerOptions options;

    @Mixin
    private BuildChoice choice;

    private final String change;

    private ChangeCommand(String change) {
        this.change = change;
    }

    @Override
    public Integer call() throws Exception {
        Api api = options.admin();
        BuildView found = choice.one(new BuildFinder(options, api));
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
