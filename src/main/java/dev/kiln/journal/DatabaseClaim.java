package dev.kiln.journal;

import dev.kiln.config.KilnConfig;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Properties;
import java.util.UUID;

/**
 * The claim of one cluster to be the only one that writes to a journal. Two clusters would each be the single writer of the
 * same entities. In PostgreSQL the claim is two advisory locks, which the database itself ends with the connection; an
 * embedded database locks itself.
 *
 * <ul>
 *   <li>{@code PRESENCE}: every process that writes. A node that is a cluster of itself holds it alone, the nodes of a
 *       cluster share it.
 *   <li>{@code MEMBERSHIP}: shared by all that are members of a cluster, or about to be. Who holds it alone may form one.
 * </ul>
 *
 * <p>A row names the cluster that has the claim: a node whose connection was cut reads there whether another one was formed
 * meanwhile. Why this suffices stands in docs/decisions/0018.
 *
 * <p>Everything blocks on the database, in PostgreSQL for some seconds at most, and half a minute at the start. Thread-safe.
 */
public final class DatabaseClaim implements DatabaseWatch.Claim {
    /** Any numbers, the same in every Kiln: "KILN" in ASCII and its next. */
    private static final long PRESENCE = 0x4b494c4eL;

    private static final long MEMBERSHIP = PRESENCE + 1;

    /** For the network and the database, for each step. */
    private static final String SECONDS = "5";

    /** For all of a login, of which a process that has just begun does most, on a machine where all nodes may be starting. */
    private static final int FIRST_LOGIN = 30;

    private static final int LOGIN = 5;

    /** Longer than the members of a running cluster take to lock again after the database has cut them all. */
    private static final Duration UNCLAIMED = Duration.ofSeconds(5);

    private static final String LOCK_HELD = "55P03";

    /** What came of the wish to join others. */
    public enum Joining {
        /** They are of the cluster that has the claim, and this node now shares it. */
        ADMITTED,
        /** A cluster is being formed at this moment. */
        LATER,
        /** They are of no cluster, or of one that has lost the claim. */
        STRANGERS
    }

    private final KilnConfig.Database database;
    private final boolean shared;
    private final String self;
    private Optional<Connection> connection = Optional.empty();
    /** What the row must say as long as this process may write: its own id, or the cluster's once it has joined. */
    private Optional<String> holder;
    /** Of the session that held the lock last; 0 before there was one. */
    private int backend;
    /** Since when every try found no member of any cluster; as {@link System#nanoTime}. */
    private OptionalLong unclaimedSince = OptionalLong.empty();

    private DatabaseClaim(KilnConfig.Database database, boolean shared, String self) {
        this.database = database;
        this.shared = shared;
        this.self = self;
        this.holder = shared ? Optional.empty() : Optional.of(UUID.randomUUID().toString());
    }

    /**
     * Keeps everybody else away from the database, before anything in it is changed.
     *
     * @throws CannotStart when another node uses it, or it cannot be reached
     */
    public static DatabaseClaim alone(KilnConfig.Database database) {
        return new DatabaseClaim(database, false, "").begin();
    }

    /**
     * Keeps nodes away that would be alone, before anything in the database is changed. {@link #form} or {@link #join} must
     * follow before anything is written on a cluster's behalf.
     *
     * @param self the address by which the nodes of this cluster know this one
     * @throws CannotStart when a node by itself uses it, or it cannot be reached
     */
    public static DatabaseClaim shared(KilnConfig.Database database, String self) {
        return new DatabaseClaim(database, true, self).begin();
    }

    private synchronized DatabaseClaim begin() {
        if (database.embedded()) {
            return this;
        }
        try {
            if (lock(FIRST_LOGIN)) {
                return this;
            }
        } catch (SQLException e) {
            throw new CannotStart("could not reach the database to claim it: " + messages(e), e);
        }
        throw new CannotStart(
                shared
                        ? "a node that is a cluster of itself (cluster.discovery = none) uses this database: stop it, or"
                                + " make it one of this cluster's"
                        : "another node uses this database: give this one a database of its own, or make both nodes of"
                                + " one cluster (cluster.discovery)");
    }

    /** On one line: the driver says that it failed, and its cause, if it says anything, why. */
    private static String messages(SQLException e) {
        String cause = Optional.ofNullable(e.getCause())
                .map(Throwable::getMessage)
                .map(why -> " (" + why + ")")
                .orElse("");
        return (e.getMessage() + cause).replaceAll("\\s+", " ").strip();
    }

    /**
     * Writes down that this process alone has the claim, when the tables are there.
     *
     * @throws CannotStart when that fails
     */
    public synchronized void sign() {
        try {
            write(connection(), holder.orElseThrow());
        } catch (SQLException e) {
            throw new CannotStart("could not write to the database: " + DatabaseWatch.reason(e), e);
        }
    }

    /**
     * Takes the claim for a cluster that this node forms, unless another one has it, or had it some seconds ago: asked again,
     * it finds out. Idempotent.
     *
     * @return whether this node may form a cluster, and shares its claim from now on
     * @throws IllegalStateException when the database cannot be asked
     */
    public synchronized boolean form() {
        if (holder.isPresent()) {
            return true;
        }
        try {
            return tryToForm();
        } catch (SQLException e) {
            throw unknown(e);
        }
    }

    private static IllegalStateException unknown(SQLException e) {
        return new IllegalStateException("cannot ask the database which cluster has claimed it", e);
    }

    private boolean tryToForm() throws SQLException {
        Connection mine = connection();
        if (!lock(mine, "pg_try_advisory_lock", MEMBERSHIP)) {
            unclaimedSince = OptionalLong.empty();
            return false;
        }
        try {
            if (hadOthers(mine) && !isLongUnclaimed()) {
                return false;
            }
            String cluster = UUID.randomUUID().toString();
            update(mine, "DELETE FROM cluster_node");
            update(mine, "INSERT INTO cluster_node (address, cluster) VALUES (?, ?)", self, cluster);
            write(mine, cluster);
            // no other session can have come between: this one still holds it alone
            lock(mine, "pg_try_advisory_lock_shared", MEMBERSHIP);
            holder = Optional.of(cluster);
            return true;
        } finally {
            unlock(mine, "pg_advisory_unlock");
        }
    }

    private boolean hadOthers(Connection mine) throws SQLException {
        try (PreparedStatement select = mine.prepareStatement("SELECT 1 FROM cluster_node WHERE address <> ?")) {
            select.setString(1, self);
            try (ResultSet row = select.executeQuery()) {
                return row.next();
            }
        }
    }

    private boolean isLongUnclaimed() {
        long now = System.nanoTime();
        if (unclaimedSince.isEmpty()) {
            unclaimedSince = OptionalLong.of(now);
        }
        return now - unclaimedSince.getAsLong() >= UNCLAIMED.toNanos();
    }

    /**
     * Takes a share of the claim, if those that are to be joined have it. Idempotent once it was admitted.
     *
     * @param members addresses of registry nodes that say they are members of a cluster
     * @throws IllegalStateException when the database cannot be asked
     */
    public synchronized Joining join(Collection<String> members) {
        if (holder.isPresent()) {
            return Joining.ADMITTED;
        }
        try {
            return tryToJoin(members);
        } catch (SQLException e) {
            throw unknown(e);
        }
    }

    private Joining tryToJoin(Collection<String> members) throws SQLException {
        Connection mine = connection();
        if (!lock(mine, "pg_try_advisory_lock_shared", MEMBERSHIP)) {
            return Joining.LATER;
        }
        Optional<String> cluster = Optional.empty();
        try {
            cluster = clusterOf(mine, members);
            if (cluster.isPresent()) {
                update(mine, "DELETE FROM cluster_node WHERE address = ?", self);
                update(mine, "INSERT INTO cluster_node (address, cluster) VALUES (?, ?)", self, cluster.get());
                holder = cluster;
            }
            return cluster.isPresent() ? Joining.ADMITTED : Joining.STRANGERS;
        } finally {
            if (holder.isEmpty()) {
                unlock(mine, "pg_advisory_unlock_shared");
            }
        }
    }

    /** Registry nodes that are, or were lately, members of the cluster that has the claim. */
    public synchronized List<String> members() {
        try (Statement statement = connection().createStatement();
                ResultSet rows = statement.executeQuery("SELECT address FROM cluster_node ORDER BY address")) {
            List<String> members = new ArrayList<>();
            while (rows.next()) {
                members.add(rows.getString(1));
            }
            return members;
        } catch (SQLException e) {
            throw unknown(e);
        }
    }

    private static Optional<String> clusterOf(Connection connection, Collection<String> members) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT n.cluster FROM cluster_node n"
                + " JOIN claim c ON c.id = 1 AND c.holder = n.cluster WHERE n.address = ?")) {
            for (String member : members) {
                select.setString(1, member);
                try (ResultSet row = select.executeQuery()) {
                    if (row.next()) {
                        return Optional.of(row.getString(1));
                    }
                }
            }
            return Optional.empty();
        }
    }

    /**
     * On the connection that holds the claim: when it answers, nobody else can have it. A PostgreSQL that can only be read,
     * since it was made a standby or an operator said so, is of no use and counts as away.
     */
    @Override
    public synchronized void check() throws SQLException {
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
    public synchronized boolean renew() throws SQLException {
        close();
        if (database.embedded()) {
            return isHeld();
        }
        if (lock(LOGIN)) {
            if (shared && holder.isPresent() && !lock(connection(), "pg_try_advisory_lock_shared", MEMBERSHIP)) {
                throw new SQLException("a cluster is being formed", LOCK_HELD);
            }
            return isHeld();
        }
        if (shared) {
            return false;
        }
        try (Connection other = open(LOGIN)) {
            if (!isMine(other)) {
                return false;
            }
            endFormerSession(other);
        }
        throw new SQLException("the session that was cut still holds the claim", LOCK_HELD);
    }

    /** By a write, since a database that can only be read is of no use. */
    private boolean isHeld() throws SQLException {
        if (holder.isEmpty()) {
            update(connection(), "UPDATE claim SET holder = holder WHERE id = 1");
            return true;
        }
        String id = holder.get();
        return update(connection(), "UPDATE claim SET holder = ? WHERE id = 1 AND holder = ?", id, id) == 1;
    }

    /**
     * Opens the connection that holds the claim, if nobody has what forbids it.
     *
     * @param login seconds at most
     */
    private boolean lock(int login) throws SQLException {
        Connection candidate = open(login);
        boolean locked = false;
        try (Statement statement = candidate.createStatement()) {
            statement.execute(KilnConfig.Database.NOTICE_DEAD_CLIENTS);
            locked = lock(candidate, shared ? "pg_try_advisory_lock_shared" : "pg_try_advisory_lock", PRESENCE);
            if (locked) {
                try (ResultSet pid = statement.executeQuery("SELECT pg_backend_pid()")) {
                    pid.next();
                    backend = pid.getInt(1);
                }
                connection = Optional.of(candidate);
            }
            return locked;
        } finally {
            if (!locked) {
                candidate.close();
            }
        }
    }

    private static boolean lock(Connection connection, String function, long key) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet answer = statement.executeQuery("SELECT " + function + "(" + key + ")")) {
            answer.next();
            return answer.getBoolean(1);
        }
    }

    private static void unlock(Connection connection, String function) throws SQLException {
        lock(connection, function, MEMBERSHIP);
    }

    private boolean isMine(Connection other) throws SQLException {
        try (Statement statement = other.createStatement();
                ResultSet row = statement.executeQuery("SELECT holder FROM claim WHERE id = 1")) {
            return row.next() && Optional.of(row.getString(1)).equals(holder);
        }
    }

    /** The database may learn only after hours that the other end of a connection is gone. */
    private void endFormerSession(Connection other) throws SQLException {
        try (PreparedStatement end = other.prepareStatement("SELECT pg_terminate_backend(pid) FROM pg_locks"
                + " WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = ? AND pid = ?")) {
            end.setLong(1, PRESENCE);
            end.setInt(2, backend);
            end.execute();
        }
    }

    private static void write(Connection connection, String holder) throws SQLException {
        if (update(connection, "UPDATE claim SET holder = ? WHERE id = 1", holder) == 0) {
            update(connection, "INSERT INTO claim (id, holder) VALUES (1, ?)", holder);
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
            if (!database.embedded()) {
                // another one would not hold the locks
                throw new SQLException("the claim is not held at the moment", "08003");
            }
            connection = Optional.of(open(LOGIN));
        }
        return connection.get();
    }

    private Connection open(int login) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", database.user());
        properties.setProperty("password", database.password());
        if (!database.embedded()) {
            properties.setProperty("connectTimeout", SECONDS);
            properties.setProperty("loginTimeout", Integer.toString(login));
            properties.setProperty("socketTimeout", SECONDS);
        }
        return DriverManager.getConnection(database.url(), properties);
    }

    /** Gives the claim back. */
    @Override
    public synchronized void close() throws SQLException {
        if (connection.isPresent()) {
            Connection old = connection.get();
            connection = Optional.empty();
            old.close();
        }
    }
}
