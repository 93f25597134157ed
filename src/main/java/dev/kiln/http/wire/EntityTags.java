package dev.kiln.http.wire;

import java.util.List;

/** Conditional requests on content whose entity tag is its digest (RFC 9110, 8.8.3 and 13.1). */
public final class EntityTags {
    private EntityTags() {}

    /** Whether an {@code If-None-Match} line names this tag, weakly compared, or any ({@code *}). */
    public static boolean named(List<String> ifNoneMatch, String quotedTag) {
        for (String line : ifNoneMatch) {
            if (line.strip().equals("*")) {
                return true;
            }
            int at = line.indexOf(quotedTag);
            while (at >= 0) {
                if (isWhole(line, at, at + quotedTag.length())) {
                    return true;
                }
                at = line.indexOf(quotedTag, at + 1);
            }
        }
        return false;
    }

    /** The quoted tag begins and ends an element of the list; a digest holds neither quotes nor commas. */
    private static boolean isWhole(String line, int begin, int end) {
        String before = line.substring(0, begin).stripTrailing();
        String after = line.substring(end).stripLeading();
        if (before.endsWith("W/")) {
            before = before.substring(0, before.length() - 2).stripTrailing();
        }
        return (before.isEmpty() || before.endsWith(",")) && (after.isEmpty() || after.startsWith(","));
    }
}
