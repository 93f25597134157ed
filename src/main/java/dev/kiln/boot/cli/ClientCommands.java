package dev.kiln.boot.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Clock;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;

/** The commands that talk to a server. */
@Command(name = "kiln")
public final class ClientCommands {
    private ClientCommands() {}

    /** A command line whose subcommands they are; they can be added to another one. Exit code 1 for every failure. */
    public static CommandLine commands() {
        return commands(Clock.systemUTC(), time -> new CountDownLatch(1).await(time.toMillis(), TimeUnit.MILLISECONDS));
    }

    static CommandLine commands(Clock clock, Pace pace) {
        CommandLine line = new CommandLine(new ClientCommands())
                .addSubcommand(new BuildsCommand(clock))
                .addSubcommand(new BuildCommand(clock))
                .addSubcommand(new LogCommand(pace))
                .addSubcommand(new WaitCommand(clock, pace))
                .addSubcommand(new ChangeCommand.Retry())
                .addSubcommand(new ChangeCommand.Cancel())
                .addSubcommand(new DrainCommand.Drain())
                .addSubcommand(new DrainCommand.Undrain())
                .addSubcommand(new QueueCommand(clock));
        return line.setExecutionExceptionHandler((e, command, parsed) -> {
            if (e instanceof ApiProblem || e instanceof IOException || e instanceof UncheckedIOException) {
                command.getErr().println("kiln: " + e.getMessage());
                command.getErr().flush();
                return CommandLine.ExitCode.SOFTWARE;
            }
            throw e;
        });
    }
}
