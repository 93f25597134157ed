package dev.kiln.journal;

import dev.kiln.config.KilnConfig;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Optional;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.flywaydb.core.api.MigrationInfo;

/** The tables of the database: {@code db/migration} holds every step, and none is ever changed after a release. */
public final class Schema {
    private static final int H2_ALREADY_OPEN = 90020;

    private Schema() {}

    /**
     * Brings the database to the schema this program knows, before the journal uses it. Nodes that start at the same time
     * wait for each other. Blocks.
     *
     * <p>Synchronized for the embedded database, which only one process has: each statement commits, and so gives up the lock
     * by which Flyway lets nodes wait for each other.
     *
     * @throws CannotStart when the database cannot be reached, is another process's, or was made by a later program
     */
    public static synchronized void migrate(KilnConfig.Database database) {
        try {
            Flyway flyway = Flyway.configure(Schema.class.getClassLoader())
                    .dataSource(database.url(), database.user(), database.password())
                    .locations("classpath:db/migration")
                    .placeholderReplacement(false)
                    .load();
            refuseLater(flyway);
            flyway.migrate();
        } catch (FlywayException e) {
            throw new CannotStart(reason(database, e), e);
        }
    }

    /** A program that does not know a table's newest shape must not write to it. */
    private static void refuseLater(Flyway flyway) {
        MigrationInfo[] all = flyway.info().all();
        Optional<MigrationInfo> later = Arrays.stream(all)
                .filter(step -> step.getState().isApplied() && !step.getState().isResolved())
                .reduce((first, second) -> second);
        later.ifPresent(step -> {
            String known = Arrays.stream(all)
                    .filter(other -> other.getState().isResolved())
                    .reduce((first, second) -> second)
                    .map(other -> other.getVersion().toString())
                    .orElse("none");
            throw new CannotStart("the database's schema is version " + step.getVersion()
                    + ", which a later Kiln made; this one knows up to " + known + ": start the later one");
        });
    }

    private static String reason(KilnConfig.Database database, FlywayException e) {
        SQLException sql = null;
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            sql = cause instanceof SQLException found ? found : sql;
        }
        if (sql != null && sql.getErrorCode() == H2_ALREADY_OPEN && database.embedded()) {
            return "the embedded database in data-dir " + folder(database)
                    + " is in use by another process; stop it, or give this node a data-dir of its own";
        }
        String detail = sql == null ? e.getMessage() : sql.getMessage();
        return "cannot bring the database of " + database + " to this version's schema: "
                + String.valueOf(detail).replaceAll("\\s+", " ").strip();
    }

    private static String folder(KilnConfig.Database database) {
        return database.url()
                .replaceFirst("^jdbc:h2:file:", "")
                .replaceFirst(";.*", "")
                .replaceFirst("/[^/]*$", "");
    }
}
