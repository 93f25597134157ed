package dev.kiln.boot.cli;

import com.fasterxml.jackson.databind.JsonNode;
import dev.kiln.oci.Platform;
import java.io.PrintWriter;
import java.time.Clock;
import java.time.Instant;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kiln builds}. */
@Command(name = "builds", description = "Lists builds, the newest first.", mixinStandardHelpOptions = true)
final class BuildsCommand implements Callable<Integer> {
    private static final int PAGE = 200;

    @Mixin
    private ServerOptions options;

    @Option(names = "--repository", paramLabel = "NAME", defaultValue = "", description = "Only of this repository")
    private String repository;

    @Option(
            names = "--revision",
            paramLabel = "COMMIT",
            defaultValue = "",
            description = "Only of this commit, or of those that begin with these 4 or more digits")
    private String revision;

    @Option(
            names = "--platform",
            paramLabel = "OS/ARCH",
            converter = PlatformConverter.class,
            description = "Only for this platform")
    private Platform platform;

    @Option(names = "--phase", defaultValue = "", description = "Only: queued, running, built or failed")
    private String phase;

    @Option(names = "-n", paramLabel = "NUMBER", defaultValue = "50", description = "At most so many (50)")
    private int number;

    @Option(names = "--json", description = "One JSON object a line")
    private boolean asJson;

    private final Clock clock;

    BuildsCommand(Clock clock) {
        this.clock = clock;
    }

    @Override
    public Integer call() throws Exception {
        if (number < 1) {
            throw options.usage("-n must be 1 or more");
        }
        Api api = options.server();
        Map<String, String> parameters = new HashMap<>(Map.of(
                "repository", repository,
                "revision", revision,
                "platform", platform == null ? "" : platform.toString(),
                "phase", phase));
        Table table = new Table("BUILD", "PHASE", "ATTEMPT", "REQUESTED", "TIME", "ETA", "FOR", "FAILURE");
        Instant now = clock.instant();
        int left = number;
        String next;
        do {
            parameters.put("n", Integer.toString(Math.min(left, PAGE)));
            JsonNode page = api.get("/api/v1/builds", parameters);
            int before = left;
            for (JsonNode build : page.path("builds")) {
                if (left > 0) {
                    left--;
                    show(new BuildView(build), table, now);
                }
            }
            next = page.path("next").asText("");
            // a page that brings nothing has no next one, whatever it says
            if (left == before || next.equals("null")) {
                next = "";
            }
            parameters.put("after", next);
        } while (left > 0 && !next.isEmpty());
        finish(table, !next.isEmpty());
        return 0;
    }

    private void show(BuildView build, Table table, Instant now) {
        if (asJson) {
            // JSON has its control characters escaped
            options.out().println(build.json());
            return;
        }
        table.row(
                build.name(),
                build.phase(),
                build.attempt() == 0 ? "" : Integer.toString(build.attempt()),
                build.instant("requestedAt")
                        .map(at -> Times.between(Optional.of(at), now) + " ago")
                        .orElse(""),
                build.elapsed(now),
                build.eta().replaceFirst("^ETA ", ""),
                build.text("reference"),
                build.failure());
    }

    private void finish(Table table, boolean more) {
        PrintWriter out = options.out();
        if (!table.isEmpty()) {
            table.print(out);
        } else if (!asJson) {
            options.err().println("no builds");
        }
        if (more) {
            options.err().println("there are more: raise -n");
        }
        out.flush();
        options.err().flush();
    }
}
