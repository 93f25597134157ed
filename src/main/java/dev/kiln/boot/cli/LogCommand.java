package dev.kiln.boot.cli;

import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kiln log}. */
@Command(name = "log", description = "Prints a build's log.", mixinStandardHelpOptions = true)
final class LogCommand implements Callable<Integer> {
    @Mixin
    private ServerOptions options;

    @Mixin
    private BuildChoice choice;

    @Option(names = "--attempt", paramLabel = "NUMBER", description = "Of this attempt; default: the last one")
    private Integer attempt;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on until the build has ended; exit code 1 when it failed")
    private boolean follow;

    private final Pace pace;

    LogCommand(Pace pace) {
        this.pace = pace;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (attempt != null && attempt < 1) {
            throw options.usage("--attempt must be 1 or more");
        }
        Api api = options.server();
        BuildFinder finder = new BuildFinder(options, api);
        BuildView found = choice.one(finder);
        LogReader reader = new LogReader(api, found.id(), options.out());
        if (!follow) {
            reader.read(attempt == null ? Math.max(1, found.attempt()) : attempt);
            return 0;
        }
        return new LogFollower(finder, reader, found.id(), Optional.ofNullable(attempt), options.err(), pace).follow()
                ? 0
                : 1;
    }
}
