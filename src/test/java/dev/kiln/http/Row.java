package dev.kiln.http;

import java.util.List;

/**
 * One request and what must be in its answer.
 *
 * @param sentence what the row is for
 * @param contains each must stand in the status line, a header line or the body, as it came
 */
record Row(
        String sentence,
        boolean admin,
        String method,
        String target,
        List<String> headers,
        int status,
        List<String> contains) {
    Row with(String... lines) {
        return new Row(sentence, admin, method, target, List.of(lines), status, contains);
    }

    Row has(String... parts) {
        return new Row(sentence, admin, method, target, headers, status, List.of(parts));
    }

    Row onAdmin() {
        return new Row(sentence, true, method, target, headers, status, contains);
    }

    @Override
    public String toString() {
        String shown = target.length() > 60 ? target.substring(0, 60) + "..." : target;
        return sentence + ": " + method + " " + shown + " " + headers + " -> " + status;
    }

    static Row row(String sentence, String method, String target, int status) {
        return new Row(sentence, false, method, target, List.of(), status, List.of());
    }

    static Row get(String sentence, String target, int status) {
        return row(sentence, "GET", target, status);
    }
}
