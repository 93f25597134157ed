package dev.kiln.postgres;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.kiln.crash.Installation;
import dev.kiln.crash.Installation.Builds;
import dev.kiln.oci.BuildKey;
import dev.kiln.testing.JournalCheck;
import dev.kiln.testing.KilnProcess;
import dev.kiln.testing.PostgresServer;
import dev.kiln.testing.PullClient;
import dev.kiln.testing.PullClient.Answer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The product on a real PostgreSQL, while that is there and while it is not. */
@Tag("clients")
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class PostgresIT {
    @TempDir
    Path directory;

    private PostgresServer postgres;
    private Installation kiln;

    @BeforeEach
    void setUp() {
        postgres = PostgresServer.create();
        kiln = Installation.in(directory);
    }

    @AfterEach
    void tearDown() {
        if (kiln != null) {
            kiln.close();
        }
        if (postgres != null) {
            postgres.close();
        }
    }

    private void start(Builds builds) {
        kiln.start(builds, postgres.config());
    }

    private Answer pull(String reference) {
        Answer answer = PullClient.join(kiln.client.pull(reference));
        assertThat(answer.status()).as(answer.text()).isEqualTo(200);
        return answer;
    }

    private Answer get(String path) {
        return PullClient.join(kiln.client.request("GET", kiln.server.registry(), path));
    }

    /** Whether the node says that the database is away; it wants requests all the same. */
    private void awaitImpaired(boolean impaired) {
        await("impaired: " + impaired).atMost(Installation.SOON).until(() -> {
            Answer ready = get("/health/ready");
            assertThat(ready.status()).isEqualTo(200);
            return impaired == ready.json().path("impaired").asText().contains("the database has not answered since");
        });
    }

    private void checkJournal() {
        assertThat(JournalCheck.check(postgres.journal(), kiln.dataDir())).isEmpty();
    }

    @Test
    void aPullBuildsBothPlatformsAndARestartServesTheSame() {
        String revision = kiln.branch("main");
        start(Builds.QUICK);
        Answer first = pull("main");
        assertThat(first.children()).containsOnlyKeys(Installation.AMD64, Installation.ARM64);
        kiln.client.readAll(first);

        kiln.server.stop();
        kiln.server.start();
        assertThat(pull("main").digest()).isEqualTo(first.digest());
        assertThat(kiln.client.readAllAgain()).isGreaterThan(3);
        for (String platform : new String[] {Installation.AMD64, Installation.ARM64}) {
            BuildKey build = Installation.build(revision, platform);
            assertThat(kiln.status(build).path("phase").asText()).isEqualTo("built");
            assertThat(kiln.status(build).path("attempt").asInt()).isEqualTo(1);
            assertThat(get("/api/v1/builds/" + build.id() + "/log").status()).isEqualTo(200);
        }
        await("the list of builds")
                .atMost(Installation.SOON)
                .untilAsserted(() -> assertThat(get("/api/v1/builds?repository=team/app&phase=built")
                                .json()
                                .path("builds"))
                        .hasSize(2));

        kiln.server.stop();
        checkJournal();
    }

    @Test
    void aSecondNodeOnTheSameDatabaseIsRefusedAndTheFirstGoesOn() throws Exception {
        kiln.branch("main");
        kiln.branch("next");
        start(Builds.QUICK);
        Answer first = pull("main");

        try (KilnProcess second = second()) {
            second.launch();
            assertThat(second.process().waitFor(90, TimeUnit.SECONDS)).isTrue();
            assertThat(second.process().exitValue()).isEqualTo(1);
            assertThat(second.log()).contains("kiln cannot start: another node uses this database");
        }

        assertThat(pull("main").digest()).isEqualTo(first.digest());
        pull("next");
        assertThat(get("/health/ready").status()).isEqualTo(200);
    }

    private KilnProcess second() throws IOException {
        return KilnProcess.prepare(Files.createDirectory(directory.resolve("second")), postgres.config());
    }

    @Test
    void hitsAreServedWhileItIsStoppedAndEverythingGoesOnByItselfWhenItIsBack() {
        kiln.branch("known");
        start(Builds.QUICK);
        Answer known = pull("known");
        kiln.client.readAll(known);
        kiln.server.stop();
        String revision = kiln.branch("running");
        String commit = kiln.branch("late");
        start(Builds.gated(Installation.AMD64));
        assertThat(pull("known").digest()).isEqualTo(known.digest());
        BuildKey running = Installation.build(revision, Installation.AMD64);
        pull("running?platform=linux/arm64/v8");
        kiln.awaitGate(revision, Installation.AMD64);

        postgres.stop();
        awaitImpaired(true);
        assertThat(get("/health/live").status()).isEqualTo(200);
        CompletableFuture<Answer> late = kiln.client.pull("late?platform=linux/arm64/v8");
        Answer listed = get("/api/v1/builds");
        assertThat(listed.status()).as(listed.text()).isEqualTo(503);
        kiln.open(revision, Installation.AMD64);
        assertThat(pull("known").digest()).isEqualTo(known.digest());
        kiln.client.readAllAgain();
        Answer held = PullClient.join(kiln.client.request(
                "GET", kiln.server.registry(), kiln.client.manifests("late") + "?platform=linux/amd64"));
        assertThat(held.status()).isEqualTo(307);
        assertThat(held.header("Warning")).contains("the database has not answered since");
        assertThat(late).isNotDone();

        postgres.start();
        awaitImpaired(false);
        kiln.awaitPhase(running, "built");
        assertThat(kiln.status(running).path("attempt").asInt())
                .as("the outage cost the running build nothing")
                .isEqualTo(1);
        kiln.open(commit, Installation.AMD64);
        Answer built = PullClient.join(late);
        assertThat(built.status()).as(built.text()).isEqualTo(200);
        await("the list of builds is read on")
                .atMost(Installation.SOON)
                .untilAsserted(() -> assertThat(get("/api/v1/builds?repository=team/app&phase=built")
                                .json()
                                .path("builds"))
                        .hasSize(6));
        kiln.client.readAllAgain();
        kiln.server.stop();
        checkJournal();
    }

    @Test
    void whenItIsKilledNothingThatWasAnsweredIsLost() {
        for (int kill = 0; kill < 3; kill++) {
            kiln.branch("branch-" + kill);
        }
        start(Builds.QUICK);
        for (int kill = 0; kill < 3; kill++) {
            CompletableFuture<Answer> waiting = kiln.client.pull("branch-" + kill + "?platform=linux/amd64");
            if (kill > 0) {
                kiln.client.readAll(PullClient.join(waiting));
            }
            postgres.kill();
            postgres.start();
            kiln.client.readAll(pull("branch-" + kill));
            assertThat(PullClient.join(waiting).status()).isEqualTo(200);
            kiln.client.readAllAgain();
        }
        kiln.server.kill();
        kiln.server.start();
        kiln.client.readAllAgain();
        for (int kill = 0; kill < 3; kill++) {
            pull("branch-" + kill);
        }
        kiln.server.stop();
        checkJournal();
    }

    @Test
    void whenItStandsStillHitsAreServedAndThePoolComesBack() {
        kiln.branch("known");
        kiln.branch("late");
        start(Builds.QUICK);
        Answer known = pull("known");

        postgres.freeze();
        awaitImpaired(true);
        assertThat(pull("known").digest()).isEqualTo(known.digest());
        CompletableFuture<Answer> late = kiln.client.pull("late");
        postgres.thaw();

        awaitImpaired(false);
        assertThat(PullClient.join(late).status()).isEqualTo(200);
    }

    @Test
    void aNodeWhoseClaimAnotherOneTookMeanwhileEndsItself() throws Exception {
        kiln.branch("main");
        start(Builds.QUICK);
        pull("main");
        postgres.stop();
        awaitImpaired(true);
        signal("STOP");
        postgres.start();
        try (KilnProcess second = second()) {
            second.start();
            signal("CONT");
            assertThat(kiln.server.process().waitFor(90, TimeUnit.SECONDS)).isTrue();
            assertThat(kiln.server.process().exitValue()).isEqualTo(1);
            assertThat(kiln.server.log()).contains("kiln ends: another node has used the database while it was away");
            assertThat(second.process().isAlive()).isTrue();
        }

        kiln.server.start();
        kiln.client.readAllAgain();
    }

    private void signal(String name) throws IOException {
        new ProcessBuilder(
                        "kill", "-" + name, Long.toString(kiln.server.process().pid()))
                .start()
                .onExit()
                .join();
    }
}
