package dev.kiln.testing;

import akka.dispatch.Mapper;
import akka.persistence.AtomicWrite;
import akka.persistence.PersistentRepr;
import akka.persistence.jdbc.journal.JdbcAsyncWriteJournal;
import akka.persistence.journal.Tagged;
import com.typesafe.config.Config;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import scala.collection.immutable.Seq;
import scala.concurrent.Future;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.BoxedUnit;
import scala.util.Try;

/**
 * The journal of a server that is to die at one certain event: its process ends, as abruptly as by {@code kill -9}, before
 * the event is written, or when it is written and nobody has been told. {@code jdbc-journal.kill} says at which one.
 */
public final class KillingJournal extends JdbcAsyncWriteJournal {
    /** What a server prints that dies at its event. */
    public static final String REACHED = "dying at the event it was told";

    private static final AtomicInteger SEEN = new AtomicInteger();

    private final String event;
    private final String about;
    private final int count;
    private final boolean after;

    public KillingJournal(Config config) {
        super(config);
        event = config.getString("kill.event");
        about = config.getString("kill.about");
        count = config.getInt("kill.count");
        after = config.getBoolean("kill.after");
    }

    /**
     * Configuration that makes the server die.
     *
     * @param event simple name of an event's class
     * @param about text that the event or its entity's id contains
     * @param count which of these events, from 1
     */
    public static String at(String event, String about, int count, boolean after) {
        return """
                jdbc-journal.class = "%s"
                jdbc-journal.kill { event = "%s", about = "%s", count = %d, after = %b }
                """.formatted(KillingJournal.class.getName(), event, about, count, after);
    }

    /** What a server with this journal needs on its class path. */
    public static Path classes() {
        try {
            return Path.of(KillingJournal.class
                    .getProtectionDomain()
                    .getCodeSource()
                    .getLocation()
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public Future<Seq<Try<BoxedUnit>>> asyncWriteMessages(Seq<AtomicWrite> messages) {
        boolean reached = reached(messages);
        if (reached && !after) {
            System.err.println(REACHED);
            Runtime.getRuntime().halt(137);
        }
        Future<Seq<Try<BoxedUnit>>> written = super.asyncWriteMessages(messages);
        return reached ? written.map(new Halt(), context().dispatcher()) : written;
    }

    private boolean reached(Seq<AtomicWrite> messages) {
        boolean reached = false;
        for (AtomicWrite write : CollectionConverters.asJava(messages)) {
            for (PersistentRepr stored : CollectionConverters.asJava(write.payload())) {
                Object payload = stored.payload() instanceof Tagged tagged ? tagged.payload() : stored.payload();
                boolean meant = payload.getClass().getSimpleName().equals(event)
                        && (stored.persistenceId() + payload).contains(about);
                reached |= meant && SEEN.incrementAndGet() == count;
            }
        }
        return reached;
    }

    private static final class Halt extends Mapper<Seq<Try<BoxedUnit>>, Seq<Try<BoxedUnit>>> {
        @Override
        public Seq<Try<BoxedUnit>> apply(Seq<Try<BoxedUnit>> written) {
            System.err.println(REACHED);
            Runtime.getRuntime().halt(137);
            return written;
        }
    }
}
