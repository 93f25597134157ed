package dev.kiln.journal;

import dev.kiln.config.KilnConfig;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Optional;
import java.util.Properties;
import java.util.UUID;

/**
 * The claim of this process to be the only one that writes to a journal. Two nodes that do not form one cluster would each
 * be the single writer of the same entities. In PostgreSQL the claim is an advisory lock, which the database itself ends
 * with the connection; an embedded database locks itself. A row tells a process whose connection was cut whether another
 * one was there meanwhile.
 *
 * <p>Everything blocks on the database, in PostgreSQL for some seconds at most. Not thread-safe.
 */
public final class OnlyNode implements DatabaseWatch.Claim {
    /** Any number, the same in every Kiln: "KILN" in ASCII. */
    private static final long LOCK = 0x4b494c4eL;

    private static final String SECONDS = "5";

    private final KilnConfig.Database database;
    private final String holder = UUID.randomUUID().toString();
    private Optional<Connection> connection = Optional.empty();
    /** Of the session that held the lock last; 0 before there was one. */
    private int backend;

    private OnlyNode(KilnConfig.Database database) {
        this.database = database;
    }

    /**
     * Keeps others away from the database, before anything in it is changed.
     *
     * @throws CannotStart when another node holds the claim, or the database cannot be reached
     */
    public static OnlyNode claim(KilnConfig.Database database) {
        OnlyNode node = new OnlyNode(database);
        if (!database.embedded()) {
            try {
                if (!node.lock()) {
                    throw new CannotStart("another node uses this database: this version runs one node, so stop the"
                            + " other or give this one a database of its own");
                }
            } catch (SQLException e) {
                throw new CannotStart(
                        "could not reach the database to claim it: "
                                + String.valueOf(e.getMessage())
                                        .replaceAll("\\s+", " ")
                                        .strip(),
                        e);
            }
        }
        return node;
    }

    /**
     * Writes the claim down, when the tables are there.
     *
     * @throws CannotStart when that fails
     */
    public void sign() {
        try {
            Connection mine = connection();
            if (update(mine, "UPDATE claim SET holder = ? WHERE id = 1", holder) == 0) {
                update(mine, "INSERT INTO claim (id, holder) VALUES (1, ?)", holder);
            }
        } catch (SQLException e) {
            throw new CannotStart("could not write to the database: " + DatabaseWatch.reason(e), e);
        }
    }

    /**
     * On the connection that holds the claim: when it answers, nobody else can have it. A PostgreSQL that can only be read,
     * since it was made a standby or an operator said so, is of no use and counts as away.
     */
    @Override
    public void check() throws SQLException {
        String question = database.embedded() ? "SELECT 'off'" : "SELECT current_setting('transaction_read_only')";
        try (Statement statement = connection().createStatement();
                ResultSet readOnly = statement.executeQuery(question)) {
            readOnly.next();
            if (!readOnly.getString(1).equals("off")) {
                throw new SQLException("the database can only be read", "25006");
            }
        }
    }

    @Override
    public boolean renew() throws SQLException {
        close();
        if (database.embedded() || lock()) {
            // a write, since a database that can only be read is of no use
            return update(connection(), "UPDATE claim SET holder = ? WHERE id = 1 AND holder = ?", holder, holder) == 1;
        }
        try (Connection other = open()) {
            if (!isMine(other)) {
                return false;
            }
            endFormerSession(other);
        }
        throw new SQLException("the session that was cut still holds the claim", "55P03");
    }

    private boolean lock() throws SQLException {
        Connection candidate = open();
        boolean locked = false;
        try (Statement statement = candidate.createStatement();
                ResultSet answer =
                        statement.executeQuery("SELECT pg_try_advisory_lock(" + LOCK + "), pg_backend_pid()")) {
            answer.next();
            locked = answer.getBoolean(1);
            if (locked) {
                backend = answer.getInt(2);
                connection = Optional.of(candidate);
            }
            return locked;
        } finally {
            if (!locked) {
                candidate.close();
            }
        }
    }

    private boolean isMine(Connection other) throws SQLException {
        try (Statement statement = other.createStatement();
                ResultSet row = statement.executeQuery("SELECT holder FROM claim WHERE id = 1")) {
            return row.next() && row.getString(1).equals(holder);
        }
    }

    /** The database may learn only after hours that the other end of a connection is gone. */
    private void endFormerSession(Connection other) throws SQLException {
        try (PreparedStatement end = other.prepareStatement("SELECT pg_terminate_backend(pid) FROM pg_locks"
                + " WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = ? AND pid = ?")) {
            end.setLong(1, LOCK);
            end.setInt(2, backend);
            end.execute();
        }
    }

    private static int update(Connection connection, String sql, String... values) throws SQLException {
        try (PreparedStatement update = connection.prepareStatement(sql)) {
            for (int i = 0; i < values.length; i++) {
                update.setString(i + 1, values[i]);
            }
            return update.executeUpdate();
        }
    }

    private Connection connection() throws SQLException {
        if (connection.isEmpty()) {
            connection = Optional.of(open());
        }
        return connection.get();
    }

    private Connection open() throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", database.user());
        properties.setProperty("password", database.password());
        if (!database.embedded()) {
            properties.setProperty("connectTimeout", SECONDS);
            properties.setProperty("loginTimeout", SECONDS);
            properties.setProperty("socketTimeout", SECONDS);
        }
        return DriverManager.getConnection(database.url(), properties);
    }

    /** Gives the claim back. */
    @Override
    public void close() throws SQLException {
        if (connection.isPresent()) {
            Connection old = connection.get();
            connection = Optional.empty();
            old.close();
        }
    }
}
