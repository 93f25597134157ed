package dev.kiln.journal;

import akka.actor.typed.ActorSystem;
import akka.persistence.jdbc.db.SlickExtension;
import akka.persistence.jdbc.db.SlickExtensionImpl;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.SQLException;
import slick.jdbc.JdbcBackend;
import slick.jdbc.hikaricp.HikariCPJdbcDataSource;

/** Plain JDBC connections out of the one pool that the journal, snapshots and projections of this node share. */
public final class Pool implements Connections {
    private final JdbcBackend.DatabaseDef database;

    private Pool(JdbcBackend.DatabaseDef database) {
        this.database = database;
    }

    /** The actor system closes the pool when it ends. */
    public static Pool of(ActorSystem<?> system) {
        // the static type is wider than what the extension is
        SlickExtensionImpl slick = (SlickExtensionImpl) SlickExtension.get(system);
        return new Pool(slick.database(system.settings().config().getConfig("jdbc-journal"))
                .database());
    }

    /**
     * Closes every connection that was opened before now, those in use when they come back. The pool itself does not see
     * when an embedded database has closed itself: its driver says of every old connection that it is valid.
     */
    public void forgetConnections() {
        HikariDataSource pool = ((HikariCPJdbcDataSource) database.source()).ds();
        if (pool.getHikariPoolMXBean() != null) {
            pool.getHikariPoolMXBean().softEvictConnections();
        }
    }

    /** Waits up to {@code connectionTimeout} for a free one. */
    @Override
    public Connection open() throws SQLException {
        return database.source().createConnection();
    }
}
