package dev.kiln.boot.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.time.Clock;
import java.util.Set;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kiln build}. */
@Command(
        name = "build",
        description = "Shows a build and what happened to it; of an image, those of all its platforms.",
        mixinStandardHelpOptions = true)
final class BuildCommand implements Callable<Integer> {
    private static final int MAX_VALUE = 200;
    private static final int MAX_EVENT = 400;
    private static final Set<String> SHOWN_APART = Set.of("t", "seq", "at", "timestamp");

    @Mixin
    private ServerOptions options;

    @Mixin
    private BuildChoice choice;

    @Option(names = "--json", description = "One JSON object a line")
    private boolean asJson;

    private final Clock clock;

    BuildCommand(Clock clock) {
        this.clock = clock;
    }

    @Override
    public Integer call() throws Exception {
        BuildFinder finder = new BuildFinder(options, options.server());
        PrintWriter out = options.out();
        String gap = "";
        for (BuildView found : choice.all(finder)) {
            BuildView full = found.json().has("events") ? found : finder.get(found.id());
            if (asJson) {
                out.println(full.json());
            } else {
                out.print(gap);
                show(full, out);
                gap = System.lineSeparator();
            }
        }
        out.flush();
        return 0;
    }

    private void show(BuildView build, PrintWriter out) {
        out.println(build.name() + "  " + build.state(clock.instant()));
        for (String member : new String[] {"id", "revision", "reference", "builder", "worker", "client", "address"}) {
            field(out, member, build.text(member));
        }
        field(out, "requested", build.text("requestedAt"));
        field(out, "started", build.text("startedAt"));
        field(out, "ended", build.text("endedAt"));
        JsonNode manifest = build.json().path("manifest");
        field(out, "manifest", manifest.path("digest").asText(""));
        field(out, "forgotten", build.json().path("failure").path("until").asText(""));
        for (JsonNode event : build.json().path("events")) {
            String time = event.path("at").asText(event.path("timestamp").asText(""));
            out.println(String.format("%4d  ", event.path("seq").asLong()) + TerminalText.line(time, MAX_VALUE) + "  "
                    + TerminalText.line(describe(event), MAX_EVENT));
        }
    }

    private static void field(PrintWriter out, String name, String value) {
        if (!value.isEmpty()) {
            out.println(String.format("  %-10s %s", name, TerminalText.line(value, MAX_VALUE)));
        }
    }

    /** {@code attempt-started attempt=1 worker=node-1}: every member, so that a later server's are seen too. */
    private static String describe(JsonNode event) {
        StringJoiner text = new StringJoiner(" ");
        text.add(event.path("t").asText("?"));
        event.properties().forEach(member -> {
            JsonNode value = member.getValue();
            if (!SHOWN_APART.contains(member.getKey()) && !value.isNull()) {
                text.add(member.getKey() + "=" + (value.isValueNode() ? value.asText() : value.toString()));
            }
        });
        return text.toString();
    }
}
