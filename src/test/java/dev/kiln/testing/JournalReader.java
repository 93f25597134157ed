package dev.kiln.testing;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.kiln.build.BuildEvent;
import dev.kiln.build.QueueEvent;
import dev.kiln.image.TagEvent;
import dev.kiln.repository.RepositoryEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The events that a server which has ended, well or not, left in its database. Of an embedded one it reads a copy, so that
 * the next start finds the database as it was left.
 */
public final class JournalReader {
    private static final JsonMapper JSON = JsonMapper.builder()
            .findAndAddModules()
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
            .build();

    private final Map<String, List<Object>> events = new TreeMap<>();
    private final int rows;

    private JournalReader(Connection connection) throws SQLException, IOException {
        int count = 0;
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery("SELECT persistence_id, sequence_number, event_payload"
                        + " FROM event_journal ORDER BY persistence_id, sequence_number")) {
            while (rows.next()) {
                String id = rows.getString(1);
                List<Object> ofOne = events.computeIfAbsent(id, x -> new ArrayList<>());
                if (rows.getLong(2) != ofOne.size() + 1) {
                    throw new AssertionError("the journal of " + id + " has a gap before " + rows.getLong(2));
                }
                ofOne.add(JSON.readValue(rows.getBytes(3), family(id)));
                count++;
            }
        }
        this.rows = count;
    }

    private static Class<?> family(String id) {
        return switch (id.substring(0, id.indexOf('|'))) {
            case "Build" -> BuildEvent.class;
            case "Tag" -> TagEvent.class;
            case "BuildQueue" -> QueueEvent.class;
            case "Repository" -> RepositoryEvent.class;
            default -> throw new AssertionError("an entity that nobody expects: " + id);
        };
    }

    /** @param dataDir of a server that does not run */
    public static JournalReader read(Path dataDir) {
        try {
            Path copy = Files.createTempDirectory("journal");
            try {
                Files.copy(dataDir.resolve("journal.mv.db"), copy.resolve("journal.mv.db"));
                String url = "jdbc:h2:file:" + copy.resolve("journal") + ";MODE=PostgreSQL;DATABASE_TO_LOWER=TRUE";
                try (Connection connection = DriverManager.getConnection(url, "kiln", "")) {
                    return new JournalReader(connection);
                }
            } finally {
                try (var files = Files.list(copy)) {
                    for (Path file : files.toList()) {
                        Files.delete(file);
                    }
                }
                Files.delete(copy);
            }
        } catch (IOException | SQLException e) {
            throw new IllegalStateException("could not read the journal", e);
        }
    }

    public static JournalReader read(String url, String user, String password) {
        try (Connection connection = DriverManager.getConnection(url, user, password)) {
            return new JournalReader(connection);
        } catch (IOException | SQLException e) {
            throw new IllegalStateException("could not read the journal", e);
        }
    }

    public int rows() {
        return rows;
    }

    /** The events of each entity of a type, by the entity's id. */
    public <E> Map<String, List<E>> of(String type, Class<E> family) {
        Map<String, List<E>> found = new TreeMap<>();
        events.forEach((id, all) -> {
            if (id.startsWith(type + "|")) {
                found.put(
                        id.substring(type.length() + 1),
                        all.stream().map(family::cast).toList());
            }
        });
        return found;
    }

    public Map<String, List<BuildEvent>> builds() {
        return of("Build", BuildEvent.class);
    }

    public Map<String, List<TagEvent>> tags() {
        return of("Tag", TagEvent.class);
    }

    public Map<String, List<RepositoryEvent>> repositories() {
        return of("Repository", RepositoryEvent.class);
    }

    public List<QueueEvent> queue() {
        return of("BuildQueue", QueueEvent.class).getOrDefault("queue", List.of());
    }
}
