package dev.kiln.catalog;

import dev.kiln.oci.BuildKey;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The last build of the page before, as the opaque text that a client sends back. */
record PageStart(Instant requestedAt, BuildKey key) {
    private static final int MAX_TEXT = 1024;

    // 17 digits of microseconds end in the year 5138: any such number is a time that the database can compare
    private static final Pattern FORM = Pattern.compile("([0-9]{1,17}) (.+)");

    String text() {
        String plain = ChronoUnit.MICROS.between(Instant.EPOCH, requestedAt) + " " + key;
        return Base64.getUrlEncoder().withoutPadding().encodeToString(plain.getBytes(StandardCharsets.UTF_8));
    }

    /** @throws Problem when {@link #text} cannot have made it */
    static PageStart parse(String text) {
        return decode(text)
                .map(FORM::matcher)
                .filter(Matcher::matches)
                .flatMap(form -> BuildKey.parse(form.group(2))
                        .map(key -> new PageStart(
                                Instant.EPOCH.plus(Long.parseLong(form.group(1)), ChronoUnit.MICROS), key)))
                .orElseThrow(() -> new Problem(
                        ProblemCode.REQUEST_INVALID,
                        "could not list builds: \"after\" is not the \"next\" of a page; begin again without it"));
    }

    private static Optional<String> decode(String text) {
        if (text.length() > MAX_TEXT) {
            return Optional.empty();
        }
        try {
            return Optional.of(new String(Base64.getUrlDecoder().decode(text), StandardCharsets.UTF_8));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
