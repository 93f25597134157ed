package dev.kiln.journal;

import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Knows whether the database answers: asks it every second, on a thread and a connection of its own. When it was away, it
 * takes the claim again before the database counts as back.
 */
public final class DatabaseWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DatabaseWatch.class);
    private static final Duration EVERY = Duration.ofSeconds(1);
    /** How long a question may stand before nobody waits for its answer. */
    private static final Duration SILENCE = Duration.ofSeconds(10);

    /** This process's claim to the database, on a connection that nothing else uses. */
    public interface Claim extends AutoCloseable {
        /** Asks the database whether it takes writes, on the connection that holds the claim. */
        void check() throws SQLException;

        /**
         * Claims it again, on a new connection, and writes to it.
         *
         * @return false when somebody else has or had the claim: what this process holds in memory is no longer true
         */
        boolean renew() throws SQLException;

        @Override
        void close() throws SQLException;
    }

    /** What the watch tells. All run on its thread. */
    public interface Listener {
        /** Connections that were opened before now may be dead without showing it. */
        void forgetConnections();

        /** Another process is the only node now: this one must end. Told once; the watch has ended. */
        void lost();
    }

    /** @param reason a few words, without names and secrets */
    public record Away(Instant since, String reason) {
        /** One line for everybody. */
        public String text() {
            return "the database has not answered since " + since.truncatedTo(ChronoUnit.SECONDS) + " (" + reason + ")";
        }
    }

    private final Claim claim;
    private final Listener listener;
    private final Clock clock;
    private final ScheduledExecutorService thread = Executors.newSingleThreadScheduledExecutor(run -> {
        Thread made = new Thread(run, "kiln-database-watch");
        made.setDaemon(true);
        return made;
    });

    private volatile Optional<Away> away = Optional.empty();
    private volatile Optional<Instant> asking = Optional.empty();

    private DatabaseWatch(Claim claim, Listener listener, Clock clock) {
        this.claim = claim;
        this.listener = listener;
        this.clock = clock;
    }

    /** Begins to watch a database that is there and claimed. {@link #close} gives the claim back. */
    public static DatabaseWatch start(Claim claim, Listener listener, Clock clock) {
        DatabaseWatch watch = new DatabaseWatch(claim, listener, clock);
        watch.thread.scheduleWithFixedDelay(watch::look, EVERY.toMillis(), EVERY.toMillis(), TimeUnit.MILLISECONDS);
        return watch;
    }

    /** Empty while the database answers. Never blocks. */
    public Optional<Away> away() {
        return away.or(() -> asking.filter(since -> since.plus(SILENCE).isBefore(clock.instant()))
                .map(since -> new Away(since, "no answer")));
    }

    /** Fails at once while the database is away: nobody should hold a thread only to wait for it. */
    public Connections unlessAway(Connections connections) {
        return () -> {
            Optional<Away> now = away();
            if (now.isPresent()) {
                throw new SQLException(now.get().text());
            }
            return connections.open();
        };
    }

    private void look() {
        asking = Optional.of(clock.instant());
        try {
            if (away.isEmpty()) {
                claim.check();
            } else if (claim.renew()) {
                listener.forgetConnections();
                LOG.info(
                        "the database answers again; it was away since {}",
                        away.get().since());
                away = Optional.empty();
            } else {
                LOG.error("another node has claimed the database while it was away from this one");
                thread.shutdown();
                listener.lost();
            }
        } catch (SQLException | RuntimeException | Error e) {
            // What is thrown on would end the watch, and nobody would know.
            failed(e);
        } finally {
            asking = Optional.empty();
        }
    }

    private void failed(Throwable e) {
        String reason =
                e instanceof SQLException sql ? reason(sql) : e.getClass().getSimpleName();
        Instant since = away.map(Away::since).or(() -> asking).orElseGet(clock::instant);
        if (away.isEmpty()) {
            LOG.warn("the database does not answer", e);
            away = Optional.of(new Away(since, reason));
            listener.forgetConnections();
        } else {
            LOG.debug("the database does not answer", e);
            away = Optional.of(new Away(since, reason));
        }
    }

    /** The kind of failure in a few words: messages of databases name hosts and files. */
    static String reason(SQLException e) {
        String state = String.valueOf(e.getSQLState());
        if (state.equals("90098") || state.equals("HY000")) {
            // so say embedded databases that have closed themselves, and those that are tried to open again
            return "it cannot write its file, as when its disk is full";
        }
        return switch (state.substring(0, Math.min(2, state.length()))) {
            case "08" -> "no connection";
            case "25" -> "it can only be read";
            case "28" -> "it refuses this node's user or password";
            case "53" -> "it has no connection, memory or disk left";
            case "57" -> "it is starting or stopping";
            default -> "it fails with SQL state " + state;
        };
    }

    /** Waits for a question that stands, for some seconds. */
    @Override
    public void close() throws SQLException {
        // without an interrupt, which would close an embedded database's file
        thread.shutdown();
        try {
            if (!thread.awaitTermination(SILENCE.toSeconds(), TimeUnit.SECONDS)) {
                LOG.warn("the database does not answer: its claim ends with the process");
                return;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return;
        }
        claim.close();
    }
}
