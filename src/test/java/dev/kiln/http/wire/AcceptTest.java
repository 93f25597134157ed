package dev.kiln.http.wire;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.MediaTypes;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AcceptTest {
    private static final String INDEX = MediaTypes.OCI_INDEX;
    private static final String MANIFEST = MediaTypes.OCI_MANIFEST;
    private static final String LIST = MediaTypes.DOCKER_LIST;

    @Test
    void whoSaysNothingTakesEverything() {
        assertThat(Accept.takesIndex(List.of())).isTrue();
        assertThat(Accept.takesIndex(List.of(" ", ","))).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                INDEX,
                MANIFEST + ", " + INDEX,
                INDEX + ";q=0.1",
                "*/*",
                "text/html, */*;q=0.1",
                "application/*",
                "APPLICATION/VND.OCI.IMAGE.INDEX.V1+JSON",
                INDEX + " ; q=1",
                INDEX + ";v=1;q=0.5",
                "*/*;q=0," + INDEX,
                "application/*;q=0.0, " + INDEX,
                INDEX + ";q=0," + INDEX,
                INDEX + ";q=bad"
            })
    void takesAnIndex(String line) {
        assertThat(Accept.takesIndex(List.of(line))).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                MANIFEST,
                LIST,
                "text/html",
                INDEX + ";q=0",
                INDEX + "; q=0.000, */*",
                "*/*;q=0",
                "application/*;q=0, */*",
                INDEX + "x",
                "application/json, text/*"
            })
    void takesNoIndex(String line) {
        assertThat(Accept.takesIndex(List.of(line))).isFalse();
    }

    @Test
    void everyLineCounts() {
        assertThat(Accept.takesIndex(List.of(MANIFEST, LIST, INDEX))).isTrue();
        assertThat(Accept.takesIndex(List.of(INDEX, MANIFEST))).isTrue();
        assertThat(Accept.takesIndex(List.of("*/*", INDEX + ";q=0"))).isFalse();
        assertThat(Accept.takesIndex(List.of(MANIFEST, LIST))).isFalse();
    }
}
