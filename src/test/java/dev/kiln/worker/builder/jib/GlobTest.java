package dev.kiln.worker.builder.jib;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GlobTest {
    @ParameterizedTest
    @CsvSource({
        "a, a, true",
        "a, a/b, false",
        "*, a, true",
        "*, a/b, false",
        "*.class, A.class, true",
        "*.class, x/A.class, false",
        "**/*.class, A.class, true",
        "**/*.class, x/y/A.class, true",
        "**, x/y/z, true",
        "x/**, x/y/z, true",
        "x/**, xy/z, false",
        "x/, x/y/z, true",
        "x/**/z, x/z, true",
        "x/**/z, x/a/b/z, true",
        "x/**/z, x/a/b/c, false",
        "a?c, abc, true",
        "a?c, ac, false",
        "a*b*c, axxbyyc, true",
        "a*b*c, axxbyy, false",
        "'{a,b}', a, false",
        "[ab], a, false"
    })
    void patterns(String pattern, String path, boolean matches) {
        assertThat(Glob.of(pattern).matches(path)).isEqualTo(matches);
    }

    @Test
    @Timeout(20)
    void noPatternTakesLong() {
        assertThat(Glob.of("*a".repeat(2000) + "b").matches("a".repeat(4000))).isFalse();
        assertThat(Glob.of("**/a/".repeat(500) + "b").matches("a/".repeat(2000) + "a"))
                .isFalse();
    }
}
