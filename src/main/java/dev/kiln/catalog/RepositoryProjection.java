package dev.kiln.catalog;

import akka.actor.typed.ActorSystem;
import akka.persistence.jdbc.query.javadsl.JdbcReadJournal;
import akka.persistence.query.Offset;
import akka.persistence.typed.PersistenceId;
import akka.projection.ProjectionBehavior;
import akka.projection.ProjectionId;
import akka.projection.eventsourced.EventEnvelope;
import akka.projection.eventsourced.javadsl.EventSourcedProvider;
import akka.projection.javadsl.ExactlyOnceProjection;
import akka.projection.javadsl.SourceProvider;
import akka.projection.jdbc.javadsl.JdbcHandler;
import akka.projection.jdbc.javadsl.JdbcProjection;
import dev.kiln.journal.Connections;
import dev.kiln.repository.RepositoryEvent;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;

/**
 * Keeps table {@code pushed_repositories} up to date with the journal: each tag is read by one node of the cluster, and its
 * offset moves in the transaction that changes the row.
 */
public final class RepositoryProjection {
    private static final String NAME = "repositories";

    private RepositoryProjection() {}

    /**
     * Starts it, on every node of the cluster alike.
     *
     * @param tags all the tags under which repositories keep their events; their number is fixed for ever
     */
    public static void init(ActorSystem<?> system, Connections connections, List<String> tags) {
        DaemonProcesses.init(
                system,
                "catalog-repositories",
                tags.size(),
                i -> ProjectionBehavior.create(projection(system, connections, tags.get(i))));
    }

    /** As {@link BuildProjection#reset}. */
    public static void reset(Connections connections) throws SQLException {
        try (Connection connection = connections.open()) {
            connection.setAutoCommit(false);
            try (PreparedStatement rows = connection.prepareStatement("DELETE FROM pushed_repositories");
                    PreparedStatement offsets = connection.prepareStatement(
                            "DELETE FROM akka_projection_offset_store WHERE projection_name = ?")) {
                rows.executeUpdate();
                offsets.setString(1, NAME);
                offsets.executeUpdate();
                connection.commit();
            } catch (SQLException e) {
                connection.rollback();
                throw e;
            }
        }
    }

    private static ExactlyOnceProjection<Offset, EventEnvelope<RepositoryEvent>> projection(
            ActorSystem<?> system, Connections connections, String tag) {
        SourceProvider<Offset, EventEnvelope<RepositoryEvent>> events =
                EventSourcedProvider.eventsByTag(system, JdbcReadJournal.Identifier(), tag);
        return JdbcProjection.exactlyOnce(
                ProjectionId.of(NAME, tag), events, () -> new ProjectionSession(connections), Handler::new, system);
    }

    /** Runs on the projection's own blocking dispatcher. */
    static final class Handler extends JdbcHandler<EventEnvelope<RepositoryEvent>, ProjectionSession> {
        @Override
        public void process(ProjectionSession session, EventEnvelope<RepositoryEvent> envelope) throws Exception {
            Optional<Boolean> filled = filled(envelope.event());
            if (filled.isPresent()) {
                String name = PersistenceId.ofUniqueId(envelope.persistenceId()).entityId();
                store(session.connection(), name, filled.get(), envelope.sequenceNr());
            }
        }

        private static Optional<Boolean> filled(RepositoryEvent event) {
            if (event instanceof RepositoryEvent.ManifestPushed) {
                return Optional.of(true);
            }
            return event instanceof RepositoryEvent.ManifestDeleted deleted
                    ? Optional.of(deleted.left() > 0)
                    : Optional.empty();
        }

        /** An event that comes after a later one changes nothing. */
        private static void store(Connection connection, String name, boolean filled, long seq) throws SQLException {
            try (PreparedStatement update = connection.prepareStatement(
                            "UPDATE pushed_repositories SET filled = ?, seq = ? WHERE name = ? AND seq < ?");
                    PreparedStatement insert = connection.prepareStatement(
                            "INSERT INTO pushed_repositories (name, filled, seq) VALUES (?, ?, ?)"
                                    + " ON CONFLICT DO NOTHING")) {
                update.setBoolean(1, filled);
                update.setLong(2, seq);
                update.setString(3, name);
                update.setLong(4, seq);
                if (update.executeUpdate() == 0) {
                    insert.setString(1, name);
                    insert.setBoolean(2, filled);
                    insert.setLong(3, seq);
                    insert.executeUpdate();
                }
            }
        }
    }
}
