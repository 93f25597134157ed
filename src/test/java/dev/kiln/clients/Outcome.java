package dev.kiln.clients;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;

/**
 * What a person had before them when a command had ended.
 *
 * @param output both streams, in the order in which they were written
 */
record Outcome(List<String> command, int exit, String output) {
    Outcome mustSucceed() {
        assertThat(exit).as(this::story).isZero();
        return this;
    }

    Outcome mustFail() {
        assertThat(exit).as(this::story).isNotZero();
        return this;
    }

    private String story() {
        return String.join(" ", command) + "\n" + output.substring(Math.max(0, output.length() - 2000));
    }

    /** The last line, which is what people read, without colours; the time of a log line is {@code …}. */
    String lastLine() {
        List<String> lines = output.replaceAll("\u001b\\[[0-9;]*[A-Za-z]", "")
                .replaceAll("time=\"[^\"]*\"", "time=\"…\"")
                .lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .toList();
        return lines.isEmpty() ? "" : lines.get(lines.size() - 1);
    }
}
