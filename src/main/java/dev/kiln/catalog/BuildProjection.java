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
import akka.serialization.Serialization;
import akka.serialization.SerializationExtension;
import dev.kiln.build.BuildEvent;
import dev.kiln.journal.Connections;
import dev.kiln.oci.BuildKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps table {@code builds} up to date with the journal: each tag is read by one node of the cluster, and its offset moves
 * in the transaction that changes the row. An event that cannot be applied holds up its tag, with back-off and an error in
 * the log each time ({@code akka.projection}), and is never skipped.
 */
public final class BuildProjection {
    private static final Logger LOG = LoggerFactory.getLogger(BuildProjection.class);
    private static final String NAME = "builds";

    private BuildProjection() {}

    /**
     * Starts it, on every node of the cluster alike.
     *
     * @param tags all the tags under which builds keep their events; their number is fixed for ever
     */
    public static void init(ActorSystem<?> system, Connections connections, List<String> tags) {
        DaemonProcesses.init(
                system,
                "catalog-builds",
                tags.size(),
                i -> ProjectionBehavior.create(projection(system, connections, tags.get(i))));
    }

    /**
     * Forgets what was made of the journal, so that the next start makes it anew. Only while no node runs: one that does
     * would go on from where it is. Blocks.
     */
    public static void reset(Connections connections) throws SQLException {
        try (Connection connection = connections.open()) {
            connection.setAutoCommit(false);
            try (PreparedStatement rows = connection.prepareStatement("DELETE FROM builds");
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

    private static ExactlyOnceProjection<Offset, EventEnvelope<BuildEvent>> projection(
            ActorSystem<?> system, Connections connections, String tag) {
        SourceProvider<Offset, EventEnvelope<BuildEvent>> events =
                EventSourcedProvider.eventsByTag(system, JdbcReadJournal.Identifier(), tag);
        Serialization serialization = SerializationExtension.get(system);
        return JdbcProjection.exactlyOnce(
                ProjectionId.of(NAME, tag),
                events,
                () -> new ProjectionSession(connections),
                () -> new Handler(serialization),
                system);
    }

    /** Runs on the projection's own blocking dispatcher. */
    static final class Handler extends JdbcHandler<EventEnvelope<BuildEvent>, ProjectionSession> {
        private final Serialization serialization;

        Handler(Serialization serialization) {
            this.serialization = serialization;
        }

        @Override
        public void process(ProjectionSession session, EventEnvelope<BuildEvent> envelope) throws Exception {
            String persistenceId = envelope.persistenceId();
            BuildKey key = BuildKey.of(PersistenceId.ofUniqueId(persistenceId).entityId());
            Connection connection = session.connection();
            long last = BuildRows.lastApplied(connection, key);
            if (envelope.sequenceNr() <= last) {
                return;
            }
            if (envelope.sequenceNr() > last + 1) {
                applyMissing(connection, persistenceId, key, last, envelope.sequenceNr());
            }
            BuildRows.apply(connection, key, envelope.sequenceNr(), envelope.event());
        }

        /**
         * The query by tag passes over events whose transaction took longer than it waits for a gap. A build's own numbers
         * have no gaps, so they show it, and the journal still has what was missed.
         */
        private void applyMissing(Connection connection, String persistenceId, BuildKey key, long after, long before)
                throws SQLException {
            LOG.info("events {} to {} of build {} came late: reading them again", after + 1, before - 1, key);
            try (PreparedStatement select = connection.prepareStatement(
                    "SELECT sequence_number, event_payload, event_ser_id, event_ser_manifest"
                            + " FROM event_journal WHERE persistence_id = ? AND sequence_number > ?"
                            + " AND sequence_number < ? ORDER BY sequence_number")) {
                select.setString(1, persistenceId);
                select.setLong(2, after);
                select.setLong(3, before);
                try (ResultSet row = select.executeQuery()) {
                    while (row.next()) {
                        Object event = serialization
                                .deserialize(row.getBytes(2), row.getInt(3), row.getString(4))
                                .get();
                        BuildRows.apply(connection, key, row.getLong(1), (BuildEvent) event);
                    }
                }
            }
        }
    }
}
