package dev.kiln.http.api;

import akka.http.javadsl.model.HttpResponse;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.kiln.http.wire.Call;
import dev.kiln.http.wire.Query;
import dev.kiln.image.Images;
import dev.kiln.image.IndexHistory;
import dev.kiln.oci.Platform;
import dev.kiln.oci.RepositoryName;
import dev.kiln.oci.Tag;
import dev.kiln.problem.Problem;
import dev.kiln.problem.ProblemCode;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;

/** {@code GET /api/v1/indexes}: whether a tag's index is complete, every index it had, and who they were composed for. */
final class IndexRoutes {
    private static final Set<String> PARAMETERS = Set.of("repository", "tag", "platform");
    /** For the tag's look-up, which may have to ask its source. */
    private static final Duration LOOK_UP = Duration.ofMinutes(1);

    private final Images images;
    private final boolean callers;

    /** @param callers whether it says who asked, as in {@link BuildJson} */
    IndexRoutes(Images images, boolean callers) {
        this.images = images;
        this.callers = callers;
    }

    /** {@code ?repository=&tag=&platform=} */
    CompletionStage<HttpResponse> list(Call call) {
        Query query = call.query();
        query.allowOnly(PARAMETERS);
        RepositoryName repository = required(query, "repository", RepositoryName::parse, "a repository's name");
        Tag tag = required(query, "tag", Tag::parse, "a tag");
        Optional<Platform> platform = query.one("platform")
                .map(text -> Platform.parse(text).orElseThrow(() -> invalid("platform", Platform.FORM)));
        call.allow(LOOK_UP);
        return images.indexes(repository, tag, platform)
                .thenApply(history -> ProblemDetails.json(200, json(repository, tag, history), List.of()));
    }

    private static <T> T required(Query query, String name, Function<String, Optional<T>> parse, String form) {
        return query.one(name).flatMap(parse).orElseThrow(() -> invalid(name, form));
    }

    private static Problem invalid(String parameter, String form) {
        return new Problem(ProblemCode.REQUEST_INVALID, "the parameter " + parameter + " must be " + form);
    }

    private ObjectNode json(RepositoryName repository, Tag tag, IndexHistory history) {
        ObjectNode json = JsonNodeFactory.instance
                .objectNode()
                .put("repository", repository.value())
                .put("tag", tag.value())
                .put("revision", history.revision().value());
        json.put("complete", history.missing().isEmpty());
        history.newest()
                .ifPresent(newest ->
                        json.put("digest", newest.descriptor().digest().value()));
        put(json, "platforms", history.platforms());
        put(json, "missing", history.missing());
        ArrayNode indexes = json.putArray("indexes");
        for (IndexHistory.Index index : history.indexes()) {
            ObjectNode object = indexes.addObject();
            object.put("digest", index.descriptor().digest().value());
            object.put("size", index.descriptor().size());
            object.put("composedAt", index.composedAt().toString());
            put(object, "platforms", index.platforms());
            index.cause().ifPresent(cause -> {
                ObjectNode who = object.putObject("cause");
                if (callers) {
                    who.put("client", cause.client()).put("address", cause.address());
                }
                who.put("hint", cause.hint()).put("reference", cause.reference());
            });
        }
        return json;
    }

    private static void put(ObjectNode json, String name, List<Platform> platforms) {
        ArrayNode array = json.putArray(name);
        platforms.forEach(platform -> array.add(platform.toString()));
    }
}
