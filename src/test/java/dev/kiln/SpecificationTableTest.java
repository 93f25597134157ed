package dev.kiln;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestTemplate;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every sentence of the specification in docs/http-api.md has a test, and every test that is named there exists. */
class SpecificationTableTest {
    private static final Path SOURCES = Path.of("src/test/java/dev/kiln");
    private static final Pattern ROW = Pattern.compile("\\| (MUST|SHOULD|MAY) \\| (.*) \\| (.*) \\|");
    /** A test, or another of the class that was named last, and perhaps in brackets the cases that are meant. */
    private static final Pattern TEST =
            Pattern.compile("`(?:(?<class>[a-z.]+\\.[A-Z]\\w+))?(?:#(?<method>\\w+))?`(?: \\((?<cases>[^)]*)\\))?");

    private record Row(String demand, String tests) {
        @Override
        public String toString() {
            return demand;
        }
    }

    private record Named(Class<?> type, String method, List<String> cases) {}

    static Stream<Row> rows() throws IOException {
        String manual = Files.readString(Path.of("docs/http-api.md"));
        String section = manual.substring(manual.indexOf("## The specification, sentence by sentence"));
        return section.lines()
                .map(ROW::matcher)
                .filter(Matcher::matches)
                .map(row -> new Row(row.group(2), row.group(3)));
    }

    @Test
    void theTableIsFound() throws IOException {
        assertThat(rows()).hasSizeGreaterThan(50);
    }

    @ParameterizedTest
    @MethodSource("rows")
    void hasATestThatExists(Row row) throws Exception {
        List<Named> tests = named(row.tests());
        assertThat(tests).as(row.tests()).isNotEmpty();
        for (Named test : tests) {
            if (!test.method().isEmpty()) {
                assertThat(tests(test.type())).contains(test.method());
            }
            String source = Files.readString(SOURCES.resolve(
                    test.type().getName().substring("dev.kiln.".length()).replace('.', '/') + ".java"));
            assertThat(test.cases()).allSatisfy(name -> assertThat(source).contains(name));
        }
        assertThat(TEST.matcher(row.tests()).replaceAll(""))
                .as("nothing but tests")
                .matches("[, ]*");
    }

    private static List<Named> named(String cell) throws ClassNotFoundException {
        List<Named> tests = new ArrayList<>();
        Class<?> type = null;
        Matcher matcher = TEST.matcher(cell);
        while (matcher.find()) {
            if (matcher.group("class") != null) {
                type = Class.forName(
                        "dev.kiln." + matcher.group("class"), false, SpecificationTableTest.class.getClassLoader());
            }
            assertThat(type).as("a class before %s", matcher.group()).isNotNull();
            String method = matcher.group("method");
            String cases = matcher.group("cases");
            tests.add(new Named(
                    type, method == null ? "" : method, cases == null ? List.of() : List.of(cases.split(", "))));
        }
        return tests;
    }

    private static List<String> tests(Class<?> type) {
        return Arrays.stream(type.getDeclaredMethods())
                .filter(SpecificationTableTest::isTest)
                .map(Method::getName)
                .toList();
    }

    private static boolean isTest(Method method) {
        return Arrays.stream(method.getAnnotations())
                .map(annotation -> annotation.annotationType())
                .anyMatch(type -> type == Test.class || type.isAnnotationPresent(TestTemplate.class));
    }
}
