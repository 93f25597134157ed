package dev.kiln.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WaitPlanTest {
    @Test
    void waitAndRespondAsyncCount() {
        assertThat(read("wait=20")).contains(new Preference(Duration.ofSeconds(20), "wait=20"));
        assertThat(read("handling=lenient, Wait=7; x=y, wait=9"))
                .contains(new Preference(Duration.ofSeconds(7), "wait=7"));
        assertThat(read("wait = \"8\"")).contains(new Preference(Duration.ofSeconds(8), "wait=8"));
        assertThat(read("respond-async")).contains(new Preference(Duration.ZERO, "respond-async"));
        for (List<String> both : List.of(List.of("respond-async, wait=20"), List.of("wait=20", "respond-async"))) {
            assertThat(Preference.read(both))
                    .as("who waits for a while, and no longer")
                    .contains(new Preference(Duration.ofSeconds(20), "wait=20"));
        }
    }

    @Test
    void anythingElseIsIgnored() {
        for (String line : List.of(
                "",
                ",",
                "wait",
                "wait=",
                "wait=-1",
                "wait=1.5",
                "wait=9999999",
                "wait=x",
                "wait=\"",
                "wait=\"1",
                "respond-async=1",
                "return=minimal")) {
            assertThat(read(line)).as(line).isEmpty();
        }
    }

    @Test
    void aPlanIsShortenedAndNeverSoFarThatNothingIsStartedOrA429ComesAtOnce() {
        WaitPlan patient = plan(Duration.ZERO);
        WaitPlan hammering = plan(Duration.ofSeconds(10));

        assertThat(patient.waitingAtMost(Duration.ofSeconds(60)).patience()).isEqualTo(Duration.ofSeconds(60));
        assertThat(patient.waitingAtMost(Duration.ofSeconds(60)).hop()).isEqualTo(Duration.ofSeconds(25));
        assertThat(patient.waitingAtMost(Duration.ofSeconds(5)).hop()).isEqualTo(Duration.ofSeconds(5));
        assertThat(patient.waitingAtMost(Duration.ofDays(1))).isEqualTo(patient);
        assertThat(patient.waitingAtMost(Duration.ZERO).patience()).isEqualTo(Duration.ofSeconds(1));
        assertThat(hammering.waitingAtMost(Duration.ZERO).patience()).isEqualTo(Duration.ofSeconds(10));
    }

    @ParameterizedTest
    @CsvSource({"15,,15", "15,300,15", "15,10,10", "15,0,5", "15,5,5", "3,,3", "3,1,3", "60,59,59"})
    void nobodyIsSentAwayForLongerThanIsNeeded(int plan, Integer eta, int expected) {
        WaitPlan.FinalAnswer answer = new WaitPlan.FinalAnswer(429, Optional.of(Duration.ofSeconds(plan)));

        assertThat(answer.retryAfter(Optional.ofNullable(eta).map(Duration::ofSeconds)))
                .contains(Duration.ofSeconds(expected));
    }

    private static Optional<Preference> read(String... lines) {
        return Preference.read(List.of(lines));
    }

    private static WaitPlan plan(Duration leastHold) {
        return new WaitPlan(
                "x", Duration.ofSeconds(25), Duration.ofSeconds(250), true, leastHold, true, false, java.util.Map.of());
    }
}
