package dev.kiln.boot;

import dev.kiln.catalog.BuildProjection;
import dev.kiln.catalog.RepositoryProjection;
import dev.kiln.config.ConfigLoader;
import dev.kiln.config.InvalidConfiguration;
import dev.kiln.config.KilnConfig;
import dev.kiln.journal.CannotStart;
import dev.kiln.journal.DataDirLock;
import dev.kiln.journal.DatabaseClaim;
import dev.kiln.journal.DirectConnections;
import dev.kiln.journal.Schema;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;

/** {@code kiln rebuild-catalog}: forgets the list of builds, so that the next start makes it anew from the journal. */
@CommandLine.Command(
        name = "rebuild-catalog",
        description = "Has the next start make the list of builds anew from the journal. Only while no node runs.",
        mixinStandardHelpOptions = true)
final class RebuildCatalogCommand implements Callable<Integer> {
    @CommandLine.Option(names = "--config", paramLabel = "FILE", description = "as for serve")
    private Path config;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    @Override
    public Integer call() throws Exception {
        try {
            KilnConfig kiln = ConfigLoader.load(Optional.ofNullable(config), System.getProperties())
                    .kiln();
            DataDirLock lock = DataDirLock.take(kiln.dataDir());
            try (DatabaseClaim claim = DatabaseClaim.alone(kiln.database())) {
                Schema.migrate(kiln.database());
                claim.sign();
                DirectConnections connections = new DirectConnections(kiln.database());
                BuildProjection.reset(connections);
                RepositoryProjection.reset(connections);
            } finally {
                lock.close();
            }
            spec.commandLine().getOut().println("The next start makes the list of builds anew.");
            return 0;
        } catch (InvalidConfiguration | CannotStart e) {
            spec.commandLine().getErr().println("kiln cannot do this: " + e.getMessage());
            return 1;
        }
    }
}
