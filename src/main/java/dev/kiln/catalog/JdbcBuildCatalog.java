package dev.kiln.catalog;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.build.BuildFailure;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildTimes;
import dev.kiln.build.FailureClass;
import dev.kiln.journal.Connections;
import dev.kiln.oci.BuildKey;
import dev.kiln.oci.Descriptor;
import dev.kiln.oci.Digest;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.io.IOException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.regex.Pattern;

/** The catalog out of the tables {@code builds} and {@code event_journal}. Thread-safe. */
public final class JdbcBuildCatalog implements BuildCatalog {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern REVISION_PREFIX = Pattern.compile("[0-9a-f]{4,64}");
    private static final int MAX_LIMIT = 1000;
    private static final int MAX_EVENTS = 10_000;
    private static final int MAX_SAMPLES = 20;
    private static final int QUERY_SECONDS = 10;
    private static final String COLUMNS = "id, phase, request, attempt, requested_at, started_at, ended_at, not_before,"
            + " builder, worker, client, address, reference, failure_class, failure_message, failure_until,"
            + " manifest_digest, manifest_media_type, manifest_size";

    private final Connections connections;
    private final Executor blocking;

    /** @param blocking runs the queries; bounded, and what it rejects is answered with 503 */
    public JdbcBuildCatalog(Connections connections, Executor blocking) {
        this.connections = connections;
        this.blocking = blocking;
    }

    @Override
    public CompletionStage<Page> list(Filter filter, int limit, Optional<String> after) {
        return query(connection -> list(connection, filter, limit, after.map(PageStart::parse)));
    }

    @Override
    public CompletionStage<Optional<Row>> find(BuildKey key) {
        return query(connection -> {
            try (PreparedStatement select =
                    prepare(connection, "SELECT " + COLUMNS + " FROM builds WHERE id = ?", List.of(key.toString()))) {
                List<Row> rows = rows(select);
                return rows.isEmpty() ? Optional.empty() : Optional.of(rows.get(0));
            }
        });
    }

    /** {@inheritDoc} Of a build with more than 10,000 events, the newest. */
    @Override
    public CompletionStage<List<JsonNode>> events(BuildKey key) {
        return query(connection -> {
            try (PreparedStatement select = prepare(
                            connection,
                            "SELECT sequence_number, write_timestamp, event_payload FROM (SELECT sequence_number,"
                                    + " write_timestamp, event_payload FROM event_journal WHERE persistence_id = ?"
                                    + " ORDER BY sequence_number DESC LIMIT " + MAX_EVENTS + ") newest"
                                    + " ORDER BY sequence_number",
                            List.of("Build|" + key));
                    ResultSet row = select.executeQuery()) {
                List<JsonNode> events = new ArrayList<>();
                while (row.next()) {
                    events.add(event(key, row));
                }
                return List.copyOf(events);
            }
        });
    }

    /**
     * How long the last successful builds of a repository took, by platform: the medians of at most 20 of each, among its
     * last 1000 builds.
     */
    public CompletionStage<Map<Platform, BuildTimes>> usualTimes(RepositoryName repository) {
        return query(connection -> {
            // the inner query can use an index, and bounds what a repository of failures costs
            try (PreparedStatement select = prepare(
                            connection,
                            "SELECT platform, requested_at, started_at, ended_at FROM (SELECT platform, phase,"
                                    + " requested_at, started_at, ended_at, id FROM builds WHERE repository = ?"
                                    + " ORDER BY requested_at DESC, id LIMIT " + MAX_LIMIT + ") newest"
                                    + " WHERE phase = '" + BuildStatus.Phase.BUILT + "'"
                                    + " ORDER BY requested_at DESC, id",
                            List.of(repository.value()));
                    ResultSet row = select.executeQuery()) {
                Map<Platform, List<BuildTimes>> builds = new HashMap<>();
                while (row.next()) {
                    List<BuildTimes> times =
                            builds.computeIfAbsent(Platform.of(row.getString("platform")), p -> new ArrayList<>());
                    if (times.size() < MAX_SAMPLES) {
                        times(row).ifPresent(times::add);
                    }
                }
                Map<Platform, BuildTimes> usual = new HashMap<>();
                builds.forEach(
                        (platform, times) -> BuildTimes.usual(times).ifPresent(median -> usual.put(platform, median)));
                return Map.copyOf(usual);
            }
        });
    }

    private static Optional<BuildTimes> times(ResultSet row) throws SQLException {
        Optional<Instant> requestedAt = instant(row, "requested_at");
        Optional<Instant> startedAt = instant(row, "started_at");
        Optional<Instant> endedAt = instant(row, "ended_at");
        // clocks of two nodes may differ: such a build tells nothing
        return startedAt
                .filter(start -> !start.isBefore(requestedAt.orElse(start)))
                .filter(start -> !start.isAfter(endedAt.orElse(Instant.MIN)))
                .map(start -> new BuildTimes(
                        Duration.between(requestedAt.orElse(start), start), Duration.between(start, endedAt.get())));
    }

    private static Page list(Connection connection, Filter filter, int limit, Optional<PageStart> after)
            throws SQLException {
        if (limit < 1 || limit > MAX_LIMIT) {
            throw invalid("a page has 1 to " + MAX_LIMIT + " builds");
        }
        List<String> conditions = new ArrayList<>();
        List<Object> values = new ArrayList<>();
        filter.repository().ifPresent(repository -> {
            conditions.add("repository = ?");
            values.add(repository);
        });
        filter.revision().ifPresent(prefix -> {
            if (!REVISION_PREFIX.matcher(prefix).matches()) {
                throw invalid("a revision is given by 4 to 64 lower-case hex digits");
            }
            // a range can use the index in every collation, LIKE cannot; "g" follows every hex digit
            conditions.add("revision >= ? AND revision < ?");
            values.add(prefix);
            values.add(prefix + "g");
        });
        filter.platform().ifPresent(platform -> {
            conditions.add("platform = ?");
            values.add(platform);
        });
        filter.phase().ifPresent(phase -> {
            conditions.add("phase = ?");
            values.add(phase.name());
        });
        after.ifPresent(start -> {
            OffsetDateTime at = start.requestedAt().atOffset(ZoneOffset.UTC);
            conditions.add("requested_at <= ? AND (requested_at < ? OR id > ?)");
            values.add(at);
            values.add(at);
            values.add(start.key().toString());
        });
        String sql = "SELECT " + COLUMNS + " FROM builds"
                + (conditions.isEmpty() ? "" : " WHERE " + String.join(" AND ", conditions))
                + " ORDER BY requested_at DESC, id LIMIT " + (limit + 1);
        try (PreparedStatement select = prepare(connection, sql, values)) {
            List<Row> rows = rows(select);
            if (rows.size() <= limit) {
                return new Page(rows, Optional.empty());
            }
            List<Row> page = List.copyOf(rows.subList(0, limit));
            BuildStatus last = page.get(limit - 1).status();
            return new Page(page, Optional.of(new PageStart(last.requestedAt().orElseThrow(), last.key()).text()));
        }
    }

    private static List<Row> rows(PreparedStatement select) throws SQLException {
        try (ResultSet row = select.executeQuery()) {
            List<Row> rows = new ArrayList<>();
            while (row.next()) {
                rows.add(row(row));
            }
            return rows;
        }
    }

    private static Row row(ResultSet row) throws SQLException {
        Optional<Instant> endedAt = instant(row, "ended_at");
        Optional<Instant> until = instant(row, "failure_until");
        String digest = row.getString("manifest_digest");
        String failureClass = row.getString("failure_class");
        Optional<Descriptor> manifest = digest == null
                ? Optional.empty()
                : Optional.of(new Descriptor(
                        row.getString("manifest_media_type"), new Digest(digest), row.getLong("manifest_size")));
        Optional<BuildFailure> failure = failureClass == null
                ? Optional.empty()
                : Optional.of(new BuildFailure(
                        FailureClass.valueOf(failureClass),
                        row.getString("failure_message"),
                        endedAt.orElseThrow(),
                        until));
        BuildStatus status = new BuildStatus(
                BuildKey.of(row.getString("id")),
                BuildStatus.Phase.valueOf(row.getString("phase")),
                row.getInt("request"),
                row.getInt("attempt"),
                instant(row, "requested_at"),
                instant(row, "started_at"),
                endedAt,
                instant(row, "not_before"),
                manifest,
                failure);
        return new Row(
                status,
                row.getString("builder"),
                Objects.requireNonNullElse(row.getString("worker"), ""),
                row.getString("client"),
                row.getString("address"),
                row.getString("reference"));
    }

    private static Optional<Instant> instant(ResultSet row, String column) throws SQLException {
        return Optional.ofNullable(row.getObject(column, OffsetDateTime.class)).map(OffsetDateTime::toInstant);
    }

    private static JsonNode event(BuildKey key, ResultSet row) throws SQLException {
        long seq = row.getLong(1);
        try {
            ObjectNode event = JSON.createObjectNode();
            event.put("seq", seq);
            event.put("timestamp", Instant.ofEpochMilli(row.getLong(2)).toString());
            if (JSON.readTree(row.getBytes(3)) instanceof ObjectNode stored) {
                return event.setAll(stored);
            }
            throw new IOException("not a JSON object");
        } catch (IOException e) {
            // a parser's message quotes what it could not parse
            String reason = e instanceof JsonProcessingException parse ? parse.getOriginalMessage() : e.getMessage();
            throw new Problem(
                    ProblemCode.INTERNAL, "could not read event " + seq + " of build " + key + ": " + reason, e);
        }
    }

    private static PreparedStatement prepare(Connection connection, String sql, List<Object> values)
            throws SQLException {
        PreparedStatement statement = connection.prepareStatement(sql);
        try {
            statement.setQueryTimeout(QUERY_SECONDS);
            for (int i = 0; i < values.size(); i++) {
                statement.setObject(i + 1, values.get(i));
            }
            return statement;
        } catch (SQLException e) {
            statement.close();
            throw e;
        }
    }

    private <A> CompletionStage<A> query(Query<A> query) {
        CompletableFuture<A> answer = new CompletableFuture<>();
        try {
            blocking.execute(() -> {
                try (Connection connection = connections.open()) {
                    answer.complete(query.run(connection));
                } catch (SQLException e) {
                    answer.completeExceptionally(new Problem(
                            ProblemCode.UNAVAILABLE, "could not ask the database for builds: try again", e));
                } catch (RuntimeException e) {
                    answer.completeExceptionally(e);
                }
            });
        } catch (RejectedExecutionException e) {
            answer.completeExceptionally(new Problem(
                    ProblemCode.UNAVAILABLE, "too many people ask for builds at once: try again in a moment", e));
        }
        return answer;
    }

    private static Problem invalid(String message) {
        return new Problem(ProblemCode.REQUEST_INVALID, "could not list builds: " + message);
    }

    @FunctionalInterface
    private interface Query<A> {
        A run(Connection connection) throws SQLException;
    }
}
