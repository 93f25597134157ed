package dev.kiln.catalog;

import dev.kiln.build.BuildEvent;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.oci.BuildKey;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** What each event changes in its build's row of table {@code builds}. Blocks; the caller owns the transaction. */
final class BuildRows {
    private static final int SHORT = 256;
    private static final int WORKER = 512;
    private static final int MESSAGE = 1024;

    private BuildRows() {}

    /** The sequence number of the last event in the build's row; 0 without a row. */
    static long lastApplied(Connection connection, BuildKey key) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT seq FROM builds WHERE id = ?")) {
            select.setString(1, key.toString());
            try (ResultSet row = select.executeQuery()) {
                return row.next() ? row.getLong(1) : 0;
            }
        }
    }

    /**
     * Brings the row from the event before to this one.
     *
     * @param seq the event's sequence number
     */
    static void apply(Connection connection, BuildKey key, long seq, BuildEvent event) throws SQLException {
        if (event instanceof BuildEvent.Requested e) {
            if (lastApplied(connection, key) == 0) {
                insert(connection, key, e.at());
            }
            update(
                    connection,
                    key,
                    seq,
                    "phase = ?, request = ?, requested_at = ?, started_at = NULL, ended_at = NULL, not_before = NULL,"
                            + " builder = ?, worker = NULL, client = ?, address = ?, hint = ?, reference = ?,"
                            + " failure_class = NULL, failure_message = NULL, failure_until = NULL,"
                            + " manifest_digest = NULL, manifest_media_type = NULL, manifest_size = NULL",
                    Phase.QUEUED.name(),
                    e.request(),
                    e.at(),
                    text(e.input().builder(), SHORT),
                    text(e.cause().client(), SHORT),
                    text(e.cause().address(), SHORT),
                    text(e.cause().hint(), SHORT),
                    text(e.cause().reference(), SHORT));
        } else if (event instanceof BuildEvent.AttemptStarted e) {
            update(
                    connection,
                    key,
                    seq,
                    "phase = ?, attempt = ?, started_at = ?, not_before = NULL, worker = ?",
                    Phase.RUNNING.name(),
                    e.attempt(),
                    e.at(),
                    text(e.worker(), WORKER));
        } else if (event instanceof BuildEvent.AttemptFailed e) {
            update(connection, key, seq, "phase = ?, not_before = ?", Phase.QUEUED.name(), e.retryAt());
        } else if (event instanceof BuildEvent.AttemptLost) {
            update(connection, key, seq, "phase = ?, not_before = NULL", Phase.QUEUED.name());
        } else if (event instanceof BuildEvent.Built e) {
            update(
                    connection,
                    key,
                    seq,
                    "phase = ?, ended_at = ?, manifest_digest = ?, manifest_media_type = ?, manifest_size = ?",
                    Phase.BUILT.name(),
                    e.at(),
                    e.manifest().digest().value(),
                    text(e.manifest().mediaType(), SHORT),
                    e.manifest().size());
        } else if (event instanceof BuildEvent.Failed e) {
            update(
                    connection,
                    key,
                    seq,
                    "phase = ?, ended_at = ?, not_before = NULL,"
                            + " failure_class = ?, failure_message = ?, failure_until = ?",
                    Phase.FAILED.name(),
                    e.at(),
                    e.failureClass().name(),
                    text(e.message(), MESSAGE),
                    e.until());
        } else if (event instanceof BuildEvent.ResultDiscarded) {
            update(connection, key, seq, "attempt = attempt");
        } else {
            throw new IllegalStateException("every event is one of the above");
        }
    }

    private static void insert(Connection connection, BuildKey key, Instant at) throws SQLException {
        execute(
                connection,
                "INSERT INTO builds (id, repository, revision, platform, phase, request, attempt, requested_at,"
                        + " builder, client, address, hint, reference, seq)"
                        + " VALUES (?, ?, ?, ?, ?, 0, 0, ?, '', '', '', '', '', 0)",
                List.of(
                        key.toString(),
                        key.repository().value(),
                        key.revision().value(),
                        key.platform().toString(),
                        Phase.NEW.name(),
                        at));
    }

    private static void update(Connection connection, BuildKey key, long seq, String assignments, Object... values)
            throws SQLException {
        List<Object> all = new ArrayList<>(Arrays.asList(values));
        all.add(seq);
        all.add(key.toString());
        int rows = execute(connection, "UPDATE builds SET " + assignments + ", seq = ? WHERE id = ?", all);
        if (rows != 1) {
            throw new SQLException("could not apply event " + seq + " of build " + key + ": it has " + rows + " rows");
        }
    }

    private static int execute(Connection connection, String sql, List<Object> values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.size(); i++) {
                Object value = values.get(i) instanceof Optional<?> optional ? optional.orElse(null) : values.get(i);
                statement.setObject(i + 1, value instanceof Instant at ? at.atOffset(ZoneOffset.UTC) : value);
            }
            return statement.executeUpdate();
        }
    }

    /** As much of it as its column takes: no event may ever stop the projection by a value that is too long or odd. */
    private static String text(String value, int max) {
        String storable = value.replace('\0', '?');
        return storable.length() <= max ? storable : storable.substring(0, max);
    }
}
