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
    private Main() {}

    /** Exit codes are picocli's: 0 for success, 1 for a failure, 2 for a wrong command line. */
    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

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
