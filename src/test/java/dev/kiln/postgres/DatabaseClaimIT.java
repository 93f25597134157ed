package dev.kiln.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.kiln.config.KilnConfig;
import dev.kiln.journal.CannotStart;
import dev.kiln.journal.DatabaseClaim;
import dev.kiln.journal.Schema;
import dev.kiln.testing.CutConnections;
import dev.kiln.testing.PostgresServer;
import java.sql.SQLException;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Who may write to a PostgreSQL, over its restarts and over cut connections. */
@Tag("clients")
class DatabaseClaimIT {
    private PostgresServer postgres;

    @BeforeEach
    void setUp() {
        postgres = PostgresServer.create();
    }

    @AfterEach
    void tearDown() {
        if (postgres != null) {
            postgres.close();
        }
    }

    private static DatabaseClaim claim(KilnConfig.Database database) {
        DatabaseClaim node = DatabaseClaim.alone(database);
        Schema.migrate(database);
        node.sign();
        return node;
    }

    @Test
    void oneNodeHoldsTheClaimAndTakesItAgainAfterARestart() throws Exception {
        KilnConfig.Database database = postgres.database(postgres.port());
        try (DatabaseClaim node = claim(database)) {
            node.check();
            assertThatThrownBy(() -> DatabaseClaim.alone(database)).isInstanceOf(CannotStart.class);

            postgres.kill();
            assertThatThrownBy(node::check).isInstanceOf(SQLException.class);
            postgres.start();

            assertThat(node.renew()).isTrue();
            node.check();
            assertThatThrownBy(() -> DatabaseClaim.alone(database)).isInstanceOf(CannotStart.class);
        }
    }

    @Test
    void aClaimThatAnotherNodeHadMeanwhileIsLostEvenWhenThatNodeHasEnded() throws Exception {
        KilnConfig.Database database = postgres.database(postgres.port());
        try (DatabaseClaim node = claim(database)) {
            postgres.stop();
            postgres.start();
            DatabaseClaim other = claim(database);
            assertThat(node.renew()).as("while it is there").isFalse();

            other.close();
            postgres.stop();
            postgres.start();
            assertThat(node.renew()).as("when it has gone").isFalse();
        }
    }

    @Test
    void aDatabaseThatCutAllMembersGivesTheClaimToNoStranger() throws Exception {
        KilnConfig.Database database = postgres.database(postgres.port());
        DatabaseClaim member = DatabaseClaim.shared(database, "member:25520");
        try (DatabaseClaim stranger = DatabaseClaim.shared(database, "stranger:25520")) {
            Schema.migrate(database);
            assertThat(member.form()).isTrue();
            assertThat(stranger.form()).isFalse();

            postgres.stop();
            postgres.start();
            assertThat(stranger.renew()).isTrue();
            assertThat(stranger.form()).as("before the member has it again").isFalse();
            assertThat(member.renew()).isTrue();
            assertThat(stranger.form()).isFalse();

            member.close();
            await().atMost(Duration.ofSeconds(30)).until(stranger::form);
        }
    }

    @Test
    void aSessionThatTheDatabaseTakesForAliveIsEndedByItsOwnNode() throws Exception {
        try (CutConnections way = CutConnections.to(postgres.port());
                DatabaseClaim node = claim(postgres.database(way.port()))) {
            way.cut();
            assertThatThrownBy(node::check).isInstanceOf(SQLException.class);

            assertThatThrownBy(node::renew)
                    .isInstanceOf(SQLException.class)
                    .hasMessageContaining("still holds the claim");
            await().atMost(Duration.ofSeconds(30))
                    .ignoreExceptionsInstanceOf(SQLException.class)
                    .until(node::renew);
        }
    }
}
