package dev.kiln.catalog;

import dev.kiln.journal.Connections;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;

/** The repositories that have something, out of the tables of the catalog. Thread-safe. */
public final class JdbcRepositoryNames implements RepositoryNames {
    private static final int QUERY_SECONDS = 10;

    private final Connections connections;
    private final Executor blocking;

    /** @param blocking runs the queries; bounded, and what it rejects is answered with 503 */
    public JdbcRepositoryNames(Connections connections, Executor blocking) {
        this.connections = connections;
        this.blocking = blocking;
    }

    @Override
    public CompletionStage<List<RepositoryName>> list(String after, int limit) {
        try {
            return CompletableFuture.supplyAsync(() -> query(after, limit), blocking);
        } catch (RejectedExecutionException e) {
            return CompletableFuture.failedFuture(new Problem(
                    ProblemCode.UNAVAILABLE, "too many people ask for lists at once: try again in a moment", e));
        }
    }

    private List<RepositoryName> query(String after, int limit) {
        try (Connection connection = connections.open();
                PreparedStatement select = connection.prepareStatement(
                        "SELECT name FROM (SELECT name FROM pushed_repositories WHERE filled"
                                + " UNION SELECT repository FROM builds) names"
                                + " WHERE name > ? ORDER BY name LIMIT ?")) {
            select.setQueryTimeout(QUERY_SECONDS);
            select.setString(1, after);
            select.setInt(2, limit);
            List<RepositoryName> names = new ArrayList<>();
            try (ResultSet row = select.executeQuery()) {
                while (row.next()) {
                    names.add(new RepositoryName(row.getString(1)));
                }
            }
            return List.copyOf(names);
        } catch (SQLException e) {
            throw new Problem(ProblemCode.UNAVAILABLE, "could not ask the database for repositories: try again", e);
        }
    }
}
