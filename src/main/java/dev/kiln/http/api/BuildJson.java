package dev.kiln.http.api;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.build.BuildEta;
import dev.kiln.build.BuildStatus;
import dev.kiln.build.QueueStatus;
import dev.kiln.catalog.BuildCatalog;
import dev.kiln.image.Dedup;
import dev.kiln.oci.BuildKey;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Builds and the queue as JSON: camelCase, ISO 8601 instants, absent members where there is nothing to say.
 *
 * @param callers whether it says who asked (User-Agent and address): an auditor's matter, for the admin listener only
 */
record BuildJson(boolean callers) {
    private static final List<String> CALLER_FIELDS = List.of("client", "address");

    ObjectNode status(BuildStatus status) {
        ObjectNode json = key(status.key());
        json.put("phase", status.phase().name().toLowerCase(Locale.ROOT));
        json.put("request", status.request());
        json.put("attempt", status.attempt());
        put(json, "requestedAt", status.requestedAt());
        put(json, "startedAt", status.startedAt());
        put(json, "endedAt", status.endedAt());
        put(json, "notBefore", status.notBefore());
        status.position().ifPresent(position -> json.put("position", position));
        status.manifest()
                .ifPresent(manifest -> json.putObject("manifest")
                        .put("mediaType", manifest.mediaType())
                        .put("digest", manifest.digest().value())
                        .put("size", manifest.size()));
        status.failure().ifPresent(failure -> {
            ObjectNode object = json.putObject("failure");
            object.put("class", failure.failureClass().name().toLowerCase(Locale.ROOT));
            object.put("message", failure.message());
            object.put("at", failure.at().toString());
            put(object, "until", failure.until());
        });
        return json;
    }

    ObjectNode row(BuildCatalog.Row row, Etas etas) {
        ObjectNode json = status(row.status());
        put(json, etas.of(row.status()));
        addRow(json, row);
        return json;
    }

    ObjectNode build(BuildStatus status, Optional<BuildCatalog.Row> row, List<JsonNode> events, Etas etas) {
        ObjectNode json = status(status);
        put(json, etas.of(status));
        row.ifPresent(r -> addRow(json, r));
        ArrayNode array = json.putArray("events");
        for (JsonNode event : events) {
            array.add(callers ? event : withoutCallers(event.deepCopy()));
        }
        return json;
    }

    ObjectNode queue(QueueStatus queue, Etas etas) {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        ArrayNode entries = json.putArray("entries");
        for (QueueStatus.Entry entry : queue.entries()) {
            ObjectNode object = key(entry.key());
            object.put("request", entry.request());
            object.put("enqueuedAt", entry.enqueuedAt().toString());
            put(object, "notBefore", entry.notBefore());
            entry.worker().ifPresent(worker -> object.put("worker", worker));
            entry.fence().ifPresent(fence -> object.put("fence", fence));
            object.put("awaited", entry.awaited());
            entry.position().ifPresent(position -> object.put("position", position));
            put(object, etas.of(entry));
            ObjectNode cause = object.putObject("cause");
            if (callers) {
                cause.put("client", entry.cause().client());
                cause.put("address", entry.cause().address());
            }
            cause.put("hint", entry.cause().hint());
            cause.put("reference", entry.cause().reference());
            entries.add(object);
        }
        ArrayNode workers = json.putArray("workers");
        for (QueueStatus.Worker worker : queue.workers()) {
            workers.add(worker(worker));
        }
        return json;
    }

    ObjectNode dedup(Dedup.Counts counts) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("started", counts.started())
                .put("joined", counts.joined())
                .put("saved", counts.saved());
    }

    ObjectNode worker(QueueStatus.Worker worker) {
        ObjectNode object = JsonNodeFactory.instance.objectNode();
        object.put("name", worker.name());
        object.put("slots", worker.slots());
        object.put("running", worker.running());
        object.put("drained", worker.drained());
        worker.platforms().forEach(object.putArray("platforms")::add);
        worker.builders().forEach(object.putArray("builders")::add);
        return object;
    }

    private static ObjectNode key(BuildKey key) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", key.id())
                .put("repository", key.repository().value())
                .put("revision", key.revision().value())
                .put("platform", key.platform().toString());
    }

    private void addRow(ObjectNode json, BuildCatalog.Row row) {
        json.put("builder", row.builder());
        json.put("worker", row.worker());
        json.put("reference", row.reference());
        if (callers) {
            json.put("client", row.client());
            json.put("address", row.address());
        }
    }

    private static JsonNode withoutCallers(JsonNode node) {
        if (node instanceof ObjectNode object) {
            object.remove(CALLER_FIELDS);
        }
        node.forEach(BuildJson::withoutCallers);
        return node;
    }

    private static void put(ObjectNode json, Optional<BuildEta> eta) {
        eta.ifPresent(e -> {
            ObjectNode object = json.putObject("eta");
            object.put("state", e.certainty().name().toLowerCase(Locale.ROOT));
            e.queue().ifPresent(queue -> object.put("queueSeconds", queue.toSeconds()));
            e.build().ifPresent(build -> object.put("buildSeconds", build.toSeconds()));
        });
    }

    private static void put(ObjectNode json, String name, Optional<Instant> instant) {
        instant.ifPresent(i -> json.put(name, i.toString()));
    }
}
