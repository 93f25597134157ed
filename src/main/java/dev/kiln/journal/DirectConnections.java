package dev.kiln.journal;

import dev.kiln.config.KilnConfig;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;

/** Connections without a pool, for commands that run while no node does. */
public record DirectConnections(KilnConfig.Database database) implements Connections {
    @Override
    public Connection open() throws SQLException {
        return DriverManager.getConnection(database.url(), database.user(), database.password());
    }
}
