package dev.kiln.source;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** Which refs count: patterns such as {@code refs/heads/*}, where {@code *} stands for any text, slashes too. */
final class RefPatterns {
    private final List<String> texts;
    private final Pattern pattern;

    RefPatterns(List<String> texts) {
        this.texts = List.copyOf(texts);
        this.pattern = Pattern.compile(texts.stream()
                .map(text -> Pattern.quote(text).replace("*", "\\E.*\\Q"))
                .collect(Collectors.joining("|")));
    }

    boolean allow(String ref) {
        return pattern.matcher(ref).matches();
    }

    /** What a server that can filter is asked for: a superset, as full names and as folders ending in {@code /*}. */
    List<String> advertised() {
        return texts.stream().map(RefPatterns::folder).distinct().collect(Collectors.toList());
    }

    private static String folder(String pattern) {
        int star = pattern.indexOf('*');
        if (star < 0) {
            return pattern;
        }
        int slash = pattern.lastIndexOf('/', star);
        return slash < 0 ? "refs/*" : pattern.substring(0, slash) + "/*";
    }
}
