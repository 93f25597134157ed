package dev.kiln.journal;

import java.security.SecureRandom;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;

/** Keeps them in the journal's database. */
public final class JdbcClusterSecret implements ClusterSecret {
    private static final int BYTES = 32;
    private static final String DUPLICATE_KEY = "23505";

    private final Connections connections;
    private final SecureRandom random = new SecureRandom();

    public JdbcClusterSecret(Connections connections) {
        this.connections = connections;
    }

    @Override
    public byte[] get(String name) {
        try (Connection connection = connections.open()) {
            connection.setAutoCommit(true);
            insertIfAbsent(connection, name);
            return select(connection, name);
        } catch (SQLException e) {
            throw new IllegalStateException("cannot read the cluster's secret \"" + name + "\" from the database", e);
        }
    }

    private void insertIfAbsent(Connection connection, String name) throws SQLException {
        byte[] secret = new byte[BYTES];
        random.nextBytes(secret);
        try (PreparedStatement insert = connection.prepareStatement(
                "INSERT INTO cluster_secret (name, secret) VALUES (?, ?) ON CONFLICT DO NOTHING")) {
            insert.setString(1, name);
            insert.setBytes(2, secret);
            insert.executeUpdate();
        } catch (SQLException e) {
            // H2 may see a row of another transaction only when it comes to write its own
            if (!DUPLICATE_KEY.equals(e.getSQLState())) {
                throw e;
            }
        }
    }

    private static byte[] select(Connection connection, String name) throws SQLException {
        try (PreparedStatement select =
                connection.prepareStatement("SELECT secret FROM cluster_secret WHERE name = ?")) {
            select.setString(1, name);
            try (ResultSet row = select.executeQuery()) {
                if (!row.next()) {
                    throw new SQLException("the row is gone");
                }
                return row.getBytes(1);
            }
        }
    }
}
