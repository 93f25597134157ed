package dev.kiln.worker.builder.jib;

import java.util.List;

/**
 * A file name pattern: {@code *} and {@code ?} within a path segment, {@code **} for any number of segments, nothing
 * else is special; one that ends in {@code /} means everything below. Matching takes time in proportion to pattern times
 * path: the patterns are a stranger's, and a regular expression made of them could keep a thread of the server for ever.
 */
record Glob(List<String> segments) {
    Glob {
        segments = List.copyOf(segments);
    }

    static Glob of(String pattern) {
        String whole = pattern.endsWith("/") ? pattern + "**" : pattern;
        return new Glob(List.of(whole.split("/")));
    }

    /** @param path relative, with {@code /} between its segments */
    boolean matches(String path) {
        String[] names = path.split("/");
        // reached[i]: the segments of the pattern so far match the first i names
        boolean[] reached = new boolean[names.length + 1];
        reached[0] = true;
        for (String segment : segments) {
            boolean[] next = new boolean[names.length + 1];
            if (segment.equals("**")) {
                boolean any = false;
                for (int i = 0; i <= names.length; i++) {
                    any |= reached[i];
                    next[i] = any;
                }
            } else {
                for (int i = 0; i < names.length; i++) {
                    next[i + 1] = reached[i] && matchesSegment(segment, names[i]);
                }
            }
            reached = next;
        }
        return reached[names.length];
    }

    private static boolean matchesSegment(String pattern, String name) {
        int p = 0;
        int n = 0;
        int star = -1;
        int restart = 0;
        while (n < name.length()) {
            if (p < pattern.length() && pattern.charAt(p) == '*') {
                star = p++;
                restart = n;
            } else if (p < pattern.length() && (pattern.charAt(p) == '?' || pattern.charAt(p) == name.charAt(n))) {
                p++;
                n++;
            } else if (star >= 0) {
                p = star + 1;
                n = ++restart;
            } else {
                return false;
            }
        }
        while (p < pattern.length() && pattern.charAt(p) == '*') {
            p++;
        }
        return p == pattern.length();
    }
}
