package dev.kiln.http.wire;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kiln.oci.ImageForm;
import dev.kiln.oci.MediaTypes;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AcceptTest {
    private static final String INDEX = MediaTypes.OCI_INDEX;
    private static final String MANIFEST = MediaTypes.OCI_MANIFEST;
    private static final String LIST = MediaTypes.DOCKER_LIST;
    private static final String SCHEMA2 = MediaTypes.DOCKER_MANIFEST;
    private static final String SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    @Test
    void whoSaysNothingTakesEverything() {
        assertThat(Accept.form(List.of())).isEqualTo(ImageForm.INDEX);
        assertThat(Accept.form(List.of(" ", ","))).isEqualTo(ImageForm.INDEX);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                INDEX,
                MANIFEST + ", " + INDEX,
                LIST + ", " + SCHEMA2 + ", " + MANIFEST + ", " + INDEX,
                INDEX + ";q=0.1," + LIST,
                LIST + "," + SCHEMA2 + ",*/*",
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
        assertThat(Accept.form(List.of(line))).isEqualTo(ImageForm.INDEX);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                LIST,
                LIST + "," + SCHEMA2,
                SCHEMA1 + "," + SCHEMA2 + "," + LIST,
                LIST + "," + SCHEMA2 + "," + MANIFEST,
                LIST + ";q=0.1," + MANIFEST,
                INDEX + ";q=0," + LIST,
                INDEX + "; q=0.000, */*",
                "application/json, APPLICATION/vnd.docker.distribution.manifest.LIST.v2+json"
            })
    void takesDockersListAlone(String line) {
        assertThat(Accept.form(List.of(line))).isEqualTo(ImageForm.DOCKER_LIST);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                MANIFEST,
                MANIFEST + "," + SCHEMA2,
                SCHEMA2 + "," + MANIFEST,
                LIST + ";q=0," + MANIFEST,
                "text/html",
                SCHEMA1,
                INDEX + ";q=0",
                "*/*;q=0",
                "application/*;q=0, */*",
                INDEX + "x",
                "application/json, text/*"
            })
    void takesNoIndex(String line) {
        assertThat(Accept.form(List.of(line))).isEqualTo(ImageForm.MANIFEST);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                SCHEMA2,
                SCHEMA1 + ", " + SCHEMA2,
                LIST + ";q=0," + SCHEMA2,
                MANIFEST + ";q=0," + SCHEMA2 + ";q=0.1"
            })
    void takesDockersManifestAlone(String line) {
        assertThat(Accept.form(List.of(line))).isEqualTo(ImageForm.DOCKER_MANIFEST);
    }

    @Test
    void aTypeIsNamedByItselfAlone() {
        String type = MediaTypes.URL_POINTERS;
        assertThat(Accept.names(List.of(INDEX, MANIFEST + " , " + type + ";q=0.5"), type))
                .isTrue();
        assertThat(Accept.names(List.of(type.toUpperCase(Locale.ROOT)), type)).isTrue();
        for (String line : List.of("*/*", "application/*", type + ";q=0", type + "x", "x;a=" + type, "")) {
            assertThat(Accept.names(List.of(line), type)).as(line).isFalse();
        }
        assertThat(Accept.names(List.of(), type)).isFalse();
    }

    @Test
    void everyLineCounts() {
        assertThat(Accept.form(List.of(MANIFEST, LIST, INDEX))).isEqualTo(ImageForm.INDEX);
        assertThat(Accept.form(List.of(INDEX, MANIFEST))).isEqualTo(ImageForm.INDEX);
        assertThat(Accept.form(List.of("*/*", INDEX + ";q=0"))).isEqualTo(ImageForm.DOCKER_LIST);
        assertThat(Accept.form(List.of(SCHEMA2, LIST))).isEqualTo(ImageForm.DOCKER_LIST);
        assertThat(Accept.form(List.of("*/*", INDEX + ";q=0", LIST + ";q=0"))).isEqualTo(ImageForm.MANIFEST);
    }
}
