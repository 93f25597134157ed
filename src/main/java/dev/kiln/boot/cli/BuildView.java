package dev.kiln.boot.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.Locale;
import java.util.Optional;

/** A build as the API shows it. Members that are missing or odd are empty. */
record BuildView(JsonNode json) {
    private static final int SHORT_REVISION = 12;
    private static final int MAX_MESSAGE = 300;

    String id() {
        return text("id");
    }

    String revision() {
        return text("revision");
    }

    String platform() {
        return text("platform");
    }

    String phase() {
        return text("phase").toUpperCase(Locale.ROOT);
    }

    int attempt() {
        return json.path("attempt").asInt(0);
    }

    boolean hasEnded() {
        return phase().equals("BUILT") || phase().equals("FAILED");
    }

    /** A short name that every command takes: {@code team/app@0123456789ab@linux/amd64}. */
    String name() {
        String revision = revision();
        return TerminalText.line(
                text("repository") + "@" + revision.substring(0, Math.min(SHORT_REVISION, revision.length())) + "@"
                        + platform(),
                MAX_MESSAGE);
    }

    /** The phase and what there is to say about it, in one line: {@code RUNNING attempt 2, 1m3s, ETA 4m10s}. */
    String state(Instant now) {
        StringBuilder state = new StringBuilder(phase());
        if (attempt() > 0) {
            state.append(" attempt ").append(attempt());
        }
        String time = elapsed(now);
        if (!time.isEmpty()) {
            state.append(", ").append(time);
        }
        if (phase().equals("FAILED")) {
            state.append(": ").append(failure());
        }
        String eta = eta();
        if (!eta.isEmpty()) {
            state.append(", ").append(eta);
        }
        instant("notBefore")
                .filter(now::isBefore)
                .ifPresent(
                        start -> state.append(", next attempt in ").append(Times.text(Duration.between(now, start))));
        return TerminalText.line(state.toString(), MAX_MESSAGE);
    }

    /** How long it waits, runs or ran. */
    String elapsed(Instant now) {
        return phase().equals("QUEUED")
                ? Times.between(instant("requestedAt"), now)
                : Times.between(instant("startedAt"), instant("endedAt").orElse(now));
    }

    /** When it is likely to be done: {@code ETA 4m10s}; empty when it is not under way. */
    String eta() {
        JsonNode eta = json.path("eta");
        Duration build = Duration.ofSeconds(eta.path("buildSeconds").asLong(0));
        return switch (eta.path("state").asText("")) {
            case "estimated" ->
                "ETA " + Times.text(build.plusSeconds(eta.path("queueSeconds").asLong(0)));
            case "overdue" -> eta.has("buildSeconds") ? "ETA over " + Times.text(build) : "overdue";
            case "unknown" -> "ETA unknown";
            default -> "";
        };
    }

    /** Why it failed: {@code source: exit 2}; empty when it did not. */
    String failure() {
        JsonNode failure = json.path("failure");
        return failure.isObject()
                ? failure.path("class").asText("").toLowerCase(Locale.ROOT) + ": "
                        + failure.path("message").asText("")
                : "";
    }

    String text(String member) {
        return json.path(member).asText("");
    }

    Optional<Instant> instant(String member) {
        try {
            return json.path(member).isTextual()
                    ? Optional.of(Instant.parse(json.path(member).asText()))
                    : Optional.empty();
        } catch (DateTimeParseException e) {
            return Optional.empty();
        }
    }
}
