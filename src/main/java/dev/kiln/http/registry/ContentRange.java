package dev.kiln.http.registry;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which bytes of a blob a chunk is, both ends included: {@code 0-4}, as the distribution specification has it, or
 * {@code bytes 0-4/*} as HTTP does.
 */
record ContentRange(long first, long last) {
    private static final Pattern FORM =
            Pattern.compile("(?:bytes[ =])?([0-9]{1,18})-([0-9]{1,18})(?:/(?:[0-9]{1,18}|\\*))?");

    /** Empty when {@code text} is no range, or one that ends before it begins. */
    static Optional<ContentRange> parse(String text) {
        Matcher form = FORM.matcher(text.strip());
        if (!form.matches()) {
            return Optional.empty();
        }
        long first = Long.parseLong(form.group(1));
        long last = Long.parseLong(form.group(2));
        return first > last ? Optional.empty() : Optional.of(new ContentRange(first, last));
    }

    long length() {
        return last - first + 1;
    }
}
