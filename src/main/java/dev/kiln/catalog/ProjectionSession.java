package dev.kiln.catalog;

import akka.japi.function.Function;
import akka.projection.jdbc.JdbcSession;
import dev.kiln.journal.Connections;
import java.sql.Connection;
import java.sql.SQLException;

/** One transaction of a projection: its rows and its offset, together or not at all. */
final class ProjectionSession implements JdbcSession {
    private final Connection connection;

    ProjectionSession(Connections connections) {
        try {
            this.connection = connections.open();
            connection.setAutoCommit(false);
        } catch (SQLException e) {
            throw new IllegalStateException("could not open a connection for the catalog's projection", e);
        }
    }

    Connection connection() {
        return connection;
    }

    @Override
    public <Result> Result withConnection(Function<Connection, Result> function) throws Exception {
        return function.apply(connection);
    }

    @Override
    public void commit() throws SQLException {
        connection.commit();
    }

    @Override
    public void rollback() throws SQLException {
        connection.rollback();
    }

    @Override
    public void close() throws SQLException {
        connection.close();
    }
}
