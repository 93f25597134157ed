package dev.kiln.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.testing.SettableClock;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class DatabaseWatchTest {
    private static final Instant START = Instant.parse("2026-11-23T10:00:00.5Z");

    /** A database as the test wants it. */
    private static final class Scripted implements DatabaseWatch.Claim, DatabaseWatch.Listener {
        volatile SQLException failure;
        volatile SQLException renewal;
        volatile boolean mine = true;
        final AtomicInteger checks = new AtomicInteger();
        final AtomicInteger renewals = new AtomicInteger();
        final AtomicInteger forgotten = new AtomicInteger();
        final AtomicInteger lost = new AtomicInteger();

        @Override
        public void check() throws SQLException {
            checks.incrementAndGet();
            if (failure != null) {
                throw failure;
            }
        }

        @Override
        public boolean renew() throws SQLException {
            renewals.incrementAndGet();
            if (renewal != null) {
                throw renewal;
            }
            return mine;
        }

        @Override
        public void close() {}

        @Override
        public void forgetConnections() {
            forgotten.incrementAndGet();
        }

        @Override
        public void lost() {
            lost.incrementAndGet();
        }
    }

    private static SQLException gone() {
        return new SQLException("Connection to db.internal:5432 refused", "08001");
    }

    @Test
    void aDatabaseThatWentAwayIsToldWithoutItsNameAndIsBackWhenTheClaimIsTakenAgain() throws Exception {
        Scripted database = new Scripted();
        try (DatabaseWatch watch = DatabaseWatch.start(database, database, new SettableClock(START))) {
            await().until(() -> database.checks.get() > 0);
            assertThat(watch.away()).isEmpty();

            database.renewal = gone();
            database.failure = gone();
            await().until(() -> watch.away().isPresent());
            assertThat(watch.away().get().text())
                    .isEqualTo("the database has not answered since 2026-11-23T10:00:00Z (no connection)");
            await().until(() -> database.renewals.get() > 1);
            assertThat(database.forgotten).as("once, when it went").hasValue(1);

            database.failure = null;
            database.renewal = new SQLException("the database system is starting up", "57P03");
            await().until(() -> watch.away()
                    .map(away -> away.reason().equals("it is starting or stopping"))
                    .orElse(false));

            database.renewal = null;
            await().until(() -> watch.away().isEmpty());
            assertThat(database.forgotten).as("and when it came").hasValue(2);
            assertThat(database.lost).hasValue(0);
        }
    }

    @Test
    void aClaimThatSomebodyElseHadMeanwhileIsLostOnce() throws Exception {
        Scripted database = new Scripted();
        database.failure = gone();
        database.mine = false;
        try (DatabaseWatch watch = DatabaseWatch.start(database, database, Clock.systemUTC())) {
            await().until(() -> database.lost.get() > 0);
            assertThat(watch.away()).isPresent();
            assertThat(database.lost).hasValue(1);
            assertThat(database.renewals).hasValue(1);
        }
    }

    @Test
    void aQuestionThatIsNeverAnsweredCountsAsAway() throws Exception {
        SettableClock clock = new SettableClock(START);
        CountDownLatch asked = new CountDownLatch(1);
        CountDownLatch answer = new CountDownLatch(1);
        Scripted quiet = new Scripted();
        DatabaseWatch.Claim hanging = new DatabaseWatch.Claim() {
            @Override
            public void check() {
                asked.countDown();
                try {
                    answer.await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }

            @Override
            public boolean renew() {
                return true;
            }

            @Override
            public void close() {}
        };
        try (DatabaseWatch watch = DatabaseWatch.start(hanging, quiet, clock)) {
            asked.await();
            assertThat(watch.away()).isEmpty();
            clock.advance(Duration.ofSeconds(11));
            assertThat(watch.away().map(DatabaseWatch.Away::reason)).contains("no answer");
            answer.countDown();
            await().until(() -> watch.away().isEmpty());
        }
    }
}
