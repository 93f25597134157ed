package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.cloud.tools.jib.api.buildplan.Port;
import dev.kiln.oci.Platform;
import dev.kiln.worker.builder.jib.JibFile.Copy;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Timeout(30)
class JibFileReaderTest {
    private static final String HEAD = "apiVersion: jib/v1alpha1\nkind: BuildFile\n";

    @Test
    void everyKeyIsRead() throws JibFailure {
        JibFile file = read(HEAD + """
                from:
                  image: debian:12
                  platforms: [{os: linux, architecture: arm64}]
                creationTime: 2024-05-01T12:00:00+02:00
                format: Docker
                environment: {A: 1, B: "x y", C: true, D: 0644}
                labels: {l: v}
                volumes: [/data]
                exposedPorts: [80, "443/tcp", 53/udp]
                user: "1000:1000"
                workingDirectory: /srv
                entrypoint: [java, -jar]
                cmd: []
                layers:
                  properties: {filePermissions: 640, user: 7}
                  entries:
                    - name: one
                      properties: {directoryPermissions: 700, timestamp: 2000}
                      files:
                        - src: .
                          dest: /srv/
                          includes: ["**/*.class"]
                          excludes: [tmp/]
                          properties: {group: staff, filePermissions: "600"}
                """);

        assertThat(file.baseImage()).contains("debian:12");
        assertThat(file.platforms()).containsExactly(Platform.of("linux/arm64/v8"));
        assertThat(file.creationTime()).contains(Instant.parse("2024-05-01T10:00:00Z"));
        assertThat(file.environment().toString()).isEqualTo("{A=1, B=x y, C=true, D=0644}");
        assertThat(file.exposedPorts()).containsExactly(Port.tcp(80), Port.tcp(443), Port.udp(53));
        assertThat(file.user()).contains("1000:1000");
        assertThat(file.entrypoint()).contains(List.of("java", "-jar"));
        assertThat(file.arguments()).contains(List.of());
        Copy copy = file.layers().get(0).copies().get(0);
        assertThat(copy.properties().filePermissions().toOctalString()).isEqualTo("600");
        assertThat(copy.properties().directoryPermissions().toOctalString()).isEqualTo("700");
        assertThat(copy.properties().user()).isEqualTo("7");
        assertThat(copy.properties().group()).isEqualTo("staff");
        assertThat(copy.properties().timestamp()).isEqualTo(Instant.ofEpochMilli(2000));
        assertThat(copy.line()).isEqualTo(22);
    }

    @Test
    void scratchIsNoBaseImage() throws JibFailure {
        assertThat(read(HEAD + "from: {image: scratch}").baseImage()).isEmpty();
        assertThat(read(HEAD).baseImage()).isEmpty();
        assertThat(read(HEAD).creationTime()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "extends: x | line 3: the key 'extends' is unknown here; known are apiVersion, kind, from,",
                "from: {image: a, creds: b} | line 3: the key 'creds' is unknown in 'from'; known are image, platforms",
                "from: {} | line 3: 'from' lacks the key 'image'",
                "from: debian | line 3: 'from' is not a mapping",
                "from: {image: [a]} | line 3: 'image' is not a text",
                "from: {image: } | line 3: 'image' is not a text",
                "from: {image: !!binary aGk=} | line 3: 'image' is not a text",
                "user: !!javax.script.ScriptEngineManager [x] | line 3: it is not valid YAML: Global tag is not allowed",
                "entrypoint: java -jar | line 3: 'entrypoint' is not a list",
                "creationTime: yesterday | line 3: 'creationTime' is neither milliseconds since 1970",
                "creationTime: '-999999999-01-01T00:00:00Z' | line 3: 'creationTime' is neither",
                "format: V1 | line 3: 'format' is not OCI or Docker",
                "volumes: [data] | line 3: 'volumes' is not an absolute path",
                "workingDirectory: /a/../b | line 3: 'workingDirectory' is not an absolute path",
                "exposedPorts: [0] | line 3: '0' is not a port",
                "exposedPorts: [70000/tcp] | line 3: '70000/tcp' is not a port",
                "environment: {'A=B': c} | line 3: 'A=B' cannot be the name",
                "user: a\\nuser: b | line 4: the key 'user' is there twice",
                "labels: {a: &x b, c: *x, d: &y [1], e: *y} | no aliases of lists or mappings",
                "<<: {user: a} | line 3: the key '<<' is unknown",
                "layers: {entries: [{name: a}]} | line 3: an entry of 'entries' lacks the key 'files'",
                "layers: {entries: [{files: [{src: a, dest: /b}]}]} | lacks the key 'name'",
                "layers: {entries: [{name: a, files: [{src: /etc, dest: /b}]}]} | line 3: 'src' is not a path inside",
                "layers: {entries: [{name: a, files: [{src: a/../../b, dest: /b}]}]} | line 3: 'src' is not a path inside",
                "layers: {entries: [{name: a, files: [{src: a, dest: b}]}]} | line 3: 'dest' is not an absolute path",
                "layers: {entries: [{name: a, files: [{src: a, dest: /b/..}]}]} | line 3: 'dest' is not an absolute path",
                "layers: {properties: {filePermissions: 4755}} | line 3: 'filePermissions' is not three octal digits",
                "layers: {properties: {user: 'a:b'}} | line 3: 'user' is neither a number nor a name",
                "layers: [1] | line 3: 'layers' is not a mapping",
                "a: [ | it is not valid YAML",
                "--- {} | it is not valid YAML"
            })
    void whatIsWrongIsNamedWithItsLine(String text, String message) {
        assertThatThrownBy(() -> read(HEAD + text.replace("\\n", "\n")))
                .isInstanceOf(JibFailure.class)
                .hasMessageStartingWith("jib.yaml")
                .hasMessageContaining(message);
    }

    @Test
    void bytesThatAreMeantToHurtAreRefused() {
        assertRefused("", "is empty");
        assertRefused("- 1", "line 1: the file is not a mapping");
        assertRefused("[".repeat(100_000), "jib.yaml");
        assertRefused("{a: ".repeat(50_000), "jib.yaml");
        assertRefused("a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]", "jib.yaml");
        assertRefused("a: &a [*a]", "jib.yaml");
        assertRefused("a: \0", "jib.yaml");
        assertThatThrownBy(() -> JibFileReader.read(new byte[] {'a', ':', (byte) 0xff}))
                .hasMessage("jib.yaml is not UTF-8");
        assertRefused(
                HEAD + "layers: {entries: [" + "{name: a, files: [{src: a, dest: /a}]},".repeat(65) + "]}",
                "more than 64 layers");
    }

    private static void assertRefused(String text, String message) {
        assertThatThrownBy(() -> read(text)).isInstanceOf(JibFailure.class).hasMessageContaining(message);
    }

    private static JibFile read(String text) throws JibFailure {
        return JibFileReader.read(text.getBytes(StandardCharsets.UTF_8));
    }
}
