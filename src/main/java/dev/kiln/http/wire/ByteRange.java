package dev.kiln.http.wire;

/**
 * What a {@code Range} header comes to on content of a known size (RFC 9110, 14.2). One range is served; several, another
 * unit, or a malformed header are ignored, as the RFC allows, and the whole content is the answer.
 */
public sealed interface ByteRange {
    record Whole() implements ByteRange {}

    /** The bytes {@code [offset, offset + length)}, never empty. */
    record Part(long offset, long length) implements ByteRange {
        public String contentRange(long size) {
            return "bytes " + offset + "-" + (offset + length - 1) + "/" + size;
        }
    }

    /** Well-formed, but the content has no such byte. */
    record Unsatisfiable() implements ByteRange {}

    static ByteRange parse(String header, long size) {
        String text = header.strip();
        int dash = text.indexOf('-');
        if (!text.regionMatches(true, 0, "bytes=", 0, 6) || dash < 0) {
            return new Whole();
        }
        String first = text.substring(6, dash).strip();
        String last = text.substring(dash + 1).strip();
        if (!isNumber(first) || !isNumber(last) || (first.isEmpty() && last.isEmpty())) {
            return new Whole();
        }
        if (first.isEmpty()) {
            long suffix = Math.min(number(last), size);
            return suffix == 0 ? new Unsatisfiable() : new Part(size - suffix, suffix);
        }
        long begin = number(first);
        long end = last.isEmpty() ? Long.MAX_VALUE : number(last);
        if (end < begin) {
            // It may be ignored or refused (RFC 9110, 14.2); the conformance suite of registries wants it refused.
            return new Unsatisfiable();
        }
        return begin >= size ? new Unsatisfiable() : new Part(begin, Math.min(end, size - 1) - begin + 1);
    }

    private static boolean isNumber(String digits) {
        return digits.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    /** Too large a number stands for the largest: no content reaches it. */
    private static long number(String digits) {
        try {
            return Long.parseLong(digits);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }
}
