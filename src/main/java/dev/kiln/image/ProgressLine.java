package dev.kiln.image;

import dev.kiln.build.BuildEta;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.BuildStatus.Phase;
import dev.kiln.build.BuildTimes;
import dev.kiln.oci.Platform;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What a person who waits is told: one line of ASCII, such as {@code linux/arm64/v8 building for 2 min, ETA 4 min}. Pure.
 */
final class ProgressLine {
    /** Leaves room for the log's address in the 200 characters that clients show of a message. */
    private static final int MAX = 120;

    private ProgressLine() {}

    /**
     * What each unfinished platform is doing, as many as there is room for.
     *
     * @param awaited stands first, also when its build has not said yet that it was asked for
     * @param usual how long builds take, by platform
     */
    static String of(
            Map<Platform, BuildStatus> statuses, Platform awaited, Map<Platform, BuildTimes> usual, Instant now) {
        List<Platform> unfinished = new ArrayList<>();
        statuses.forEach((platform, status) -> {
            boolean first = platform.equals(awaited);
            if (status.phase() != Phase.BUILT && (first || status.phase() != Phase.NEW)) {
                unfinished.add(first ? 0 : unfinished.size(), platform);
            }
        });
        if (unfinished.isEmpty()) {
            return "building";
        }
        StringBuilder line = new StringBuilder();
        for (int i = 0; i < unfinished.size(); i++) {
            Platform platform = unfinished.get(i);
            String part =
                    platform + " " + describe(statuses.get(platform), Optional.ofNullable(usual.get(platform)), now);
            if (i > 0 && line.length() + 2 + part.length() > MAX) {
                return line.append("; and ")
                        .append(unfinished.size() - i)
                        .append(" more")
                        .toString();
            }
            line.append(i == 0 ? "" : "; ").append(part);
        }
        return line.toString();
    }

    private static String describe(BuildStatus status, Optional<BuildTimes> usual, Instant now) {
        String doing = switch (status.phase()) {
            case RUNNING -> "building" + since(status.startedAt(), now);
            case FAILED -> "failed";
            case NEW, QUEUED, BUILT ->
                "queued" + since(status.requestedAt(), now)
                        + status.position().map(place -> ", place " + place).orElse("");
        };
        return doing
                + BuildEta.of(status, usual, now)
                        .map(eta -> ", " + describe(eta))
                        .orElse("");
    }

    private static String since(Optional<Instant> start, Instant now) {
        return start.map(at -> " for " + text(Duration.between(at, now))).orElse("");
    }

    private static String describe(BuildEta eta) {
        return switch (eta.certainty()) {
            case UNKNOWN -> "ETA unknown";
            case ESTIMATED -> "ETA " + text(eta.left().orElse(Duration.ZERO));
            case OVERDUE -> eta.build().map(build -> "ETA over " + text(build)).orElse("overdue");
        };
    }

    /** In the unit in which it is a small number. */
    private static String text(Duration time) {
        long seconds = Math.max(0, time.toSeconds());
        if (seconds < 120) {
            return seconds + " s";
        }
        return seconds < 7200 ? seconds / 60 + " min" : seconds / 3600 + " h";
    }
}
