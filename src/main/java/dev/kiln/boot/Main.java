package dev.kiln.boot;

import dev.kiln.boot.cli.ClientCommands;
import picocli.CommandLine;

/** The command line {@code kiln}. */
@CommandLine.Command(
        name = "kiln",
        description = "A container registry whose images are built when somebody pulls them.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {ServeCommand.class, RebuildCatalogCommand.class})
public final class Main {
    /**
     * With fewer than two, as Java has it on two processors, {@link java.util.concurrent.CompletableFuture} starts a thread
     * for each asynchronous step, of which Akka's stages are full.
     */
    private static final String COMMON_POOL = "java.util.concurrent.ForkJoinPool.common.parallelism";

    /** Exit codes are picocli's: 0 for success, 1 for a failure, 2 for a wrong command line. */
    public static void main(String[] args) {
        if (System.getProperty(COMMON_POOL) == null) {
            System.setProperty(
                    COMMON_POOL,
                    Integer.toString(Math.max(2, Runtime.getRuntime().availableProcessors() - 1)));
        }
        System.exit(commandLine().execute(args));
    }

    private Main() {}

    static CommandLine commandLine() {
        CommandLine line = new CommandLine(new Main());
        CommandLine client = ClientCommands.commands();
        client.getSubcommands().forEach(line::addSubcommand);
        return line.setExecutionExceptionHandler(client.getExecutionExceptionHandler());
    }

    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"kiln " + (version == null ? "(unpackaged)" : version)};
        }
    }
}
