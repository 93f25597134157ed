package dev.kiln.config;

import com.typesafe.config.ConfigOrigin;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What is wrong, or doubtful, in a configuration; collected, so that one start names all of it. */
final class Findings {
    private record Finding(String file, int line, String text) {
        @Override
        public String toString() {
            return (line > 0 ? file + ":" + line : file) + ": " + text;
        }
    }

    // a default that is wrong for every repository is one mistake
    private final Set<Finding> errors = new LinkedHashSet<>();
    private final Set<Finding> warnings = new LinkedHashSet<>();

    void error(ConfigOrigin where, String text) {
        errors.add(finding(where, text));
    }

    void warning(ConfigOrigin where, String text) {
        warnings.add(finding(where, text));
    }

    /** In the order of the file. */
    List<String> errors() {
        return sorted(errors);
    }

    List<String> warnings() {
        return sorted(warnings);
    }

    private static List<String> sorted(Set<Finding> findings) {
        List<Finding> sorted = new ArrayList<>(findings);
        sorted.sort(Comparator.comparing(Finding::file).thenComparing(Finding::line));
        return sorted.stream().map(Finding::toString).toList();
    }

    private static Finding finding(ConfigOrigin where, String text) {
        String file = where.resource() != null
                ? where.resource()
                : where.filename() != null ? where.filename() : place(where.description());
        return new Finding(file, where.lineNumber(), text);
    }

    /** Of a value that is put together from several places ({@code merge of a: 1,b @ file:/b: 2}) the last one. */
    private static String place(String description) {
        return description
                .replaceFirst("^merge of .*,", "")
                .replaceFirst(" @ .*: ", ":")
                .replaceFirst(": (\\d+)$", ":$1");
    }
}
