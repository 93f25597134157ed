package dev.kiln.boot.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/**
 * Follows a build's log to its end, over attempts, streams that the server ends after a silence, and a server that is away for a
 * moment.
 */
final class LogFollower {
    private static final Duration TICK = Duration.ofSeconds(1);
    private static final int MAX_FAILURES_IN_A_ROW = 60;

    private final BuildFinder finder;
    private final LogReader reader;
    private final String id;
    private final Optional<Integer> only;
    private final PrintWriter notes;
    private final Pace pace;

    /** @param only the one attempt to follow; empty: the present one and those that come after it */
    LogFollower(BuildFinder finder, LogReader reader, String id, Optional<Integer> only, PrintWriter notes, Pace pace) {
        this.finder = finder;
        this.reader = reader;
        this.id = id;
        this.only = only;
        this.notes = notes;
        this.pace = pace;
    }

    /** @return whether the build has a result */
    boolean follow() throws IOException, InterruptedException {
        LogReader.Position position = null;
        boolean queued = false;
        int failures = 0;
        while (true) {
            long before = position == null ? 0 : position.offset();
            try {
                // asked before the log is read to its end: what ends a build was printed by then
                BuildView build = finder.get(id);
                int attempt = only.orElse(build.attempt());
                if (attempt > 0 && (position == null || position.attempt() != attempt)) {
                    position = next(position, attempt);
                    before = 0;
                }
                boolean over = build.hasEnded() || (only.isPresent() && build.attempt() > attempt);
                if (position != null) {
                    reader.read(position, !over);
                } else if (!over && !queued) {
                    note("waiting for a worker");
                    queued = true;
                }
                if (over) {
                    note(
                            build.phase().equals("FAILED")
                                    ? "failed, " + build.failure()
                                    : build.phase().toLowerCase(Locale.ROOT));
                    return build.phase().equals("BUILT");
                }
                failures = 0;
            } catch (IOException e) {
                if (++failures >= MAX_FAILURES_IN_A_ROW) {
                    throw e;
                }
            } catch (ApiProblem e) {
                // a log that is not there yet, or a server that starts: both pass
                boolean passes = e.status() >= 500 || (e.status() == 404 && position != null);
                if (!passes || ++failures >= MAX_FAILURES_IN_A_ROW) {
                    throw e;
                }
            }
            if (position == null || position.offset() == before) {
                pace.pause(TICK);
            }
        }
    }

    private LogReader.Position next(LogReader.Position last, int attempt) {
        if (last != null) {
            note("attempt " + last.attempt() + " has ended, here is attempt " + attempt);
        }
        return new LogReader.Position(attempt);
    }

    private void note(String text) {
        notes.println("kiln: " + TerminalText.line(text, 300));
        notes.flush();
    }
}
