package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class BaseReferenceTest {
    @ParameterizedTest
    @CsvSource({
        "debian, docker.io/library/debian:latest, https://registry-1.docker.io/v2/library/debian/",
        "debian:12, docker.io/library/debian:12, https://registry-1.docker.io/v2/library/debian/",
        "a/b, docker.io/a/b:latest, https://registry-1.docker.io/v2/a/b/",
        "index.docker.io/debian, docker.io/library/debian:latest, https://registry-1.docker.io/v2/library/debian/",
        "GHCR.io/a/b:x, ghcr.io/a/b:x, https://ghcr.io/v2/a/b/",
        "reg:5000/a, reg:5000/a:latest, https://reg:5000/v2/a/",
        "localhost/a, localhost/a:latest, http://localhost/v2/a/",
        "127.0.0.1:5000/a, 127.0.0.1:5000/a:latest, http://127.0.0.1:5000/v2/a/",
        "[::1]:5000/a, [::1]:5000/a:latest, http://[::1]:5000/v2/a/",
        "127.0.0.1.example.org/a, 127.0.0.1.example.org/a:latest, https://127.0.0.1.example.org/v2/a/"
    })
    void namesGetDockersDefaults(String text, String whole, String uri) {
        BaseReference image = BaseReference.parse(text).orElseThrow();

        assertThat(image).hasToString(whole);
        assertThat(image.repositoryUri()).hasToString(uri);
    }

    @Test
    void aDigestBeatsATag() {
        String digest = "sha256:" + "a".repeat(64);

        assertThat(BaseReference.parse("debian:12@" + digest).orElseThrow())
                .hasToString("docker.io/library/debian@" + digest);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", "Debian", "a//b", "a/../b", "https://ghcr.io/a", "user@ghcr.io/a", "ghcr.io/a?x=y", "ghcr.io/a#b",
                "ghcr.io:x/a", "ghcr.io:123456/a", "-a.io/a", "a b", "debian:", "debian@sha256:12", "debian@",
                        "ghcr.io/",
                "a.b\r\nHost: c/d", "[::1/a", "."
            })
    void whatIsNoNameIsNone(String text) {
        assertThat(BaseReference.parse(text)).isEmpty();
    }
}
