package dev.kiln.journal;

import dev.kiln.config.KilnConfig;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

/**
 * The claim of this process to be the only one that writes to a PostgreSQL journal. Two nodes that do not form one cluster
 * would each be the single writer of the same entities. The claim is an advisory lock, so the database itself ends it with
 * the connection. An embedded database locks itself.
 */
public final class OnlyNode implements AutoCloseable {
    /** Any number, the same in every Kiln: "KILN" in ASCII. */
    private static final long LOCK = 0x4b494c4eL;

    private final Connection connection;

    private OnlyNode(Connection connection) {
        this.connection = connection;
    }

    /**
     * Blocks on the database.
     *
     * @throws CannotStart when another node holds the claim, or the database cannot be reached
     */
    public static AutoCloseable claim(KilnConfig.Database database) {
        if (database.embedded()) {
            return () -> {};
        }
        try {
            Connection connection = new DirectConnections(database).open();
            try (Statement statement = connection.createStatement();
                    ResultSet answer = statement.executeQuery("SELECT pg_try_advisory_lock(" + LOCK + ")")) {
                answer.next();
                if (answer.getBoolean(1)) {
                    return new OnlyNode(connection);
                }
            } catch (SQLException e) {
                connection.close();
                throw e;
            }
            connection.close();
            throw new CannotStart(
                    "another node uses this database: this version runs one node, so stop the other or give this one a"
                            + " database of its own");
        } catch (SQLException e) {
            throw new CannotStart("could not reach the database to claim it: " + e.getMessage(), e);
        }
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
