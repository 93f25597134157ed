package dev.kiln;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The walls between packages. The table is the one in docs/architecture.md; a test keeps the two the same. */
class ArchitectureTest {
    private static final String ROOT = "dev.kiln.";
    private static final Path TABLE = Path.of("docs/architecture.md");
    private static final Pattern ROW = Pattern.compile("\\| `([a-z.]+)` \\|[^|]*\\| ([^|]*) \\|");

    private static final JavaClasses KILN = new ClassFileImporter().importPath(Path.of("target/classes"));

    @Test
    void packagesImportOnlyWhatTheTableSays() {
        Map<String, Set<String>> allowed = table();
        List<String> wrong = new ArrayList<>();
        for (JavaClass origin : KILN) {
            String from = own(origin);
            assertThat(allowed)
                    .as("the table in " + TABLE + " lists every package")
                    .containsKey(from);
            Set<String> may = allowed.get(from);
            origin.getDirectDependenciesFromSelf().forEach(dependency -> {
                JavaClass target = dependency.getTargetClass();
                String to = own(target);
                if (target.getPackageName().startsWith(ROOT)
                        && !to.equals(from)
                        && !may.contains(to)
                        && !may.contains("everything")) {
                    wrong.add(origin.getSimpleName() + " in " + from + " uses " + target.getSimpleName() + " in " + to);
                }
            });
        }
        assertThat(new TreeSet<>(wrong)).isEmpty();
    }

    @Test
    void packagesHaveNoCycles() {
        slices().matching("dev.kiln.(**)").should().beFreeOfCycles().check(KILN);
    }

    @Test
    void whatDecidesKnowsNoAkka() {
        noClasses()
                .that()
                .resideInAnyPackage("dev.kiln.oci..", "dev.kiln.problem..", "dev.kiln.client..", "dev.kiln.config..")
                .or()
                .haveNameMatching(".*(State|Policy|Key|Composer|LifeCycle)(\\$.*)?")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("akka..")
                .check(KILN);
    }

    @Test
    void httpStaysAtTheEdge() {
        noClasses()
                .that()
                .resideOutsideOfPackage("dev.kiln.http..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("akka.http..")
                .check(KILN);
        noClasses()
                .that()
                .resideInAPackage("dev.kiln.http..")
                .should()
                .dependOnClassesThat(named("(Entity|Event|State)"))
                .check(KILN);
    }

    @Test
    void onlyTheJournalAndTheCatalogSpeakSql() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.kiln.journal..", "dev.kiln.catalog..")
                .should()
                .dependOnClassesThat()
                .resideInAPackage("java.sql..")
                .check(KILN);
    }

    @Test
    void theGuardianNeedsNothingButTheJdk() {
        classes()
                .that()
                .resideInAPackage("dev.kiln.worker.guardian..")
                .should()
                .onlyDependOnClassesThat()
                .resideInAnyPackage("java..", "dev.kiln.worker.guardian..")
                .check(KILN);
    }

    @Test
    void namesSaySomething() {
        noClasses()
                .should()
                .haveSimpleNameEndingWith("Impl")
                .orShould()
                .haveSimpleNameEndingWith("Util")
                .orShould()
                .haveSimpleNameEndingWith("Utils")
                .orShould()
                .haveSimpleNameEndingWith("Helper")
                .orShould()
                .haveSimpleNameEndingWith("Manager")
                .orShould()
                .haveSimpleNameStartingWith("Common")
                .check(KILN);
    }

    @Test
    void noEnvironmentOutsideTheConfigurationAndNobodyWaitsByTheClock() {
        noClasses()
                .that()
                .resideOutsideOfPackages("dev.kiln.config..", "dev.kiln.worker.guardian..", "dev.kiln.worker.builder..")
                .should()
                .callMethod(System.class, "getenv")
                .orShould()
                .callMethod(System.class, "getenv", String.class)
                .check(KILN);
        noClasses().should().callMethod(Thread.class, "sleep", long.class).check(KILN);
    }

    @Test
    void classesStaySmall() throws IOException {
        try (Stream<Path> files = Files.walk(Path.of("src/main/java"))) {
            assertThat(files.filter(file -> file.toString().endsWith(".java")))
                    .allSatisfy(
                            file -> assertThat(lines(file)).as(file.toString()).isLessThanOrEqualTo(500));
        }
    }

    private static long lines(Path file) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static DescribedPredicate<JavaClass> named(String suffix) {
        Pattern pattern = Pattern.compile("dev\\.kiln\\.(?!http\\.).*" + suffix + "(\\$.*)?");
        return DescribedPredicate.describe(
                "named *" + suffix, type -> pattern.matcher(type.getName()).matches());
    }

    private static String own(JavaClass type) {
        String name = type.getPackageName();
        return name.startsWith(ROOT) ? name.substring(ROOT.length()) : name;
    }

    /** Package to what it may import, from the lines {@code | `package` | what it owns | may import |}. */
    private static Map<String, Set<String>> table() {
        Map<String, Set<String>> table = new TreeMap<>();
        try {
            for (String line : Files.readAllLines(TABLE)) {
                Matcher row = ROW.matcher(line);
                if (row.matches()) {
                    Set<String> may = new TreeSet<>();
                    for (String name : row.group(2).split("[ ,`]+")) {
                        if (!name.isEmpty()) {
                            may.add(name);
                        }
                    }
                    table.put(row.group(1), may);
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return table;
    }
}
