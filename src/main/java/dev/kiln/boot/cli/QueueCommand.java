package dev.kiln.boot.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.PrintWriter;
import java.time.Clock;
import java.time.Instant;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code kiln queue}. */
@Command(
        name = "queue",
        description = "Shows what waits for a worker, what runs, and the workers; asks the admin listener.",
        mixinStandardHelpOptions = true)
final class QueueCommand implements Callable<Integer> {
    @Mixin
    private ServerOptions options;

    @Option(names = "--json", description = "The server's own JSON")
    private boolean asJson;

    private final Clock clock;

    QueueCommand(Clock clock) {
        this.clock = clock;
    }

    @Override
    public Integer call() throws Exception {
        JsonNode queue = options.admin().get("/api/v1/queue", Map.of());
        PrintWriter out = options.out();
        if (asJson) {
            out.println(queue);
        } else {
            show(queue, out);
        }
        out.flush();
        return 0;
    }

    private void show(JsonNode queue, PrintWriter out) {
        Instant now = clock.instant();
        Table entries = new Table("BUILD", "WORKER", "PLACE", "QUEUED", "NOT BEFORE", "FOR", "CLIENT");
        for (JsonNode node : queue.path("entries")) {
            BuildView entry = new BuildView(node);
            entries.row(
                    entry.name(),
                    entry.text("worker"),
                    place(node),
                    Times.between(entry.instant("enqueuedAt"), now),
                    entry.text("notBefore"),
                    node.path("cause").path("reference").asText(""),
                    node.path("cause").path("client").asText(""));
        }
        if (entries.isEmpty()) {
            out.println("nothing waits and nothing runs");
        } else {
            entries.print(out);
        }
        Table workers = new Table("WORKER", "RUNNING", "SLOTS", "STATE", "PLATFORMS", "BUILDERS");
        for (JsonNode worker : queue.path("workers")) {
            workers.row(
                    worker.path("name").asText(""),
                    worker.path("running").asText(""),
                    worker.path("slots").asText(""),
                    worker.path("drained").asBoolean() ? "drained" : "",
                    joined(worker.path("platforms")),
                    joined(worker.path("builders")));
        }
        out.println();
        if (workers.isEmpty()) {
            out.println("no worker has asked for work: does a node have the role builder?");
        } else {
            workers.print(out);
        }
    }

    /** Somebody waits for what has a star. */
    private static String place(JsonNode entry) {
        String place = entry.path("position").asText("");
        return place.isEmpty() || !entry.path("awaited").asBoolean() ? place : place + "*";
    }

    private static String joined(JsonNode texts) {
        StringJoiner joined = new StringJoiner(", ");
        texts.forEach(text -> joined.add(text.asText("")));
        return joined.toString();
    }
}
