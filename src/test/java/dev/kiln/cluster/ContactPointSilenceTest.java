package dev.kiln.cluster;

import static dev.kiln.cluster.ContactPointSilence.BORNE;
import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.cluster.ContactPointSilence.Sign;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ContactPointSilenceTest {
    private static final Map<String, Sign> SILENT = Map.of("b", Sign.NONE, "a", Sign.NONE, "c", Sign.ANSWERED);

    private final ContactPointSilence silence = new ContactPointSilence();

    private void looks(int times, Map<String, Sign> seen) {
        for (int i = 0; i < times; i++) {
            assertThat(silence.awaited(seen)).as("look %d", i + 1).isNotEmpty();
        }
    }

    @Test
    void aNodeWithoutOthersWaitsForNobody() {
        assertThat(silence.awaited(Map.of())).isEmpty();
    }

    @Test
    void whoAnswersAndWhoRefusesIsNotWaitedFor() {
        assertThat(silence.awaited(Map.of("a", Sign.ANSWERED, "b", Sign.REFUSED)))
                .isEmpty();
    }

    @Test
    void whoSaysNothingIsWaitedForUntilItHasLongBeenSo() {
        assertThat(silence.awaited(SILENT)).isEqualTo(List.of("a", "b"));
        looks(BORNE - 2, SILENT);
        assertThat(silence.awaited(SILENT)).isEmpty();
        assertThat(silence.awaited(SILENT)).isEmpty();
    }

    @Test
    void oneSignOfLifeBeginsTheWaitAnew() {
        looks(BORNE - 1, SILENT);
        assertThat(silence.awaited(Map.of("a", Sign.ANSWERED, "b", Sign.NONE, "c", Sign.ANSWERED)))
                .isEmpty();
        looks(BORNE - 1, Map.of("a", Sign.NONE));
        assertThat(silence.awaited(Map.of("a", Sign.NONE))).isEmpty();
    }

    @Test
    void aNewContactPointIsWaitedForByItself() {
        looks(BORNE - 1, Map.of("a", Sign.NONE));
        assertThat(silence.awaited(Map.of("a", Sign.NONE, "b", Sign.NONE))).isEqualTo(List.of("b"));
    }

    @Test
    void whoIsNoContactPointAnyMoreIsForgotten() {
        looks(BORNE - 1, Map.of("a", Sign.NONE));
        assertThat(silence.awaited(Map.of())).isEmpty();
        looks(BORNE - 1, Map.of("a", Sign.NONE));
    }
}
